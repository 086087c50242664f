"""The decision whether the model of a base date takes the champion's place."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from credit_ct_dagster.assets.bentoml_model import bentoml_model
from credit_ct_dagster.assets.config import refuses_bad_values
from credit_ct_dagster.assets.raw_rows import raw_holdouts, raw_rows
from credit_ct_dagster.assets.tables import table_of
from credit_ct_dagster.contracts.decision import Decision, DecisionRecord
from credit_ct_dagster.contracts.drift import ColumnDrift, DriftReport
from credit_ct_dagster.contracts.files import DECISION_FILE, DRIFT_FILE, MODEL_FOLDER
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.search import SearchSummary
from credit_ct_dagster.io_managers.artifacts import FOLDER, ArtifactFolder, ArtifactsIOManager
from credit_ct_dagster.modeling.gate_rules import GateRules
from credit_ct_dagster.promotions import Deciding, Promotions
from credit_ct_dagster.runs.failures import failing_clearly

# What scores and judges is imported where it is used: pandas, scikit-learn and CatBoost take
# seconds, which whoever only loads the definitions does not need.
if TYPE_CHECKING:
    from credit_ct_dagster.resources.bentoml_store import PackagedModel


class GateConfig(GateRules, dg.Config):
    """When a challenger is promoted."""


@refuses_bad_values(GateConfig)
@dg.asset(
    deps=[bentoml_model],
    group_name="serving",
    owners=["team:ml-platform"],
    kinds={"mlflow", "bentoml"},
    io_manager_key="artifacts",
    metadata={FOLDER: MODEL_FOLDER},
    required_resource_keys={"base_date_lock", "promotions", "artifacts"},
)
def champion_model(
    context: dg.AssetExecutionContext, config: GateConfig, tuned_runs: ArtifactFolder
) -> dg.Output[dict[str, Any]]:
    """Whether the packaged model becomes the champion, with the evidence.

    Champion and challenger are scored on the same holdout rows, of customers that neither was
    fitted to or chosen by. Without evidence that the challenger is better, the champion stays.
    """
    base_dt = context.partition_key
    promotions: Promotions = context.resources.promotions
    artifacts: ArtifactsIOManager = context.resources.artifacts
    with failing_clearly(context):
        context.resources.base_date_lock.ensure_held()
        with promotions.deciding(context.log) as deciding:
            best_run_id = tuned_runs.read(SearchSummary).mlflow.best_run_id
            challenger, champion = deciding.register(base_dt, best_run_id), deciding.champion()
            if champion and champion.registered_version == challenger.registered_version:
                record = deciding.promotion_of(champion.registered_version)
            else:
                decision = _decision(challenger, champion, promotions, artifacts, deciding, config)
                record = deciding.record(challenger, decision, dagster_run_id=context.run.run_id)
            drift = _drift(base_dt, record.before, promotions, artifacts) if record.before else []
    context.log.info(record.decision.sentence)
    return dg.Output(
        {DECISION_FILE: record, DRIFT_FILE: DriftReport(columns=drift)},
        metadata=_metadata(record, challenger, drift),
    )


def _decision(
    challenger: ModelIdentity,
    champion: ModelIdentity | None,
    promotions: Promotions,
    artifacts: ArtifactsIOManager,
    deciding: Deciding,
    rules: GateRules,
) -> Decision:
    """Score the packages on raw rows, and apply the gate."""
    from credit_ct_dagster.modeling.gate import compare, decide, floors
    from credit_ct_dagster.modeling.splitting import pooled_holdout

    packages = promotions.packages
    models = [packages.load(each.bentoml_tag) for each in (challenger, champion) if each]
    holdout = pooled_holdout(
        raw_holdouts(artifacts, challenger.base_dt, rules.holdout_windows),
        [model.record.seen_share for model in models],
    )
    predicted = [model.model.predict(model.prepare(holdout)) for model in models]
    return decide(
        challenger.base_dt,
        champion,
        compare(holdout, predicted[0], predicted[1], rules) if champion else None,
        floors(holdout, predicted[0], rules),
        deciding.history(),
        rules,
    )


def _drift(
    base_dt: str, champion: ModelIdentity, promotions: Promotions, artifacts: ArtifactsIOManager
) -> Sequence[ColumnDrift]:
    """How far the training rows have moved away from those of the champion until the decision."""
    from credit_ct_dagster.modeling.drift import feature_drift, prediction_drift

    model = _package_of(champion, promotions)
    reference = raw_rows(artifacts, champion.base_dt, "train")
    current = raw_rows(artifacts, base_dt, "train")
    classes = [model.model.predict(model.prepare(each)) for each in (reference, current)]
    return [prediction_drift(*classes), *feature_drift(reference, current)]


def _package_of(model: ModelIdentity, promotions: Promotions) -> "PackagedModel":
    """The newest package of a model: it may have been packaged again since the decision."""
    newest = promotions.packages.newest(model.base_dt, model.mlflow_run_id)
    return promotions.packages.load((newest or model).bentoml_tag)


def _metadata(
    record: DecisionRecord, challenger: ModelIdentity, drift: Sequence[ColumnDrift]
) -> dict[str, Any]:
    decision = record.decision
    shown: dict[str, Any] = {
        "promoted": decision.promoted,
        "decision": decision.sentence,
        "champion": f"version {record.champion}" if record.champion else "none",
        "registered_version": challenger.registered_version,
        "bentoml_tag": challenger.bentoml_tag,
        "record": record.number,
        "floors": table_of([each.model_dump(mode="json") for each in decision.floors]),
    }
    if decision.comparison:
        shown["comparison"] = dg.MetadataValue.json(decision.comparison.model_dump(mode="json"))
    if drift:
        shown["drift"] = table_of([_rounded(each) for each in drift])
    return shown


def _rounded(drift: ColumnDrift) -> dict[str, Any]:
    return {
        name: round(value, 4) if isinstance(value, float) else value
        for name, value in drift.model_dump(mode="json").items()
    }

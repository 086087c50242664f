"""The decision whether the model of a base date takes the champion's place."""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from credit_ct_dagster.assets.bentoml_model import bentoml_model, reported_packages
from credit_ct_dagster.assets.config import refuses_bad_values
from credit_ct_dagster.contracts.decision import (
    Comparison,
    DecisionRecord,
    Floor,
    FloorVerdict,
    Ground,
    ProbabilityComparison,
)
from credit_ct_dagster.contracts.drift import ColumnDrift, DriftReport
from credit_ct_dagster.contracts.files import (
    DECISION_FILE,
    DRIFT_FILE,
    MODEL_FOLDER,
    PREPROCESSING_FOLDER,
)
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.search import SearchSummary
from credit_ct_dagster.contracts.splits import SplitsSummary
from credit_ct_dagster.decisions.approvals import with_approval
from credit_ct_dagster.decisions.promotions import Promotions
from credit_ct_dagster.decisions.tenures import came_back_on
from credit_ct_dagster.errors.base import CreditCtError, UnavailableError
from credit_ct_dagster.errors.models import ExcludedFeaturesError
from credit_ct_dagster.evidence.judged_models import Judge
from credit_ct_dagster.evidence.same_run import require_searched
from credit_ct_dagster.io_managers.artifacts import FOLDER, ArtifactFolder, ArtifactsIOManager
from credit_ct_dagster.io_managers.raw_rows import raw_rows
from credit_ct_dagster.metadata.tables import (
    better_by,
    compared_row,
    moved,
    rounded,
    shown_table,
    table_of,
)
from credit_ct_dagster.modeling.judging.gate_rules import GateRules
from credit_ct_dagster.modeling.judging.standing import question_of, serves_already
from credit_ct_dagster.operations.shown_decisions import ShownDecisions
from credit_ct_dagster.resources.dagster_ui import DagsterUI
from credit_ct_dagster.resources.model_policy import ModelPolicy
from credit_ct_dagster.runs.failures import failing_clearly
from credit_ct_dagster.runs.purposes import AWAITING_APPROVAL

# What scores and judges is imported where it is used: pandas, scikit-learn and CatBoost take
# seconds, which whoever only loads the definitions does not need.


_WORST_FIRST = [
    FloorVerdict.below, FloorVerdict.missed, FloorVerdict.uncertain, FloorVerdict.met,
]  # fmt: skip


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
    required_resource_keys={"base_date_lock", "promotions", "artifacts", "policy", "dagster_ui"},
)
def champion_model(
    context: dg.AssetExecutionContext, config: GateConfig, tuned_runs: ArtifactFolder
) -> dg.Output[dict[str, Any]]:
    """Whether the packaged model becomes the champion, with the evidence.

    Champion and challenger are scored on the same holdout rows, of customers that neither was
    fitted to or chosen by. Without evidence that the challenger is better, the champion stays.
    """
    from credit_ct_dagster.modeling.judging.gate import decide

    base_dt = context.partition_key
    promotions: Promotions = context.resources.promotions
    artifacts: ArtifactsIOManager = context.resources.artifacts
    policy: ModelPolicy = context.resources.policy
    ui: DagsterUI = context.resources.dagster_ui
    judge = Judge(promotions, artifacts, policy, config, context.log)
    shown = ShownDecisions(promotions, ui, context.instance.report_runless_asset_event, context.log)
    with failing_clearly(context):
        context.resources.base_date_lock.ensure_held()
        with shown.deciding(base_dt) as deciding:
            search = tuned_runs.read(SearchSummary)
            challenger = deciding.register(
                base_dt,
                search.mlflow.best_run_id,
                reported_packages(context.instance, base_dt),
                judge.require_not_worse,
            )
            champion = deciding.champion()
            if champion and champion.registered_version == challenger.registered_version:
                record = deciding.promotion_of(champion.registered_version)
                outcome = f"{serves_already(record)}."
            else:
                splits = artifacts.open(PREPROCESSING_FOLDER, base_dt).read(SplitsSummary)
                require_searched(search, splits)
                found = decide(
                    base_dt,
                    champion,
                    judge.evidence(challenger, champion, base_dt),
                    deciding.history(),
                    config,
                    came_back_on(promotions.records()),
                )
                served = promotions.if_it_serves(challenger, found)
                decision = with_approval(deciding, challenger, served, config)
                # A retry decides the same on the same evidence.
                record = deciding.recorded(challenger, decision) or deciding.record(
                    challenger, decision, dagster_run_id=context.run.run_id
                )
                outcome = record.decision.sentence
            drift = _drift(base_dt, record.before, promotions, artifacts)
            excluded = _excluded_in_use(promotions, policy)
            serving = deciding.champion()
    context.log.info(outcome)
    if drift.not_computed:
        context.log.warning(drift.not_computed)
    if excluded:
        context.log.warning(excluded)
    return dg.Output(
        {DECISION_FILE: record, DRIFT_FILE: drift},
        metadata=_metadata(record, challenger, serving, drift.columns, ui.card_path(base_dt))
        | ({"excluded_features": excluded} if excluded else {}),
    )


def _excluded_in_use(promotions: Promotions, policy: ModelPolicy) -> str | None:
    """That the champion uses features which were excluded after it was trained, if it does."""
    try:
        promotions.require_allowed_features(policy.excluded_features)
    except ExcludedFeaturesError as error:
        return str(error)
    return None


def _drift(
    base_dt: str,
    champion: ModelIdentity | None,
    promotions: Promotions,
    artifacts: ArtifactsIOManager,
) -> DriftReport:
    """How far the training rows have moved away from those of the champion until the decision.

    It only informs: where files of the champion no longer exist, it is not computed.
    """
    if champion is None:
        return DriftReport(columns=[])
    try:
        return DriftReport(columns=_drift_from(base_dt, champion, promotions, artifacts))
    except UnavailableError:
        raise
    except CreditCtError as error:
        return DriftReport(
            columns=[],
            not_computed=f"Drift from the champion of base date {champion.base_dt} was not"
            f" computed: {error.sentence}",
        )


def _drift_from(
    base_dt: str, champion: ModelIdentity, promotions: Promotions, artifacts: ArtifactsIOManager
) -> Sequence[ColumnDrift]:
    from credit_ct_dagster.modeling.judging.drift import model_drift

    scorer = promotions.load(promotions.newest_package(champion)).scorer
    reference = raw_rows(artifacts, champion.base_dt, "train")
    current = raw_rows(artifacts, base_dt, "train")
    classes = [scorer.score_rows(each).classes for each in (reference, current)]
    return model_drift(reference, current, *classes)


def _metadata(
    record: DecisionRecord,
    challenger: ModelIdentity,
    serving: ModelIdentity | None,
    drift: Sequence[ColumnDrift],
    card: str,
) -> dict[str, Any]:
    decision = record.decision
    shown: dict[str, Any] = {
        "decision": decision.sentence,
        "promoted": decision.promoted,
        "model_card": dg.MetadataValue.url(card),
        "champion": f"version {serving.registered_version}" if serving else "none",
        "registered_version": challenger.registered_version,
        "bentoml_tag": challenger.bentoml_tag,
        "decision_number": record.number,
        "decided_by": record.by,
    }
    if decision.ground == Ground.awaiting_approval:
        shown[AWAITING_APPROVAL] = question_of(record)
    if decision.comparison:
        shown["comparison"] = table_of(_compared(decision.comparison, decision.probabilities))
    floors = sorted(decision.floors, key=lambda each: _WORST_FIRST.index(each.verdict))
    shown |= shown_table("floors", [*map(_floor, floors)], DECISION_FILE)
    if decision.golden_rows is not None:
        shown["served_golden_rows"] = f"{decision.golden_rows} of {decision.golden_rows}"
    if decision.windows:
        shown["windows"] = decision.windows.sentence or "The windows agree."
    if decision.holdouts:
        shown["holdouts"] = ", ".join(decision.holdouts)
    columns = sorted(drift, key=lambda each: (not each.verdict.is_drift, -each.psi))
    return shown | shown_table("drift", [*map(_row_of, columns)], DRIFT_FILE)


def _compared(
    comparison: Comparison, probabilities: ProbabilityComparison | None
) -> list[dict[str, Any]]:
    """Rows of the table that people see: of a loss, the lower one is better."""
    rows = [compared_row(comparison)]
    if probabilities:
        rows.append(
            {
                "metric": "calibrated log-loss",
                "this_model": rounded(probabilities.challenger),
                "champion": rounded(probabilities.champion),
                **better_by(probabilities.difference),
                "rows": probabilities.rows,
            }
        )
    return rows


def _floor(floor: Floor) -> dict[str, Any]:
    """A row of the table that people see."""
    shown = {
        "floor": floor.what,
        "value": rounded(floor.value),
        "at_least": floor.least,
        "rows": floor.rows,
        "verdict": floor.verdict.value,
    }
    if floor.champion is None:
        return shown
    verdict = floor.champion_verdict
    return shown | {
        "champion": rounded(floor.champion),
        "champion_is": verdict.value if verdict else None,
    }


def _row_of(drift: ColumnDrift) -> dict[str, Any]:
    """A row of the table that people see."""
    return {
        "column": drift.column,
        "verdict": drift.verdict.value,
        "psi": rounded(drift.psi),
        "p_value": rounded(drift.p_value),
        "missing": moved(drift.missing),
    }

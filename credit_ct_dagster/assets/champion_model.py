"""The decision whether the model of a base date takes the champion's place."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import dagster as dg
import pandas as pd

from credit_ct_dagster.assets.bentoml_model import bentoml_model
from credit_ct_dagster.assets.config import refuses_bad_values
from credit_ct_dagster.assets.failures import failing_clearly
from credit_ct_dagster.assets.preprocessed_splits import SCALERS_FILE, SCALERS_FOLDER
from credit_ct_dagster.assets.tables import table_of
from credit_ct_dagster.assets.tuned_runs import SUMMARY_FILE
from credit_ct_dagster.io_managers.artifacts import (
    FOLDER,
    MODEL_FOLDER,
    PREPROCESSING_FOLDER,
    ArtifactFolder,
    ArtifactsIOManager,
)
from credit_ct_dagster.modeling.drift import Drift, feature_drift, prediction_drift
from credit_ct_dagster.modeling.preparation import restore
from credit_ct_dagster.modeling.promotion import (
    Champion,
    Decision,
    GateRules,
    compare,
    decide,
    floors,
)
from credit_ct_dagster.modeling.splitting import SPLIT_FILES, pooled_holdout
from credit_ct_dagster.partitions import LabelWindow, base_date_partitions
from credit_ct_dagster.promotions import Deciding, Promotions
from credit_ct_dagster.resources.bentoml_store import PackagedModel
from credit_ct_dagster.resources.mlflow.registry import ModelVersion

DECISION_FILE = "decision.json"
DRIFT_FILE = "drift.json"


class GateConfig(GateRules, dg.Config):
    """When a challenger is promoted."""


@refuses_bad_values(GateConfig)
@dg.asset(
    partitions_def=base_date_partitions,
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
    with failing_clearly(context), promotions.deciding(context.log) as deciding:
        challenger = deciding.register(base_dt, tuned_runs[SUMMARY_FILE]["mlflow"]["best_run_id"])
        champion = deciding.champion()
        rows = _Rows(context.resources.artifacts)
        if champion and champion.version == challenger.version:
            record = deciding.promotion_of(champion.version)
        else:
            packages = promotions.packages
            models = [packages.load(each.bentoml_tag) for each in (challenger, champion) if each]
            decision = _decision(challenger, champion, models, rows, deciding, config)
            record = deciding.record(challenger, decision, dagster_run_id=context.run.run_id)
        drift: Sequence[Drift] = []
        if record["before"]:
            before = ModelVersion(**record["before"])
            # It may have been packaged again since.
            package = promotions.packages.newest(before.base_dt, before.mlflow_run_id)
            tag = str(package.tag) if package else before.bentoml_tag
            drift = _drift(base_dt, before, promotions.packages.load(tag), rows)
    decision = record["decision"]
    context.log.info(decision["sentence"])
    comparison = decision["comparison"] or {}
    return dg.Output(
        {
            DECISION_FILE: record,
            DRIFT_FILE: [asdict(each) | {"verdict": each.verdict} for each in drift],
        },
        metadata={
            "promoted": decision["promoted"],
            "decision": decision["sentence"],
            "champion": f"version {record['champion']}" if record["champion"] else "none",
            "registered_version": challenger.version,
            "bentoml_tag": challenger.bentoml_tag,
            "record": record["number"],
            "floors": table_of(decision["floors"]),
            **({"comparison": dg.MetadataValue.json(comparison)} if comparison else {}),
            **({"drift": table_of([_shown(each) for each in drift])} if drift else {}),
        },
    )


class _Rows:
    """Raw rows of base dates, from their prepared splits and scalers."""

    def __init__(self, artifacts: ArtifactsIOManager) -> None:
        self._artifacts = artifacts

    def of(self, base_dt: str, split: str) -> pd.DataFrame:
        """The rows of one split."""
        prepared = self._artifacts.open(PREPROCESSING_FOLDER, base_dt)[SPLIT_FILES[split]]
        return restore(prepared, self._artifacts.open(SCALERS_FOLDER, base_dt)[SCALERS_FILE])

    def holdouts(self, base_dt: str, windows: int) -> list[pd.DataFrame]:
        """The holdout of a base date, and of earlier ones whose label windows do not overlap."""
        found = [base_dt]
        for earlier, _ in reversed(list(self._artifacts.open_all(PREPROCESSING_FOLDER))):
            if len(found) < windows and earlier < LabelWindow.of(found[-1]).start.isoformat():
                found.append(earlier)
        return [self.of(each, "holdout") for each in found]


def _decision(
    challenger: ModelVersion,
    champion: ModelVersion | None,
    models: Sequence[PackagedModel],
    rows: _Rows,
    deciding: Deciding,
    rules: GateRules,
) -> Decision:
    """Score the packages, the challenger's first, and apply the gate."""
    holdout = pooled_holdout(
        rows.holdouts(challenger.base_dt, rules.holdout_windows),
        [model.seen_share for model in models],
    )
    predicted = [model.model.predict(model.prepare(holdout)) for model in models]
    return decide(
        challenger.base_dt,
        Champion(champion.base_dt, champion.version) if champion else None,
        compare(holdout, predicted[0], predicted[1], rules) if champion else None,
        floors(holdout, predicted[0], rules),
        deciding.history(),
        rules,
    )


def _drift(
    base_dt: str, champion: ModelVersion, model: PackagedModel, rows: _Rows
) -> Sequence[Drift]:
    """How far the training rows have moved away from the champion's."""
    reference, current = rows.of(champion.base_dt, "train"), rows.of(base_dt, "train")
    classes = [model.model.predict(model.prepare(each)) for each in (reference, current)]
    return [prediction_drift(*classes), *feature_drift(reference, current)]


def _shown(drift: Drift) -> dict[str, Any]:
    return {
        "column": drift.column,
        "psi": round(drift.psi, 4),
        "ks": None if drift.ks is None else round(drift.ks, 4),
        "ks_p_value": None if drift.ks_p_value is None else round(drift.ks_p_value, 4),
        "verdict": drift.verdict.value,
    }

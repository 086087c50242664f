"""What a person needs to know of the model of a base date."""

from dataclasses import asdict
from typing import Any

import dagster as dg

from credit_ct_dagster.assets.champion_model import DECISION_FILE, DRIFT_FILE
from credit_ct_dagster.assets.failures import failing_clearly
from credit_ct_dagster.assets.preprocessed_splits import SCALERS_FILE, SPLITS_SUMMARY
from credit_ct_dagster.assets.tuned_runs import BEST_MODEL_FILE, SUMMARY_FILE
from credit_ct_dagster.io_managers.artifacts import FOLDER, MODEL_FOLDER, ArtifactFolder
from credit_ct_dagster.modeling.assessment import assess
from credit_ct_dagster.modeling.evaluation import shap_importances
from credit_ct_dagster.modeling.model_card import Lineage, Links, ModelCard
from credit_ct_dagster.modeling.preparation import restore
from credit_ct_dagster.modeling.splitting import SPLIT_FILES
from credit_ct_dagster.partitions import base_date_partitions
from credit_ct_dagster.resources.base_date_lock import BaseDateLock
from credit_ct_dagster.resources.bentoml_store import BentoMLStore
from credit_ct_dagster.resources.mlflow.registry import ModelVersion
from credit_ct_dagster.resources.mlflow.tracking import MlflowTracking
from credit_ct_dagster.settings import get_settings

CARD_FILE = "model_card.html"
LINEAGE_FILE = "lineage.json"
ASSESSMENT_FILE = "assessment.json"


@dg.asset(
    partitions_def=base_date_partitions,
    group_name="serving",
    owners=["team:ml-platform"],
    kinds={"html"},
    io_manager_key="artifacts",
    metadata={FOLDER: MODEL_FOLDER},
)
def model_card(
    context: dg.AssetExecutionContext,
    champion_model: ArtifactFolder,
    tuned_runs: ArtifactFolder,
    preprocessed_splits: ArtifactFolder,
    robust_scalers: ArtifactFolder,
    bentoml_store: BentoMLStore,
    tracking: MlflowTracking,
    base_date_lock: BaseDateLock,
) -> dg.Output[dict[str, Any]]:
    """A page on the model: rows, metrics, calibration, groups, drift, decision and lineage.

    The same as JSON beside it. The page is also logged to the MLflow run of the model.
    """
    with failing_clearly(context):
        record, summary = champion_model[DECISION_FILE], tuned_runs[SUMMARY_FILE]
        model = ModelVersion(**record["model"])
        package = bentoml_store.get(model.bentoml_tag)
        calibrated = bentoml_store.load(model.bentoml_tag).model
        scalers = robust_scalers[SCALERS_FILE]
        rows = {name: preprocessed_splits[SPLIT_FILES[name]] for name in ("val", "holdout")}
        assessments = {
            name: assess(calibrated, split, restore(split, scalers)) for name, split in rows.items()
        }
        lineage = Lineage(
            base_dt=model.base_dt,
            dagster_run_id=model.dagster_run_id,
            mlflow_run_id=model.mlflow_run_id,
            registered_model=tracking.model_name,
            registered_version=model.version,
            bentoml_tag=model.bentoml_tag,
            data_fingerprint=model.data_fingerprint,
        )
        mlflow_run = tracking.run_url(model.mlflow_run_id)
        html = ModelCard(
            lineage=lineage,
            links=Links(
                dagster_run=f"{get_settings().webserver_url.rstrip('/')}/runs/{model.dagster_run_id}",
                mlflow_run=mlflow_run,
            ),
            splits=preprocessed_splits[SPLITS_SUMMARY],
            winner=summary["best"]["params"] | {"trees": summary["best"]["iterations"]},
            assessments=assessments,
            calibration=package.info.metadata["calibration"],
            log_losses=package.info.metadata["log_loss_per_calibration"],
            importances=shap_importances(tuned_runs[BEST_MODEL_FILE], rows["holdout"]),
            drift=champion_model[DRIFT_FILE],
            record=record,
        ).html()
        tracking.log_text(model.mlflow_run_id, html, CARD_FILE)
    holdout = assessments["holdout"]
    return dg.Output(
        {
            CARD_FILE: html,
            LINEAGE_FILE: asdict(lineage),
            ASSESSMENT_FILE: {name: each.as_json() for name, each in assessments.items()},
        },
        metadata={
            "card": dg.MetadataValue.path(str(tuned_runs.path / CARD_FILE)),
            "card_in_mlflow": dg.MetadataValue.url(f"{mlflow_run}/artifacts/{CARD_FILE}"),
            "decision": record["decision"]["sentence"],
            "lineage": dg.MetadataValue.json(asdict(lineage)),
            **{f"holdout_{name}": str(estimate) for name, estimate in holdout.metrics.items()},
            "holdout_ece": holdout.calibrated.ece,
            "holdout_brier": holdout.calibrated.brier,
        },
    )

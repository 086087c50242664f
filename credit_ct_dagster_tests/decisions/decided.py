"""Models that were packaged, registered and decided on."""

import mlflow.catboost
import mlflow.pyfunc
from catboost import CatBoostClassifier
from mlflow.models import Model

from credit_ct_dagster.contracts.decision import Comparison, Decision, Estimate, Ground
from credit_ct_dagster.contracts.files import (
    MODEL_FOLDER,
    SEARCH_SUMMARY_FILE,
)
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.package import PackageRecord
from credit_ct_dagster.contracts.search import BestModel, MlflowRuns, SearchSummary, TrialCounts
from credit_ct_dagster.contracts.utility import Metric
from credit_ct_dagster_tests.platform import Platform
from credit_ct_dagster_tests.resources.packages import any_data

COMPARISON = Comparison(
    metric=Metric.accuracy,
    challenger=0.8,
    champion=0.7,
    difference=Estimate(value=0.1, low=0.05, high=0.15),
    rows=400,
    customers=300,
)
WINS = Decision(
    promoted=True, ground=Ground.better, sentence="Promoted: better.", comparison=COMPARISON
)
LOSES = Decision(
    promoted=False,
    ground=Ground.worse,
    sentence="Not promoted: not better.",
    comparison=COMPARISON,
)
_RECORD = PackageRecord(seen_share=0.85, calibration="none", log_loss_per_calibration={})


def packaged(platform: Platform, fitted: CatBoostClassifier, base_dt: str) -> str:
    """Log a model to MLflow and package it; returns the run's id."""
    tracking = platform.tracking
    experiment = tracking.experiment_id()
    run_id = tracking.client.create_run(experiment).info.run_id
    mlflow.set_experiment(experiment_id=experiment)
    Model.log(
        artifact_path=None, name="model", flavor=mlflow.catboost, run_id=run_id, cb_model=fitted,
        pip_requirements=["catboost"],
    )  # fmt: skip
    save(platform, fitted, identity_of(base_dt, run_id, f"dagster-{base_dt}"))
    return run_id


def identity_of(base_dt: str, mlflow_run_id: str, dagster_run_id: str) -> ModelIdentity:
    """What a model is, before it is registered."""
    return ModelIdentity(
        base_dt=base_dt,
        mlflow_run_id=mlflow_run_id,
        dagster_run_id=dagster_run_id,
        data_fingerprint="f" * 32,
    )


def save(
    platform: Platform, fitted: CatBoostClassifier, identity: ModelIdentity, center: float = 0.0
) -> str:
    """Package a model; returns the tag."""
    return platform.packages.save(fitted, any_data(center), identity, _RECORD, metadata={})


def searched(platform: Platform, base_dt: str, best_run_id: str) -> None:
    """Leave the summary of a search, by which commands find the model of a base date."""
    summary = SearchSummary(
        base_dt=base_dt,
        model_name=platform.model_name,
        rows={},
        best=BestModel(params={}, iterations=1, val={"accuracy": 0.7}, holdout={"accuracy": 0.7}),
        trials=TrialCounts(total=1, completed=1, pruned=0, failed=0),
        seconds={},
        mlflow=MlflowRuns(experiment_id="1", parent_run_id="0", best_run_id=best_run_id),
        dagster_run_id=f"dagster-{base_dt}",
        data_fingerprint="f" * 32,
        fingerprints={},
        scalers_fingerprint="",
        seen_share=0.85,
    )
    platform.artifacts.write(MODEL_FOLDER, base_dt, {SEARCH_SUMMARY_FILE: summary})


def decide(
    platform: Platform, fitted: CatBoostClassifier, base_dt: str, decision: Decision
) -> ModelIdentity:
    """Package and register a model, and decide on it."""
    run_id = packaged(platform, fitted, base_dt)
    with platform.promotions.deciding() as deciding:
        model = deciding.register(base_dt, run_id)
        deciding.record(model, decision)
    return model


def roles(platform: Platform) -> dict[str, str]:
    """The labels of BentoML's packages, by base date."""
    return {each.identity.base_dt: each.role for each in platform.packages.packaged() if each.role}

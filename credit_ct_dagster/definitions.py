"""Every definition of the code location, assembled once."""

import dagster as dg

from credit_ct_dagster.assets.bentoml_model import bentoml_model
from credit_ct_dagster.assets.features_target import features_target
from credit_ct_dagster.assets.preprocessed_splits import preprocessing
from credit_ct_dagster.assets.source_tables import credit_score, credit_score_features
from credit_ct_dagster.assets.tuned_runs import tuned_runs
from credit_ct_dagster.automation.jobs import continuous_training_job, executor
from credit_ct_dagster.automation.schedules import daily_training_schedule
from credit_ct_dagster.automation.sensors import (
    abandoned_runs_sensor,
    run_failure_sensor,
    run_success_sensor,
)
from credit_ct_dagster.automation.terminal_log import terminal_logger
from credit_ct_dagster.dask_workers import DaskCluster
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.resources.bentoml_store import BentoMLStore
from credit_ct_dagster.resources.feature_store import FeatureStore
from credit_ct_dagster.resources.mlflow_tracking import MlflowTracking, parent_run
from credit_ct_dagster.resources.notifications import Notifier
from credit_ct_dagster.resources.study_storage import StudyStorage
from credit_ct_dagster.settings import get_settings

settings = get_settings()

defs = dg.Definitions(
    assets=[
        credit_score,
        credit_score_features,
        features_target,
        preprocessing,
        tuned_runs,
        bentoml_model,
    ],
    jobs=[continuous_training_job],
    schedules=[daily_training_schedule],
    sensors=[run_success_sensor, run_failure_sensor, abandoned_runs_sensor],
    executor=executor,
    loggers={"console": dg.colored_console_logger, "terminal": terminal_logger},
    resources={
        "feature_store": FeatureStore(
            url=dg.EnvVar("FEATURE_STORE_URL"), retention_days=settings.retention_days
        ),
        "artifacts": ArtifactsIOManager(
            base_path=settings.artifacts_path, model_name=settings.model_name
        ),
        "tracking": MlflowTracking(
            tracking_uri=dg.EnvVar("MLFLOW_TRACKING_URI"),
            model_name=settings.model_name,
            ui_url=settings.mlflow_ui_url,
        ),
        "mlflow": parent_run.configured(
            {
                "experiment_name": settings.model_name,
                "mlflow_tracking_uri": {"env": "MLFLOW_TRACKING_URI"},
                "env": {},
                "extra_tags": {},
            }
        ),
        "study_storage": StudyStorage(url=dg.EnvVar("OPTUNA_STORAGE_URL")),
        "dask": DaskCluster(scheduler=settings.dask_scheduler_address),
        "bentoml_store": BentoMLStore(
            home=str(settings.bentoml_home.absolute()), model_name=settings.model_name
        ),
        "notifier": Notifier(
            smtp_host=settings.smtp_host,
            smtp_port=settings.smtp_port,
            smtp_starttls=settings.smtp_starttls,
            smtp_user=settings.smtp_user,
            smtp_password=dg.EnvVar("SMTP_PASSWORD") if settings.smtp_password else None,
            mail_from=settings.mail_from,
            mail_to=settings.mail_to,
        ),
    },
)

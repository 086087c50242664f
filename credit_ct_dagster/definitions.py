"""Every definition of the code location, assembled once."""

import dagster as dg

from credit_ct_dagster.alerting.channels import Mail, Webhook
from credit_ct_dagster.alerting.sensors import (
    abandoned_runs_sensor,
    log_alerts_sensor,
    mail_alerts_sensor,
    webhook_alerts_sensor,
)
from credit_ct_dagster.assets.bentoml_model import bentoml_model
from credit_ct_dagster.assets.champion_model import champion_model
from credit_ct_dagster.assets.features_target import features_target
from credit_ct_dagster.assets.model_card import model_card
from credit_ct_dagster.assets.preprocessed_splits import preprocessing
from credit_ct_dagster.assets.source_tables import credit_score, credit_score_features
from credit_ct_dagster.assets.tuned_runs import tuned_runs
from credit_ct_dagster.automation.data_sensors import late_data_sensor, new_data_sensor
from credit_ct_dagster.automation.jobs import continuous_training_job, executor
from credit_ct_dagster.automation.schedules import daily_training_schedule
from credit_ct_dagster.checks.champion_model import drift_is_small
from credit_ct_dagster.checks.features_target import rows_have_not_expired, window_has_enough_rows
from credit_ct_dagster.checks.preprocessed_splits import (
    labels_hold_three_classes,
    quarantine_is_within_limit,
    splits_share_no_customer,
)
from credit_ct_dagster.checks.robust_scalers import scalers_are_finite
from credit_ct_dagster.checks.tuned_runs import model_beats_baselines
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.promotions import Promotions
from credit_ct_dagster.resources.base_date_lock import BaseDateLock
from credit_ct_dagster.resources.bentoml_store import BentoMLStore
from credit_ct_dagster.resources.dask_cluster import DaskCluster
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.resources.mlflow.tracking import MlflowTracking, parent_run
from credit_ct_dagster.resources.study_storage import StudyStorage
from credit_ct_dagster.runs.terminal_log import terminal_logger
from credit_ct_dagster.settings import get_settings

settings = get_settings()
artifacts = ArtifactsIOManager(base_path=settings.artifacts_path, model_name=settings.model_name)
tracking = MlflowTracking(
    tracking_uri=dg.EnvVar("MLFLOW_TRACKING_URI"),
    model_name=settings.model_name,
    ui_url=settings.mlflow_ui_url,
)
packages = BentoMLStore(home=str(settings.bentoml_home.absolute()), model_name=settings.model_name)

CHECKS = [
    window_has_enough_rows,
    rows_have_not_expired,
    quarantine_is_within_limit,
    labels_hold_three_classes,
    splits_share_no_customer,
    scalers_are_finite,
    model_beats_baselines,
    drift_is_small,
]

defs = dg.Definitions(
    assets=[
        credit_score,
        credit_score_features,
        features_target,
        preprocessing,
        tuned_runs,
        bentoml_model,
        champion_model,
        model_card,
    ],
    asset_checks=CHECKS,
    jobs=[continuous_training_job],
    schedules=[daily_training_schedule],
    sensors=[
        log_alerts_sensor,
        mail_alerts_sensor,
        webhook_alerts_sensor,
        abandoned_runs_sensor,
        new_data_sensor,
        late_data_sensor,
    ],
    executor=executor,
    loggers={"console": dg.colored_console_logger, "terminal": terminal_logger},
    resources={
        "base_date_lock": BaseDateLock(url=dg.EnvVar("FEATURE_STORE_URL")),
        "feature_store": FeatureStore(
            url=dg.EnvVar("FEATURE_STORE_URL"), retention_days=settings.retention_days
        ),
        "artifacts": artifacts,
        "tracking": tracking,
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
        "bentoml_store": packages,
        "promotions": Promotions(
            tracking=tracking,
            packages=packages,
            artifacts=artifacts,
            lock_url=dg.EnvVar("FEATURE_STORE_URL"),
        ),
        "webhook": Webhook(
            url=dg.EnvVar("ALERT_WEBHOOK_URL") if settings.alert_webhook_url else None
        ),
        "mail": Mail(
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

"""Everything the platform talks to, built once from the settings.

Definitions, commands, Dask workers and tests build their resources here and nowhere else.
"""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import dagster as dg

from credit_ct_dagster.first_base_date import first_base_date
from credit_ct_dagster.partitions import Calendar
from credit_ct_dagster.settings import Settings, unusable

if TYPE_CHECKING:
    from credit_ct_dagster.alerting.channels import Mail, Webhook
    from credit_ct_dagster.decisions.promotions import Promotions
    from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
    from credit_ct_dagster.resources.arrival import ArrivalRules
    from credit_ct_dagster.resources.base_date_lock import BaseDateLock
    from credit_ct_dagster.resources.bentoml_store import BentoMLStore
    from credit_ct_dagster.resources.dagster_ui import DagsterUI
    from credit_ct_dagster.resources.dask_cluster import DaskCluster
    from credit_ct_dagster.resources.feature_store.store import FeatureStore
    from credit_ct_dagster.resources.mlflow.tracking import MlflowTracking
    from credit_ct_dagster.resources.model_policy import ModelPolicy
    from credit_ct_dagster.resources.package_validation import PackageValidation
    from credit_ct_dagster.resources.pruning import PruningRules
    from credit_ct_dagster.resources.service_address import ServiceAddress
    from credit_ct_dagster.resources.study_storage import StudyStorage
    from credit_ct_dagster.resources.trained_model import TrainedModel
    from credit_ct_dagster.serving.log.prediction_log import PredictionLog

# Modules are imported where a resource is built: a command pays only for those that it uses.


class Wiring:
    """The resources of one environment, each built when it is first asked for."""

    def __init__(self, settings: Settings, secret: Callable[[str], str] | None = None) -> None:
        """Wire nothing yet.

        Args:
            settings: What the resources are built from.
            secret: Gives the value of a variable that may hold a secret. `dg.EnvVar` lets Dagster
                look it up when a run starts, so that it never shows in the UI.
                [default: the value itself]
        """
        self.settings = settings
        self._secret = secret or settings.exported().__getitem__

    def resources(self) -> dict[str, Any]:
        """Every resource, by the name that assets, checks, sensors and schedules know it by.

        A run configuration cannot change them.
        """
        from credit_ct_dagster.runs.fixed_config import fixed_by_environment

        resources = {
            "artifacts": self.artifacts,
            "arrival": self.arrival,
            "base_date_lock": self.base_date_lock,
            "bentoml_store": self.bentoml_store,
            "calendar": self.scheduled_calendar,
            "dagster_ui": self.dagster_ui,
            "dask": self.dask,
            "feature_store": self.feature_store,
            "mail": self.mail,
            "mlflow": self.parent_run,
            "policy": self.policy,
            "promotions": self.promotions,
            "pruning_rules": self.pruning_rules,
            "service_address": self.service_address,
            "study_storage": self.study_storage,
            "tracking": self.tracking,
            "trained_model": self.trained_model,
            "webhook": self.webhook,
            # Dagster's own default writes pickles to a folder that a run may name.
            "io_manager": self.artifacts,
        }
        return fixed_by_environment(resources)

    @cached_property
    def calendar(self) -> Calendar:
        """Which days are base dates (PARTITIONS_START)."""
        return Calendar(first=first_base_date(self.settings))

    @cached_property
    def scheduled_calendar(self) -> Calendar:
        """The same, and when base dates are due (RUN_CONFIG)."""
        from credit_ct_dagster.runs.default_config import DefaultConfig

        due = DefaultConfig.read(self.settings.run_config).hours.due
        return Calendar(first=self.calendar.first, **due)

    @cached_property
    def feature_store(self) -> "FeatureStore":
        """The feature store (FEATURE_STORE_URL)."""
        from credit_ct_dagster.resources.feature_store.store import FeatureStore

        return FeatureStore(
            url=self._secret("FEATURE_STORE_URL"),
            retention_days=self.settings.retention_days,
            calendar=self.calendar,
        )

    @cached_property
    def base_date_lock(self) -> "BaseDateLock":
        """One run at a time works on a base date."""
        from credit_ct_dagster.resources.base_date_lock import BaseDateLock

        return BaseDateLock(
            url=self._secret("FEATURE_STORE_URL"), model_name=self.settings.model_name
        )

    @cached_property
    def artifacts(self) -> "ArtifactsIOManager":
        """The artifacts (ARTIFACTS_PATH)."""
        from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager

        return ArtifactsIOManager(
            base_path=self.settings.artifacts_path, model_name=self.settings.model_name
        )

    @cached_property
    def tracking(self) -> "MlflowTracking":
        """MLflow (MLFLOW_TRACKING_URI)."""
        from credit_ct_dagster.resources.mlflow.tracking import MlflowTracking

        return MlflowTracking(
            tracking_uri=self._secret("MLFLOW_TRACKING_URI"),
            model_name=self.settings.model_name,
            ui_url=self.settings.mlflow_ui_url,
        )

    @cached_property
    def parent_run(self) -> dg.ResourceDefinition:
        """The MLflow run of each Dagster run, by dagster-mlflow."""
        from credit_ct_dagster.resources.mlflow.parent_run import parent_run

        uri: dict[str, str] | str = self._secret("MLFLOW_TRACKING_URI")
        if isinstance(uri, dg.EnvVar):
            uri = {"env": uri.env_var_name}
        place = {"experiment_name": self.settings.model_name, "mlflow_tracking_uri": uri}
        return parent_run.configured({**place, "env": {}, "extra_tags": {}})

    @cached_property
    def study_storage(self) -> "StudyStorage":
        """Optuna's studies (OPTUNA_STORAGE_URL)."""
        from credit_ct_dagster.resources.study_storage import StudyStorage

        return StudyStorage(url=self._secret("OPTUNA_STORAGE_URL"))

    @cached_property
    def dask(self) -> "DaskCluster":
        """Where Dask workers are (DASK_SCHEDULER_ADDRESS)."""
        from credit_ct_dagster.resources.dask_cluster import DaskCluster

        return DaskCluster(scheduler=self.settings.dask_scheduler_address)

    @cached_property
    def bentoml_store(self) -> "BentoMLStore":
        """The packages (BENTOML_HOME)."""
        from credit_ct_dagster.resources.bentoml_store import BentoMLStore

        return BentoMLStore(
            home=str(self.settings.bentoml_home.absolute()), model_name=self.settings.model_name
        )

    @cached_property
    def promotions(self) -> "Promotions":
        """The champion and the decisions."""
        from credit_ct_dagster.decisions.promotions import Promotions

        return Promotions(
            tracking=self.tracking,
            packages=self.bentoml_store,
            artifacts=self.artifacts,
            validation=self.package_validation,
            lock_url=self._secret("FEATURE_STORE_URL"),
        )

    @cached_property
    def policy(self) -> "ModelPolicy":
        """What the bank declares once about every model (UTILITY, EXCLUDED_FEATURES)."""
        from pydantic import ValidationError

        from credit_ct_dagster.resources.model_policy import ModelPolicy

        # What is not set is that of the schema.
        given = self.settings.model_dump(include=set(ModelPolicy.model_fields), exclude_none=True)
        try:
            return ModelPolicy(**given)
        except ValidationError as error:
            raise unusable(error) from None

    @cached_property
    def package_validation(self) -> "PackageValidation":
        """How a package is validated before it becomes the champion (PACKAGE_VALIDATION)."""
        from credit_ct_dagster.resources.package_validation import PackageValidation

        return PackageValidation(start_server=self.settings.package_validation == "server")

    @cached_property
    def serving_store(self) -> "FeatureStore":
        """The feature store, for the user of the service (SERVING_DATABASE_URL)."""
        from credit_ct_dagster.resources.feature_store.store import FeatureStore

        own = self.settings.serving_database_url
        if own is None:
            return self.feature_store
        return FeatureStore(url=own.get_secret_value(), calendar=self.calendar)

    @cached_property
    def prediction_log(self) -> "PredictionLog":
        """The log of predictions (SERVING_DATABASE_URL, SERVING_STATE_PATH)."""
        from credit_ct_dagster.serving.log.prediction_log import PredictionLog

        own = self.settings.serving_database_url
        return PredictionLog(
            (own or self.settings.feature_store_url).get_secret_value(),
            self.settings.serving_state_path.absolute() / "spool",
            variable="SERVING_DATABASE_URL" if own else "FEATURE_STORE_URL",
        )

    @cached_property
    def trained_model(self) -> "TrainedModel":
        """The model whose runs these are (MODEL_NAME)."""
        from credit_ct_dagster.resources.trained_model import TrainedModel

        return TrainedModel(name=self.settings.model_name)

    @cached_property
    def arrival(self) -> "ArrivalRules":
        """When data that arrive, or change, start a run."""
        from credit_ct_dagster.resources.arrival import ArrivalRules

        return ArrivalRules(
            stable_minutes=self.settings.new_data_stable_minutes,
            late_days=self.settings.late_data_days,
        )

    @cached_property
    def pruning_rules(self) -> "PruningRules":
        """How long base dates and predictions are retained (PRUNE_, PREDICTIONS_KEEP_DAYS)."""
        from credit_ct_dagster.resources.pruning import PruningRules

        path = self.settings.run_config
        return PruningRules(
            keep_days=self.settings.prune_keep_days,
            predictions_keep_days=self.settings.predictions_keep_days,
            run_config=str(path) if path else None,
        )

    @cached_property
    def dagster_ui(self) -> "DagsterUI":
        """Where people open Dagster (WEBSERVER_URL)."""
        from credit_ct_dagster.resources.dagster_ui import DagsterUI

        return DagsterUI(url=self.settings.webserver_url, model_name=self.settings.model_name)

    @cached_property
    def service_address(self) -> "ServiceAddress":
        """Where the HTTP service is asked how it is (SERVICE_URL, SERVING_API_KEYS)."""
        from credit_ct_dagster.resources.service_address import ServiceAddress

        keys, file = self.settings.serving_api_keys, self.settings.serving_api_keys_file
        return ServiceAddress(
            url=self.settings.service_url,
            is_expected="service_url" in self.settings.model_fields_set,
            api_keys=self._secret("SERVING_API_KEYS") if keys else None,
            api_keys_file=str(file) if file else None,
        )

    @cached_property
    def webhook(self) -> "Webhook":
        """Where alerts are posted (ALERT_WEBHOOK_URL)."""
        from credit_ct_dagster.alerting.channels import Webhook

        configured = self.settings.alert_webhook_url is not None
        return Webhook(url=self._secret("ALERT_WEBHOOK_URL") if configured else None)

    @cached_property
    def mail(self) -> "Mail":
        """Where alerts are mailed (SMTP_HOST, MAIL_TO)."""
        from credit_ct_dagster.alerting.channels import Mail

        configured = self.settings.smtp_password is not None
        return Mail(
            smtp_host=self.settings.smtp_host,
            smtp_port=self.settings.smtp_port,
            smtp_starttls=self.settings.smtp_starttls,
            smtp_user=self.settings.smtp_user,
            smtp_password=self._secret("SMTP_PASSWORD") if configured else None,
            mail_from=self.settings.mail_from,
            mail_to=self.settings.mail_to,
        )

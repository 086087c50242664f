"""What the platform talks to, as the environment describes it, outside a Dagster run.

Commands and Dask workers use these; `definitions.py` gives Dagster the names of the variables that
hold secrets instead.
"""

from typing import TYPE_CHECKING

import dagster as dg

from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.resources.bentoml_store import BentoMLStore
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.settings import get_settings

if TYPE_CHECKING:  # MLflow takes seconds to import, which `credit-ct status` does not need
    from credit_ct_dagster.promotions import Promotions
    from credit_ct_dagster.resources.mlflow.tracking import MlflowTracking
    from credit_ct_dagster.resources.study_storage import StudyStorage


def feature_store() -> FeatureStore:
    """The feature store of FEATURE_STORE_URL."""
    settings = get_settings()
    return FeatureStore(
        url=settings.feature_store_url.get_secret_value(), retention_days=settings.retention_days
    )


def artifacts() -> ArtifactsIOManager:
    """The artifacts below ARTIFACTS_PATH."""
    settings = get_settings()
    return ArtifactsIOManager(base_path=settings.artifacts_path, model_name=settings.model_name)


def bentoml_store() -> BentoMLStore:
    """The packages in BENTOML_HOME."""
    settings = get_settings()
    return BentoMLStore(home=str(settings.bentoml_home.absolute()), model_name=settings.model_name)


def tracking() -> "MlflowTracking":
    """MLflow at MLFLOW_TRACKING_URI."""
    from credit_ct_dagster.resources.mlflow.tracking import MlflowTracking

    settings = get_settings()
    return MlflowTracking(
        # As exported: without user and password, which MLflow is given another way.
        tracking_uri=dg.EnvVar("MLFLOW_TRACKING_URI").get_value() or "",
        model_name=settings.model_name,
        ui_url=settings.mlflow_ui_url,
    )


def study_storage() -> "StudyStorage":
    """Optuna's studies in OPTUNA_STORAGE_URL."""
    from credit_ct_dagster.resources.study_storage import StudyStorage

    return StudyStorage(url=get_settings().optuna_storage_url.get_secret_value())


def promotions() -> "Promotions":
    """The champion and the decisions."""
    from credit_ct_dagster.promotions import Promotions

    return Promotions(
        tracking=tracking(),
        packages=bentoml_store(),
        artifacts=artifacts(),
        lock_url=get_settings().feature_store_url.get_secret_value(),
    )

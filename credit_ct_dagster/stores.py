"""What the platform talks to, as the environment describes it, outside a Dagster run.

Commands and Dask workers use these; `definitions.py` gives Dagster the names of the variables that
hold secrets instead.
"""

from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.resources.bentoml_store import BentoMLStore
from credit_ct_dagster.resources.feature_store import FeatureStore
from credit_ct_dagster.settings import get_settings


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

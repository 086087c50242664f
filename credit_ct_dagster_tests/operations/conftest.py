"""What the tests of pruning start with."""

import dagster as dg
import pytest
from catboost import CatBoostClassifier

from credit_ct_dagster_tests.operations.world import OnObjects, World
from credit_ct_dagster_tests.platform import Platform
from credit_ct_dagster_tests.resources.packages import any_model


@pytest.fixture(scope="session")
def fitted() -> CatBoostClassifier:
    """Any fitted model."""
    return any_model()


@pytest.fixture
def world(
    request: pytest.FixtureRequest,
    platform: Platform,
    instance: dg.DagsterInstance,
    fitted: CatBoostClassifier,
) -> World:
    """A platform on which nothing was trained yet."""
    if getattr(request, "param", "disk") == "objects":
        platform = OnObjects(
            platform.folder, platform.url, platform.model_name, platform.studies_url
        )
    return World(platform, instance, fitted)

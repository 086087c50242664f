"""What the tests of the feature store share."""

import pytest

from credit_ct_dagster.resources.feature_store.store import FeatureStore


@pytest.fixture
def store(store_url: str) -> FeatureStore:
    """An empty feature store, on SQLite and on MariaDB."""
    return FeatureStore(url=store_url)

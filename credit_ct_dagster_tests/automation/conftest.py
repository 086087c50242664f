"""A feature store with labels, and an empty place for artifacts."""

from datetime import date
from pathlib import Path

import pytest

from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.loading.sample_data import generate
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster_tests.automation.base_dates import NEWEST


@pytest.fixture
def store(store_url: str) -> FeatureStore:
    """1,000 labels up to the newest base date, on each kind of database."""
    made = FeatureStore(url=store_url)
    labels, features = generate(1_000, date.fromisoformat(NEWEST), seed=0)
    made.upsert({"credit_score": labels, "credit_score_features": features})
    return made


@pytest.fixture
def artifacts(tmp_path: Path) -> ArtifactsIOManager:
    """Where the splits of base dates would be."""
    return ArtifactsIOManager(base_path=str(tmp_path / "artifacts"), model_name="m")

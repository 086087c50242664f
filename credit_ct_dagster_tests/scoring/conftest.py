"""A small model, and a feature store with customers of one base date."""

from collections.abc import Callable
from datetime import date

import pandas as pd
import pytest

from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.loading.sample_data import generate
from credit_ct_dagster.resources.feature_store.rows_to_score import Customers
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.scoring.scoring import PinnedModel, ScoringRequest
from credit_ct_dagster_tests.scoring.customers import DAY, MODEL, ROWS
from credit_ct_dagster_tests.serving.http.small_service import small_model

Request = Callable[..., ScoringRequest]


@pytest.fixture(scope="session")
def model() -> PinnedModel:
    """A champion."""
    scorer, record = small_model()
    identity = ModelIdentity(
        base_dt="2025-03-01",
        mlflow_run_id="mlflow",
        dagster_run_id="dagster",
        data_fingerprint="f",
        bentoml_tag="m:tag",
        registered_version="3",
    )
    return PinnedModel(identity, scorer, record.limits)


@pytest.fixture(scope="session")
def customers() -> pd.DataFrame:
    """Feature rows dated on one day."""
    _, features = generate(ROWS, date.fromisoformat(DAY), seed=3)
    return features.assign(date=DAY)


@pytest.fixture
def store(store_url: str, customers: pd.DataFrame) -> FeatureStore:
    """A feature store with these customers, on SQLite and on MariaDB."""
    made = FeatureStore(url=store_url)
    made.upsert({"credit_score_features": customers})
    return made


@pytest.fixture
def request_of() -> Request:
    """What to score, unless told otherwise."""

    def make(**options: object) -> ScoringRequest:
        defaults: dict[str, object] = {
            "model_name": MODEL,
            "base_dt": DAY,
            "customers": Customers.of_base_date,
            "reasons": True,
            "chunk_rows": 100,
            "max_quarantined_share": 0.02,
            "dagster_run_id": "run",
        }
        return ScoringRequest(**(defaults | options))  # type: ignore[arg-type]

    return make

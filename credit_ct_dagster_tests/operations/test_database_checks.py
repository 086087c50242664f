"""Checks of the feature store's database; `test_doctor` has them on servers with few rights."""

from datetime import date
from pathlib import Path

import pytest

from credit_ct_dagster.errors.stores import MissingTableError
from credit_ct_dagster.loading.sample_data import generate
from credit_ct_dagster.operations import database_checks
from credit_ct_dagster.resources.feature_store.store import FeatureStore


def test_a_server_is_named_with_its_version(store_url: str) -> None:
    """By its product, whatever the driver is called."""
    version = database_checks.server_version(FeatureStore(url=store_url))
    assert version.startswith("SQLite 3." if store_url.startswith("sqlite") else "MariaDB 1")


def test_the_sql_mode_is_named(store_url: str) -> None:
    """Or that there is none."""
    mode = database_checks.require_strict_mode(FeatureStore(url=store_url))
    sqlite = store_url.startswith("sqlite")
    assert mode == ("SQLite has no SQL mode" if sqlite else "STRICT_TRANS_TABLES")


def test_missing_source_tables_are_named(tmp_path: Path) -> None:
    """Before and after they are loaded."""
    store = FeatureStore(url=f"sqlite:///{tmp_path}/x.db")
    with pytest.raises(MissingTableError, match="no table credit_score and no table credit_score_"):
        database_checks.require_source_tables(store)
    labels, features = generate(100, date(2025, 3, 10), seed=0)
    store.upsert({"credit_score": labels, "credit_score_features": features})
    database_checks.require_source_tables(store)


def test_rights_on_a_table_that_is_still_to_be_created_are_not_tried(store_url: str) -> None:
    """The first merge creates it; until then only the source tables can be tried."""
    store = FeatureStore(url=store_url)
    labels, features = generate(100, date(2025, 3, 10), seed=0)
    store.upsert({"credit_score": labels, "credit_score_features": features})
    with store.database.transaction(writes=True) as connection:
        connection.exec_driver_sql("DROP TABLE credit_score_features_target")
    sources = ["SELECT on credit_score", "SELECT on credit_score_features"]
    assert database_checks.require_rights(store) == sources
    store.merge("2025-03-09")
    target = "credit_score_features_target"
    tried = [f"{right} on {target}" for right in ("SELECT", "INSERT", "DELETE")]
    assert database_checks.require_rights(store) == sources + tried
    assert store.row_counts()["2025-03-09"] > 0

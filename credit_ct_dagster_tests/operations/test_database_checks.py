"""Checks of the feature store's database; `test_doctor` has them on servers with few rights."""

import re
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa

from credit_ct_dagster.errors.stores import MissingColumnError, MissingTableError
from credit_ct_dagster.loading.sample_data import generate
from credit_ct_dagster.operations import database_checks
from credit_ct_dagster.resources.feature_store.scores import scores_table
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.serving.log.table import LogTable, predictions_table
from credit_ct_dagster_tests.resources.feature_store.scored import write_scores
from credit_ct_dagster_tests.serving.log.predictions import prediction


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


_OF_ANSWERS = [predictions_table(), scores_table()]


def test_tables_of_answers_need_not_exist(store_url: str) -> None:
    """Whoever writes the first row creates them."""
    found = database_checks.require_answer_tables(FeatureStore(url=store_url))
    assert found == (
        "credit_predictions does not exist yet; credit_customer_scores does not exist yet"
    )


@pytest.mark.parametrize("table", _OF_ANSWERS, ids=lambda table: table.name)
def test_a_table_of_an_earlier_release_is_named_with_the_statement_that_corrects_it(
    store_url: str, table: sa.Table
) -> None:
    """Every column that is no key can be added to a table with rows."""
    store = FeatureStore(url=store_url)
    _write_answers(store)
    lacking = [column.name for column in table.columns if not column.primary_key]
    unique = {"request_id", "time", "customer_id"}  # an index needs them
    for name in sorted({*lacking} - unique):
        _execute(store, f"ALTER TABLE {table.name} DROP COLUMN {name}")
    with pytest.raises(MissingColumnError, match=f"Table {table.name} of .* lacks") as raised:
        database_checks.require_answer_tables(store)
    statements = re.search(r"\((ALTER TABLE .*)\), then", raised.value.sentence)
    assert statements is not None
    _execute(store, *statements[1].split("; "))
    assert database_checks.require_answer_tables(store) == (
        "credit_predictions has all columns; credit_customer_scores has all columns"
    )
    _write_answers(store)


def test_a_table_without_a_part_of_its_key_is_created_anew(store_url: str) -> None:
    """Such as that of a release that knew one model only; the statement renames the old one."""
    store = FeatureStore(url=store_url)
    _execute(store, "CREATE TABLE credit_customer_scores (base_dt VARCHAR(10) PRIMARY KEY)")
    with pytest.raises(MissingColumnError, match=r"model_name, .*key: rename it") as raised:
        database_checks.require_answer_tables(store)
    renamed = re.search(r"\((ALTER TABLE .*)\)", raised.value.sentence)
    assert renamed is not None
    _execute(store, renamed[1])
    write_scores(store, "m", "2025-03-10")
    assert "credit_customer_scores has all columns" in database_checks.require_answer_tables(store)


def test_arrivals_are_described(store_url: str) -> None:
    """From the table that is still to be created to the delay of labels; then what it lacks."""
    store = FeatureStore(url=store_url)
    assert "does not exist yet" in database_checks.require_arrivals(store)
    store.create_missing_tables()
    store.arrivals.record()
    assert "is still being recorded" in database_checks.require_arrivals(store)
    labels, _ = generate(100, date(2025, 3, 10), seed=0)
    for rows in (labels[:50], labels[50:]):
        store.upsert({"credit_score": rows})
        store.arrivals.record()
    assert re.search(r"of \d+ labels that arrived", database_checks.require_arrivals(store))
    _execute(store, "DROP TABLE credit_arrivals", "CREATE TABLE credit_arrivals (id CHAR(1))")
    with pytest.raises(MissingColumnError, match=r"credit_arrivals of .* lacks"):
        database_checks.require_arrivals(store)


def _write_answers(store: FeatureStore) -> None:
    """Write a prediction and scores, which creates their tables."""
    write_scores(store, "m", "2025-03-10")
    log = LogTable(store.url, "FEATURE_STORE_URL", 5)
    log.prepare()
    log.insert([prediction(f"{uuid4()}", time=datetime.now(UTC))])
    log.close()


def _execute(store: FeatureStore, *statements: str) -> None:
    """Change tables, as a DBA does."""
    with store.database.transaction(writes=True) as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


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

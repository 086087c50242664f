"""The newest features of one customer, from tables as they are."""

from collections.abc import Callable
from datetime import date

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from credit_ct_dagster.errors.stores import (
    FeatureStoreUnavailableError,
    MissingColumnError,
    MissingTableError,
    UnsuitableTableError,
)
from credit_ct_dagster.loading.sample_data import generate
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.operations import database_checks
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.resources.feature_store.foreign_tables import (
    LATIN,
    by_pandas,
    create,
    insert,
)
from credit_ct_dagster_tests.resources.feature_store.rows import features, labels, load

_BASE_DT = "2025-03-10"
_NO_LABELS = labels()


def _age(store: FeatureStore, customer_id: str) -> tuple[str, object] | None:
    found = store.newest_features(customer_id)
    return None if found is None else (found[0], found[1]["age"])


def test_the_newest_date_is_found(store: FeatureStore) -> None:
    """Among several of this customer, of days that exist; of two ids on one day always the same."""
    load(
        store,
        _NO_LABELS,
        features(
            ("1", "A", "2025-01-31", 30.0),
            ("2", "A", "2025-03-01", 31.0),
            ("3", "A", "2025-02-01", 32.0),
            ("4", "A", "2025-03-41", 33.0),
            ("5", "B", "2025-03-09", 34.0),
            ("6", "B", "2025-03-09", 35.0),
            ("7", "C", "03/10/2025", 36.0),
        ),
    )
    assert _age(store, "A") == ("2025-03-01", 31.0)
    assert _age(store, "B") == ("2025-03-09", 35.0)
    assert _age(store, "C") is None
    assert _age(store, "D") is None
    until = store.newest_features("A", until="2025-02-28")
    assert until is not None
    assert until[0] == "2025-02-01"


def test_a_customer_with_many_impossible_dates_is_found(store: FeatureStore) -> None:
    """However many of them come before the date that exists."""
    bad = [(str(n), "A", f"2025-{n:02}-77", 1.0) for n in range(13, 83)]
    load(store, _NO_LABELS, features(*bad, ("0", "A", "2025-01-01", 2.0)))
    assert _age(store, "A") == ("2025-01-01", 2.0)


def test_customers_are_compared_to_the_last_character(mariadb: MariaDB) -> None:
    """Case and trailing blanks count, also where the server takes them for equal."""
    store = create(mariadb, key=f"VARCHAR(10) {LATIN}")
    insert(store, "credit_score_features", features(("1", "a", "2025-01-01", 1.0)))
    assert _age(store, "a") == ("2025-01-01", 1.0)
    for other in ("A", "a ", "á", "€", ""):
        assert _age(store, other) is None


@pytest.mark.parametrize(
    "types",
    [
        {},
        {"date": "DATE NOT NULL"},
        {"date": "DATETIME NOT NULL"},
        {"date": "VARCHAR(30) NOT NULL"},
        {"customer_id": f"VARCHAR(20) {LATIN} NOT NULL"},
        {"customer_id": "VARBINARY(10) NOT NULL"},
        dict.fromkeys(schema.NUMERIC, "DOUBLE"),
        dict.fromkeys(schema.NUMERIC, "DECIMAL(20,9)"),
    ],
    ids=lambda types: " ".join(next(iter(types.items()), ("own",))),
)
def test_tables_of_other_systems_give_what_a_merge_gives(
    mariadb: MariaDB, types: dict[str, str]
) -> None:
    """The same values to the last bit, for every customer with a single month."""
    store = create(mariadb, types)
    _same_as_merged(store, lambda found: load(store, *found))


def test_tables_of_pandas_give_what_a_merge_gives(store: FeatureStore) -> None:
    """Also texts of any length and moments."""
    _same_as_merged(store, lambda found: by_pandas(store, *found))
    assert "by_customer ON" in database_checks.require_suitable_tables(store)


def _same_as_merged(
    store: FeatureStore, fill: Callable[[tuple[pd.DataFrame, pd.DataFrame]], None]
) -> None:
    _, found = generate(300, date.fromisoformat(_BASE_DT), seed=0)
    days = pd.to_datetime(found["date"], errors="coerce").notna()
    found = found[days].drop_duplicates("customer_id").assign(occupation=" Teacher\r")
    fill((found[schema.KEY].assign(date="2025-03-01", credit_score="Poor"), found))
    store.merge(_BASE_DT)
    rows = store.read(_BASE_DT).set_index(schema.CUSTOMER)[schema.FEATURES]
    assert len(rows) > 20
    for customer, expected in rows.astype(object).where(rows.notna(), None).iterrows():
        found = store.newest_features(str(customer))
        assert found is not None
        assert found[1] == dict(expected)
        assert {type(found[1][name]) for name in schema.NUMERIC} <= {float, type(None)}


@pytest.mark.parametrize("type_", ["BIGINT NOT NULL", "DECIMAL(12) NOT NULL"])
def test_customers_that_are_numbers_are_found(mariadb: MariaDB, type_: str) -> None:
    """By their digits only: what MySQL would take for the same number is another customer."""
    store = create(mariadb, {"customer_id": type_})
    insert(store, "credit_score_features", features(("1", "12", "2025-01-01", 1.0)))
    assert _age(store, "12") == ("2025-01-01", 1.0)
    for other in ("12abc", "012", "12.0", "1e1", "٣", "-", ""):
        assert _age(store, other) is None


def test_neither_name_nor_ssn_is_read(store: FeatureStore) -> None:
    """Whatever they hold."""
    named = features(("1", "A", "2025-01-01", 1.0)).assign(name="Ada", ssn="078-05-1120")
    load(store, _NO_LABELS, named)
    asked: list[str] = []
    sa.event.listen(
        store.customers._engine, "before_cursor_execute", lambda *event: asked.append(event[2])
    )
    found = store.newest_features("A")
    assert found is not None
    assert list(found[1]) == schema.FEATURES
    assert [sql for sql in asked if "feature.ssn" in sql or "feature.name" in sql] == []


def test_a_table_that_cannot_be_used_is_named(store: FeatureStore) -> None:
    """Without the table, without a column, with a text in a number; no value is repeated."""
    with pytest.raises(MissingTableError, match="credit_score_features"):
        store.newest_features("A")
    load(store, _NO_LABELS, features(("1", "A", "2025-01-01", 1.0)))
    with store.database.transaction(writes=True) as connection:
        connection.exec_driver_sql("ALTER TABLE credit_score_features DROP COLUMN age")
    with pytest.raises(MissingColumnError, match="column age"):
        store.newest_features("A")
    with store.database.transaction(writes=True) as connection:
        connection.exec_driver_sql("ALTER TABLE credit_score_features ADD COLUMN age VARCHAR(20)")
        connection.exec_driver_sql("UPDATE credit_score_features SET age = 'secret'")
    with pytest.raises(UnsuitableTableError, match="age") as refused:
        store.newest_features("A")
    assert "secret" not in str(refused.value)


def test_a_column_that_is_lost_while_the_service_runs_is_named(store: FeatureStore) -> None:
    """And found again when it is back, without a restart."""
    load(store, _NO_LABELS, features(("1", "A", "2025-01-01", 1.0)))
    assert _age(store, "A") == ("2025-01-01", 1.0)
    with store.database.transaction(writes=True) as connection:
        connection.exec_driver_sql("ALTER TABLE credit_score_features DROP COLUMN age")
    for _ in range(2):
        with pytest.raises(MissingColumnError):
            store.newest_features("A")
    with store.database.transaction(writes=True) as connection:
        connection.exec_driver_sql("ALTER TABLE credit_score_features ADD COLUMN age FLOAT")
    assert _age(store, "A") == ("2025-01-01", None)


def test_a_database_that_is_away_is_reported() -> None:
    """With the sentence that every other use of it gives."""
    store = FeatureStore(url="mysql+pymysql://nobody@127.0.0.1:1/mlops")
    with pytest.raises(FeatureStoreUnavailableError, match="does not answer"):
        store.newest_features("A")


def test_the_index_serves_the_lookup(store: FeatureStore) -> None:
    """The platform's own table has it; the doctor names the statement where it is missing."""
    many = features(*((str(n), f"C{n % 500}", "2025-01-01", float(n)) for n in range(3_000)))
    load(store, _NO_LABELS, many)
    assert "CREATE INDEX" not in database_checks.require_suitable_tables(store)
    store.newest_features("C1")
    query = store.customers._query
    assert query is not None
    sql = str(query.newest.bindparams(customer="C1", customer_text="C1", rows=1))
    values = {"customer": "C1", "customer_text": "C1", "rows": 1}
    sqlite = store.url.startswith("sqlite")
    with store.database.transaction() as connection:
        explain = "EXPLAIN QUERY PLAN" if sqlite else "EXPLAIN"
        plan = str(connection.execute(sa.text(f"{explain} {sql}"), values).all())
    assert "credit_score_features_by_customer" in plan

    with store.database.transaction(writes=True) as connection:
        of_table = "" if sqlite else " ON credit_score_features"
        connection.exec_driver_sql(f"DROP INDEX credit_score_features_by_customer{of_table}")
    statement = (
        "CREATE INDEX credit_score_features_by_customer ON credit_score_features"
        " (customer_id, date)"
    )
    assert statement in database_checks.require_suitable_tables(store)
    with store.database.transaction(writes=True) as connection:
        connection.exec_driver_sql(statement)
    assert "CREATE INDEX" not in database_checks.require_suitable_tables(store)


def test_numbers_beyond_single_precision_stay_as_they_are(mariadb: MariaDB) -> None:
    """The contract of the service refuses them; a lookup does not fail."""
    store = create(mariadb, {"age": "DOUBLE"})
    insert(store, "credit_score_features", features(("1", "A", "2025-01-01", 1e300)))
    assert _age(store, "A") == ("2025-01-01", 1e300)
    insert(store, "credit_score_features", features(("1", "A", "2025-01-02", 0.1)))
    assert _age(store, "A") == ("2025-01-02", float(np.float32(0.1)))

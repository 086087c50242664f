"""Source tables with the types that other systems give them: normalised, or refused by name."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from credit_ct_dagster.errors.stores import UnsuitableTableError
from credit_ct_dagster.loading.sample_data import generate
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.rows.splitting import data_fingerprint
from credit_ct_dagster.operations import database_checks
from credit_ct_dagster.partitions import LabelWindow
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.resources.feature_store.foreign_tables import (
    by_pandas,
    create,
    insert,
)
from credit_ct_dagster_tests.resources.feature_store.rows import features, labels, load

_BASE_DT = "2025-03-10"
_NUMBERS = dict.fromkeys(schema.NUMERIC[::2], "DECIMAL(12,2)") | dict.fromkeys(
    schema.NUMERIC[1::2], "INT"
)


def _whole_numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """Ids and numbers that fit into any numeric type."""
    numbers = frame.columns.intersection(schema.NUMERIC)
    return frame.assign(
        id=frame["id"].rank(method="dense").astype(int).astype(str),
        **{name: frame[name].round() for name in numbers},
    )


def _sample() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Labels and features on days that exist, which a column of type DATE can hold."""
    found = generate(800, date(2025, 3, 10), seed=0)
    days = [pd.to_datetime(each["date"], errors="coerce").notna() for each in found]
    return found[0][days[0] & days[1]], found[1][days[0] & days[1]]


def _facts(store: FeatureStore) -> tuple:
    return (
        store.newest_label_date(until="2025-12-31"),
        store.newest_label_date(until="2025-03-08"),
        store.labels_in(LabelWindow.of(_BASE_DT)),
        store.arrived("2025-03-08"),
    )


@pytest.mark.parametrize(
    "types",
    [
        {"date": "DATE NOT NULL"},
        {"date": "DATETIME NOT NULL"},
        {"date": "VARCHAR(30) NOT NULL"},
        {"id": "BIGINT NOT NULL"},
        {"id": "DECIMAL(12) NOT NULL", "date": "TIMESTAMP NOT NULL"},
        {"id": "VARBINARY(10) NOT NULL"},
        {"credit_score": "ENUM('Poor','Standard','Good')", "credit_mix": "TEXT"},
        _NUMBERS,
        dict.fromkeys(schema.NUMERIC, "DOUBLE"),
    ],
    ids=lambda types: " ".join(next(iter(types.items()))),
)
def test_types_of_other_systems_give_the_same_rows(mariadb: MariaDB, types: dict[str, str]) -> None:
    """As the platform's own tables do; and rows that did not change are the same rows."""
    found_labels, found_features = map(_whole_numbers, _sample())
    expected = FeatureStore(url=mariadb.new_database())
    load(expected, found_labels, found_features)
    store = create(mariadb, types)
    load(store, found_labels, found_features)

    merged = store.merge(_BASE_DT)
    assert merged.rows_inserted > 50
    assert merged == expected.merge(_BASE_DT)
    rows = store.read(_BASE_DT)
    pd.testing.assert_frame_equal(rows, expected.read(_BASE_DT))
    assert data_fingerprint(store.source_rows(_BASE_DT)) == data_fingerprint(rows)
    assert _facts(store) == _facts(expected)
    assert "suitable" in database_checks.require_suitable_tables(store)


@pytest.mark.parametrize("moments", [False, True], ids=["text", "datetime"])
def test_tables_that_pandas_made_give_the_same_rows(store: FeatureStore, moments: bool) -> None:
    """`to_sql`: TEXT, DOUBLE, DATETIME, no keys, and columns without any value."""
    found_labels, found_features = _sample()
    found_features = found_features.assign(occupation=np.nan, credit_mix=None)
    expected = FeatureStore(url=_another(store))
    load(expected, found_labels, found_features)
    made = [
        each.assign(date=pd.to_datetime(each["date"])) if moments else each
        for each in (found_labels, found_features)
    ]
    by_pandas(store, *made)

    merged = store.merge(_BASE_DT)
    assert merged.rows_inserted > 50
    assert merged == expected.merge(_BASE_DT)
    rows = store.read(_BASE_DT)
    pd.testing.assert_frame_equal(rows, expected.read(_BASE_DT))
    assert data_fingerprint(store.source_rows(_BASE_DT)) == data_fingerprint(rows)
    assert _facts(store) == _facts(expected)


def _another(store: FeatureStore) -> str:
    """An empty database next to that of a store."""
    url = sa.make_url(store.url)
    if url.get_backend_name() == "sqlite":
        return f"{store.url}.expected"
    name = f"{url.database}_expected"
    with store.database.engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    return url.set(database=name).render_as_string(hide_password=False)


def test_a_time_in_some_dates_loses_no_label(store: FeatureStore) -> None:
    """Also on both ends of the window; the date of a training row is the day."""
    times = {"1": "2025-02-10 00:00:00", "2": "2025-03-01T10:30:00", "3": "2025-03-10 23:59:59"}
    moved = labels(
        *((n, "c", day, "Poor") for n, day in times.items()), ("4", "c", _BASE_DT, "Good")
    )
    rows = features(*((str(n), "c", "2025-02-10", 30.0) for n in range(1, 5)))
    by_pandas(store, moved, rows)
    merged = store.merge(_BASE_DT)
    assert (merged.labels, merged.rows_inserted, merged.invalid_dates) == (4, 4, {})
    assert store.read(_BASE_DT)["date"].tolist() == [
        "2025-02-10", "2025-03-01", "2025-03-10", "2025-03-10",
    ]  # fmt: skip
    assert store.newest_label_date(until=_BASE_DT) == _BASE_DT
    assert store.arrived(_BASE_DT) == (2, 0)
    assert store.source_rows(_BASE_DT).equals(store.read(_BASE_DT))


@pytest.mark.parametrize(
    ("types", "named"),
    [
        ({"id": "DOUBLE NOT NULL"}, r"credit_score .*column id of type double.*VARCHAR\(10\)"),
        ({"id": "DECIMAL(8,2) NOT NULL"}, r"column id of type decimal\(8,2\)"),
        ({"date": "INT NOT NULL"}, r"column date of type int.*MODIFY COLUMN date VARCHAR"),
        ({"age": "VARCHAR(10)"}, r"credit_score_features .*age of type varchar.*`age` DOUBLE NULL"),
        ({"credit_mix": "DATE"}, r"credit_mix of type date, but a text"),
    ],
)
def test_types_that_cannot_hold_what_is_expected_are_refused(
    mariadb: MariaDB, types: dict[str, str], named: str
) -> None:
    """By table, column and ALTER; merging, reading and the doctor alike."""
    store = create(mariadb, types)
    for use in (
        lambda: store.merge(_BASE_DT),
        lambda: store.source_rows(_BASE_DT),
        lambda: database_checks.require_suitable_tables(store),
    ):
        with pytest.raises(UnsuitableTableError, match=named):
            use()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("DROP PRIMARY KEY", r"no unique key \(base_dt, id, customer_id\): ALTER TABLE"),
        ("ADD UNIQUE KEY k (id)", r"the unique key \(id\).*DROP INDEX k"),
        ("ADD COLUMN made_by INT NOT NULL", r"value for the column made_by.*`made_by` int.* NULL"),
        ("MODIFY age INT", r"age of type int.*`age` FLOAT NULL"),
        ("MODIFY base_dt DATE NOT NULL", r"base_dt of type date.*VARCHAR\(10\) NOT NULL"),
        ("MODIFY age FLOAT NOT NULL", r"column age, which may be missing"),
    ],
)
def test_a_table_of_training_rows_that_does_not_fit_is_refused(
    mariadb: MariaDB, change: str, named: str
) -> None:
    """By the merge and the doctor, before a row is deleted; the ALTER that is named corrects it."""
    store = FeatureStore(url=mariadb.new_database())
    load(store, labels(("1", "c", _BASE_DT, "Poor")), features(("1", "c", _BASE_DT, 30.0)))
    store.merge("2025-03-11")
    target = "ALTER TABLE credit_score_features_target"
    mariadb.execute(f"{target} {change}", url=store.url)
    with pytest.raises(UnsuitableTableError, match=named):
        database_checks.require_suitable_tables(store)
    with pytest.raises(UnsuitableTableError, match=named) as refused:
        store.merge("2025-03-11")
    assert store.row_counts() == {"2025-03-11": 1}
    statement = refused.value.sentence[refused.value.sentence.index(target) :]
    mariadb.execute(statement.removesuffix(". Then try again."), url=store.url)
    assert store.merge("2025-03-11").rows_inserted == 1


def test_blank_words_are_missing(store: FeatureStore) -> None:
    """As LOAD DATA leaves them: in training rows, and when they are compared with the sources."""
    rows = features(*((str(n), "c", _BASE_DT, 30.0) for n in range(4)))
    load(
        store,
        labels(*((str(n), "c", _BASE_DT, "Poor") for n in range(4))),
        rows.assign(credit_mix=["", "  ", None, "Good"], occupation=["", "", " \t", None]),
    )
    store.merge(_BASE_DT)
    merged = store.read(_BASE_DT)
    assert merged["credit_mix"].tolist() == [None, None, None, "Good"]
    assert merged["occupation"].tolist() == [None] * 4
    assert store.source_rows(_BASE_DT).equals(merged)


def test_the_doctor_notes_what_works_but_costs(mariadb: MariaDB) -> None:
    """Collations that are compared in addition, a missing key, and dates of no window."""
    store = create(mariadb)
    mariadb.execute("ALTER TABLE credit_score DROP PRIMARY KEY", url=store.url)
    insert(
        store, "credit_score",
        labels(("1", "c", "2025/03/01", "Poor"), ("2", "c", "20250301", "Poor"),
               ("3", "c", "2025-03-01", "Poor")),
    )  # fmt: skip
    notes = database_checks.require_suitable_tables(store)
    assert "credit_score has no unique key (id, customer_id, date), which credit-ct load" in notes
    assert "credit_score_features compares keys by utf8mb4_general_ci" in notes
    assert "2 dates of credit_score are not written YYYY-MM-DD" in notes

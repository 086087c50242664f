"""A label takes the features that were known on its day, on SQLite and on MariaDB."""

import random
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from credit_ct_dagster.loading.sample_data import generate
from credit_ct_dagster.operations import database_checks
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.resources.feature_store.foreign_tables import (
    LATIN,
    by_pandas,
    create,
    insert,
)
from credit_ct_dagster_tests.resources.feature_store.histories import (
    Feature,
    Label,
    expected,
    unique,
)
from credit_ct_dagster_tests.resources.feature_store.rows import dump, features, labels, load

_BASE_DT = "2025-01-31"
_CLASSES = ["Poor", "Standard", "Good"]


def _ages(store: FeatureStore) -> list[tuple[str, float]]:
    return [*store.read(_BASE_DT)[["id", "age"]].itertuples(index=False, name=None)]


def test_a_label_takes_the_newest_features_that_were_known_on_its_day(store: FeatureStore) -> None:
    """Of 01-05 for a label of 01-10, not of 01-25; those of its own day are known."""
    load(
        store,
        labels(("1", "a", "2025-01-10", "Poor"), ("2", "b", "2025-01-10", "Good")),
        features(
            ("1", "a", "2024-12-05", 1.0),
            ("1", "a", "2025-01-05", 5.0),
            ("1", "a", "2025-01-25", 25.0),
            ("2", "b", "2025-01-10", 10.0),
            ("2", "b", "2025-01-11", 11.0),
        ),
    )
    merged = store.merge(_BASE_DT)
    assert _ages(store) == [("1", 5.0), ("2", 10.0)]
    assert (merged.labels_without_features, merged.labels_with_later_features) == (0, 0)
    assert merged.rows_superseded == 1, "the one of 2024-12-05; later ones are none to pass over"


def test_a_label_with_later_features_only_is_counted_and_not_merged(store: FeatureStore) -> None:
    """Features of 03-01 are none for base date 01-31, nor is the next day's for a label."""
    load(
        store,
        labels(
            ("1", "a", "2025-01-10", "Poor"),
            ("2", "b", "2025-01-10", "Good"),
            ("3", "c", "2025-01-10", "Good"),
            ("4", "d", "2025-01-10", "Good"),
        ),
        features(
            ("1", "a", "2025-03-01", 1.0),
            ("2", "b", "2025-01-11", 2.0),
            ("3", "other", "2025-01-01", 3.0),
            ("4", "d", "2025-01-09", 4.0),
        ),
    )
    merged = store.merge(_BASE_DT)
    assert _ages(store) == [("4", 4.0)]
    assert (merged.labels, merged.rows_inserted) == (4, 1)
    assert (merged.labels_without_features, merged.labels_with_later_features) == (1, 2)
    assert store.source_rows(_BASE_DT).equals(store.read(_BASE_DT))
    assert store.why_later_features(_BASE_DT) == (
        "The first features of 2 of these labels are dated 1 to 50 days after them (median 25.5)."
    )


def test_an_older_label_that_is_passed_over_needs_no_features(store: FeatureStore) -> None:
    """Its customer is among the training rows with the newer label, so that no one is left out."""
    load(
        store,
        labels(("1", "a", "2025-01-05", "Poor"), ("1", "a", "2025-01-10", "Good")),
        features(("1", "a", "2025-01-07", 7.0)),
    )
    merged = store.merge(_BASE_DT)
    assert _ages(store) == [("1", 7.0)]
    assert (merged.labels, merged.rows_inserted) == (2, 1)
    assert (merged.labels_without_features, merged.labels_with_later_features) == (0, 0)


def test_without_a_point_in_time_later_features_count(store: FeatureStore) -> None:
    """The newest that is not dated after the base date, or else the oldest."""
    load(
        store,
        labels(("1", "a", "2025-01-10", "Poor"), ("2", "b", "2025-01-10", "Poor")),
        features(
            ("1", "a", "2025-01-05", 5.0),
            ("1", "a", "2025-01-25", 25.0),
            ("1", "a", "2025-02-01", 32.0),
            ("2", "b", "2025-03-02", 61.0),
            ("2", "b", "2025-03-01", 60.0),
        ),
    )
    merged = store.merge(_BASE_DT, point_in_time=False)
    assert _ages(store) == [("1", 25.0), ("2", 60.0)]
    assert (merged.labels_with_later_features, merged.rows_superseded) == (0, 3)
    looking_ahead = store.source_rows(_BASE_DT, point_in_time=False)
    assert looking_ahead.equals(store.read(_BASE_DT))
    assert not looking_ahead.equals(store.source_rows(_BASE_DT))


def test_a_feature_date_that_cannot_be_read_is_not_known_to_be_earlier(
    store: FeatureStore,
) -> None:
    """Written another way, a date sorts anywhere; the doctor counts them."""
    load(
        store,
        labels(*((str(n), "c", "2025-01-10", "Poor") for n in range(4))),
        features(
            ("0", "c", "25.01.2025", 0.0),
            ("1", "c", "20250105", 1.0),
            ("2", "c", "2025/01/05", 2.0),
            ("3", "c", "2025-01-05", 3.0),
        ),
    )
    merged = store.merge(_BASE_DT)
    assert _ages(store) == [("3", 3.0)]
    assert merged.labels_with_later_features == 3
    assert store.why_later_features(_BASE_DT) == (
        "The features of 3 have no date that can be read: write it YYYY-MM-DD."
    )
    notes = database_checks.require_suitable_tables(store)
    assert "3 dates of credit_score_features are not written YYYY-MM-DD" in notes


def test_a_time_counts_as_its_day(store: FeatureStore) -> None:
    """Features of the label's evening are known to a label of its morning."""
    by_pandas(
        store,
        labels(
            ("1", "a", "2025-01-10 08:00:00", "Poor"),
            ("2", "b", "2025-01-10", "Good"),
            ("3", "c", "2025-01-10T23:59:59", "Good"),
        ),
        features(
            ("1", "a", "2025-01-10 20:00:00", 20.0),
            ("1", "a", "2025-01-10 09:00:00", 9.0),
            ("2", "b", "2025-01-10T20:00:00", 30.0),
            ("3", "c", "2025-01-11 00:00:00", 40.0),
            ("3", "c", "2025-01-09", 41.0),
        ),
    )
    store.merge(_BASE_DT)
    assert _ages(store) == [("1", 20.0), ("2", 30.0), ("3", 41.0)]
    assert store.source_rows(_BASE_DT).equals(store.read(_BASE_DT))


_DAYS = st.integers(-40, 12).map(
    lambda back: (date.fromisoformat(_BASE_DT) + timedelta(days=back)).isoformat()
)
_KEYS = st.tuples(st.sampled_from(["1", "2"]), st.sampled_from(["a", "b"]), _DAYS)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(
    st.lists(st.tuples(_KEYS, st.sampled_from(_CLASSES)), max_size=6, unique_by=lambda x: x[0]),
    st.lists(_KEYS, max_size=8, unique=True),
    st.booleans(),
)
def test_any_history_gives_the_rows_that_plain_python_gives(
    tmp_path: Path,
    label_rows: list[tuple[tuple[str, str, str], str]],
    feature_rows: list[tuple[str, str, str]],
    point_in_time: bool,
) -> None:
    """Several labels and feature rows per id, in and outside of the window, a few at a time."""
    store = FeatureStore(url=f"sqlite:///{tmp_path}/histories.db")
    store.create_missing_tables()
    with store.database.engine.begin() as connection:
        for table in ("credit_score", "credit_score_features"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
    history = (
        [(*key, each) for key, each in label_rows],
        [(*key, float(n)) for n, key in enumerate(feature_rows)],
    )
    load(store, labels(*history[0]), features(*history[1]))
    _require_expected(store, *history, point_in_time=point_in_time)


def _require_expected(
    store: FeatureStore,
    label_rows: list[Label],
    feature_rows: list[Feature],
    *,
    point_in_time: bool,
) -> None:
    should = expected(label_rows, feature_rows, _BASE_DT, point_in_time=point_in_time)
    merged = store.merge(_BASE_DT, point_in_time=point_in_time)
    rows = store.read(_BASE_DT)
    assert rows.equals(store.source_rows(_BASE_DT, point_in_time=point_in_time))
    columns = ["id", "customer_id", "date", "credit_score", "age"]
    assert sorted(rows[columns].itertuples(index=False, name=None)) == should.rows
    assert merged.rows_inserted == len(should.rows)
    assert merged.labels_without_features == should.without
    assert merged.labels_with_later_features == should.later
    assert merged.rows_superseded == should.superseded


def _histories(*, times: bool) -> tuple[list[Label], list[Feature]]:
    """Of 150 customers; with times, labels and features of one day have several."""
    draw = random.Random(3)

    def day(first: int, last: int) -> str:
        found = date.fromisoformat(_BASE_DT) + timedelta(days=draw.randint(first, last))
        return found.isoformat() + (f" {draw.randint(0, 23):02}:00:00" if times else "")

    label_rows = [
        (str(n), f"c{n}", day(-36, 3), draw.choice(_CLASSES))
        for n in range(150)
        for _ in range(draw.randint(1, 2))
    ]
    feature_rows = [
        (str(n), f"c{n}", day(-36, 9), float(draw.randint(18, 99)))
        for n in range(150)
        for _ in range(draw.randint(0, 4))
    ]
    return [*unique(label_rows)], [*unique(feature_rows)]


_TEXT = "VARCHAR(10) NOT NULL"
_LONG = "VARCHAR(30) NOT NULL"


@pytest.mark.parametrize(
    ("of_labels", "of_features"),
    [
        (_TEXT, _TEXT),
        (_LONG, _LONG),
        ("DATE NOT NULL", "DATE NOT NULL"),
        ("DATE NOT NULL", "DATETIME NOT NULL"),
        ("DATETIME NOT NULL", "DATE NOT NULL"),
        ("DATETIME NOT NULL", _LONG),
        (_TEXT, "TIMESTAMP NOT NULL"),
        ("VARCHAR(10) COLLATE utf8mb4_unicode_ci NOT NULL", f"VARCHAR(10) {LATIN} NOT NULL"),
        (f"VARCHAR(30) {LATIN} NOT NULL", "VARCHAR(10) COLLATE utf8mb4_bin NOT NULL"),
    ],
)
def test_date_columns_of_any_type_and_collation_are_compared(
    mariadb: MariaDB, of_labels: str, of_features: str
) -> None:
    """Also two collations for which the server has none to compare them by (1267)."""
    store = create(mariadb)
    types = {"credit_score": of_labels, "credit_score_features": of_features}
    for table, declared in types.items():
        mariadb.execute(f"ALTER TABLE {table} MODIFY date {declared}", url=store.url)
    times = {table: "30" in each or "TIME" in each for table, each in types.items()}
    label_rows, _ = _histories(times=times["credit_score"])
    _, feature_rows = _histories(times=times["credit_score_features"])
    insert(store, "credit_score", labels(*label_rows))
    insert(store, "credit_score_features", features(*feature_rows))
    _require_expected(store, label_rows, feature_rows, point_in_time=True)


@pytest.mark.parametrize("point_in_time", [True, False])
def test_histories_with_times_give_the_rows_that_plain_python_gives(
    store: FeatureStore, point_in_time: bool
) -> None:
    """On tables of pandas' `to_sql`, whose dates are texts of any length."""
    label_rows, feature_rows = _histories(times=True)
    by_pandas(store, labels(*label_rows), features(*feature_rows))
    _require_expected(store, label_rows, feature_rows, point_in_time=point_in_time)


def test_with_one_feature_row_per_id_of_the_labels_day_the_point_in_time_changes_nothing(
    store: FeatureStore, store_url: str
) -> None:
    """Which is what the seed's tables hold."""
    load(store, *generate(2_000, date(2025, 1, 31), seed=0))
    merged = store.merge(_BASE_DT)
    rows = dump(store_url)
    assert len(rows) > 200
    assert store.merge(_BASE_DT, point_in_time=False) == merged
    assert dump(store_url) == rows

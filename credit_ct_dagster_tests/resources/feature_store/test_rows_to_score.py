"""Reading the customers to score, range by range, from tables of every shape."""

from datetime import date

import pandas as pd
import pytest

from credit_ct_dagster.loading.sample_data import generate
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.resources.feature_store.rows_to_score import (
    Customers,
    KeyRange,
    Ranges,
    RowsToScore,
)
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.resources.feature_store.foreign_tables import (
    LATIN,
    by_pandas,
    create,
    insert,
)
from credit_ct_dagster_tests.resources.feature_store.rows import features, labels, load

_DAY = "2025-03-10"


def _keys(
    store: FeatureStore, customers: Customers = Customers.of_base_date, chunk_rows: int = 2
) -> list[list[tuple[str, ...]]]:
    """The keys of the rows in each range."""
    rows = RowsToScore(store.database, _DAY, customers)
    found = rows.ranges(chunk_rows)
    frames = [rows.read(keys) for keys in found.ranges]
    assert sum(map(len, frames)) == rows.count() == found.rows
    return [sorted(frame[schema.KEY].itertuples(index=False, name=None)) for frame in frames]


def test_rows_of_the_day_are_read_by_ranges_without_personal_data(store: FeatureStore) -> None:
    """Every row once, about as many in each range as asked for."""
    given = features(*((f"i{n}", f"c{n}", _DAY, 30.0 + n) for n in range(5)))
    others = features(("i9", "c1", "2025-03-09", 1.0), ("i10", "c2", "2025-03-11", 1.0))
    load(store, labels(), pd.concat([given, others]).assign(name="Kim", ssn="900101-1234567"))
    rows = RowsToScore(store.database, _DAY, Customers.of_base_date)
    found = rows.ranges(2)
    assert found == Ranges([KeyRange(None, "i2"), KeyRange("i2", "i4"), KeyRange("i4", None)], 5)
    frames = [rows.read(keys) for keys in found.ranges]
    assert [frame["age"].tolist() for frame in frames] == [[30.0, 31.0], [32.0, 33.0], [34.0]]
    assert {*frames[0].columns} == {*schema.KEY, *schema.FEATURES}
    assert frames[0]["occupation"].tolist() == [None, None]


def test_a_day_without_rows_has_no_ranges(store: FeatureStore) -> None:
    """Nothing is read."""
    load(store, labels(), features(("i", "c", "2025-03-09", 1.0)))
    for customers in Customers:
        rows = RowsToScore(store.database, "2025-03-08", customers)
        assert rows.ranges(10) == Ranges([], 0)


def test_the_newest_row_of_every_customer_up_to_the_day(store: FeatureStore) -> None:
    """Of several rows with that date the one that the service answers by, too."""
    load(
        store,
        labels(),
        features(
            ("1", "a", "2025-01-31", 1.0),
            ("2", "a", "2025-02-28", 2.0),
            ("3", "a", "2025-03-31", 3.0),
            ("4", "b", _DAY, 4.0),
            ("5", "b", _DAY, 5.0),
            ("6", "c", "2025-03-31", 6.0),
            ("7", "d", "2024-12-31", 7.0),
            ("8", "A", "2025-03-01", 8.0),
        ),
    )
    found = [key for keys in _keys(store, Customers.newest) for key in keys]
    assert sorted(found) == [
        ("2", "a", "2025-02-28"),
        ("5", "b", _DAY),
        ("7", "d", "2024-12-31"),
        ("8", "A", "2025-03-01"),
    ]


def test_a_date_that_is_no_day_is_never_the_newest(store: FeatureStore) -> None:
    """It sorts anywhere, and the service does not answer by such a row either."""
    dated = {"a": ["2025-02-28", "2025-02-29"], "b": ["25.04.2025", "2024-12-31"]}
    dated |= {"c": ["2025/03/01"], "d": ["20250301", "2025-03-01T08:00"]}
    given = [(day[:10], who, day, 1.0) for who, days in dated.items() for day in days]
    by_pandas(store, labels(), features(*given))
    found = [(who, day) for keys in _keys(store, Customers.newest) for _, who, day in keys]
    assert sorted(found) == [("a", "2025-02-28"), ("b", "2024-12-31"), ("d", "2025-03-01")]
    store.database.engine.dispose()
    for who in dated:
        newest = store.newest_features(who, until=_DAY)
        assert (newest and newest[0]) == dict(found).get(who)


def test_keys_that_statements_could_stumble_over(store: FeatureStore) -> None:
    """Quotes, percent signs, colons and backslashes are characters like any other."""
    keys = ["'", "''", '"', "%s", "%%", ":x", "\\", "\\'", "a b", "é", "한글", "x;--"]
    load(store, labels(), features(*((key, key, _DAY, 1.0) for key in keys)))
    for customers in Customers:
        ranges = _keys(store, customers, chunk_rows=1)
        assert sorted(key for each in ranges for key, *_ in each) == sorted(keys)
        assert max(map(len, ranges)) == 1


@pytest.mark.parametrize(
    "types",
    [
        {},
        {"date": "DATE NOT NULL"},
        {"date": "DATETIME NOT NULL"},
        {"date": "VARCHAR(30) NOT NULL"},
        {"id": "BIGINT NOT NULL"},
        {"id": "VARBINARY(10) NOT NULL"},
        {"customer_id": "BIGINT NOT NULL"},
        {"id": f"VARCHAR(10) {LATIN} NOT NULL", "customer_id": f"VARCHAR(10) {LATIN} NOT NULL"},
        dict.fromkeys(schema.NUMERIC, "DOUBLE"),
    ],
    ids=lambda types: " ".join(next(iter(types.items()), ("as", "created"))),
)
def test_tables_of_other_systems_give_the_same_rows(
    mariadb: MariaDB, types: dict[str, str]
) -> None:
    """As the platform's own table does, in ranges that leave no row out."""
    _, given = generate(400, date(2025, 3, 10), seed=0)
    given = given[pd.to_datetime(given["date"], errors="coerce").notna()]
    # The sample's newest dates are some days before; half of the rows are of the day.
    given.loc[given.index[::2], "date"] = _DAY
    expected, store = FeatureStore(url=mariadb.new_database()), create(mariadb, types)
    load(expected, labels(), given)
    insert(store, "credit_score_features", given)
    for customers in Customers:
        frames = []
        for each in (expected, store):
            rows = RowsToScore(each.database, _DAY, customers)
            parts = [rows.read(keys) for keys in rows.ranges(60).ranges]
            frames.append(pd.concat(parts).sort_values(schema.KEY).reset_index(drop=True))
        assert len(frames[0]) > 50
        pd.testing.assert_frame_equal(*frames)


def test_keys_that_a_collation_takes_for_equal_stay_apart(mariadb: MariaDB) -> None:
    """They are in one range, and each customer has a newest row."""
    store = create(mariadb, key=f"VARCHAR(10) {LATIN}")
    given = features(("a1", "c", "2025-03-01", 1.0), ("A2", "C", _DAY, 2.0), ("b", "d", _DAY, 3.0))
    insert(store, "credit_score_features", given)
    rows = RowsToScore(store.database, _DAY, Customers.newest)
    found = pd.concat([rows.read(keys) for keys in rows.ranges(1).ranges])
    assert sorted(found["id"]) == ["A2", "a1", "b"]
    assert rows.count() == 3


def test_rows_of_a_table_that_pandas_made(store: FeatureStore) -> None:
    """Without any key, with texts of any length."""
    found_labels, given = generate(200, date(2025, 3, 10), seed=0)
    by_pandas(store, found_labels, given.assign(date=_DAY))
    keys = _keys(store, chunk_rows=70)
    assert sum(map(len, keys)) == 200
    assert len(keys) == 3


def test_a_range_also_has_what_is_inserted_later(store: FeatureStore) -> None:
    """At both ends, and between two keys."""
    load(store, labels(), features(("b", "c", _DAY, 1.0), ("d", "c", _DAY, 1.0)))
    rows = RowsToScore(store.database, _DAY, Customers.of_base_date)
    found = rows.ranges(1)
    load(store, labels(), features(*((key, "c", _DAY, 1.0) for key in "ace")))
    assert [sorted(rows.read(keys)["id"]) for keys in found.ranges] == [["a", "b", "c"], ["d", "e"]]

"""The ledger of arrivals: one line per state of a row, written once, on every kind of database."""

import threading
from datetime import date, datetime

import pandas as pd
import pytest
import sqlalchemy as sa

from credit_ct_dagster.errors.stores import (
    FeatureStoreError,
    MissingColumnError,
    MissingRightsError,
    UnavailableError,
)
from credit_ct_dagster.loading.sample_data import generate
from credit_ct_dagster.resources.feature_store import arrival_recording
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.resources.feature_store.tables import FEATURES, LABELS
from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.resources.feature_store.foreign_tables import by_pandas
from credit_ct_dagster_tests.resources.feature_store.ledger import BEGAN, Line, at, begun, lines_of
from credit_ct_dagster_tests.resources.feature_store.rows import features, labels


def _execute(store: FeatureStore, *statements: str) -> None:
    with sa.create_engine(store.url, poolclass=sa.NullPool).begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def _since(lines: list[Line]) -> list[tuple[str, datetime, bool]]:
    return [(line.id, line.first_seen, line.since_the_beginning) for line in lines]


def test_what_was_there_before_the_ledger_has_no_time_of_arrival(store: FeatureStore) -> None:
    """It is marked; what comes later is not, and has its moment to the microsecond."""
    begun(store)
    moment = at(1).replace(microsecond=123_456)
    store.upsert({LABELS: labels(("2", "b", "2025-01-06", "Good"))})
    assert store.arrivals.record(now=moment) == {LABELS: 1, FEATURES: 0}
    expected = [("1", BEGAN, True), ("2", moment, False)]
    assert _since(lines_of(store, LABELS)) == expected
    with store.database.transaction() as connection:
        assert store.arrivals.complete_since(connection) == BEGAN


def test_recording_again_adds_nothing(store: FeatureStore) -> None:
    """Also after the same rows were loaded again, and after a label of the same day came."""
    begun(store)
    store.upsert({LABELS: labels(("1", "a", "2025-01-05", "Poor"))})
    assert store.arrivals.record(now=at(1)) == {LABELS: 0, FEATURES: 0}
    store.upsert({LABELS: labels(("2", "b", "2025-01-05", "Poor"))})
    assert store.arrivals.record(now=at(2))[LABELS] == 1
    assert len(lines_of(store)) == 3


def test_a_row_that_changes_has_one_more_line(store: FeatureStore) -> None:
    """The line of its former state stays; one that changes back was seen before."""
    begun(store)
    for days, score in enumerate(["Good", "Poor", "Good"], start=1):
        store.upsert({LABELS: labels(("1", "a", "2025-01-05", score))})
        store.arrivals.record(now=at(days))
    lines = lines_of(store, LABELS)
    assert _since(lines) == [("1", BEGAN, True), ("1", at(1), False)]
    assert lines[0].fingerprint != lines[1].fingerprint


def test_personal_data_and_blanks_change_no_row(store: FeatureStore) -> None:
    """Neither name nor ssn is part of a fingerprint; a blank word is a missing one."""
    begun(store)
    _execute(store, f"UPDATE {FEATURES} SET name = 'Kim', ssn = '1', occupation = '  '")
    assert store.arrivals.record(now=at(1))[FEATURES] == 0
    _execute(store, f"UPDATE {FEATURES} SET occupation = 'Writer'")
    assert store.arrivals.record(now=at(2))[FEATURES] == 1
    _execute(store, f"UPDATE {FEATURES} SET occupation = ' Writer '")
    assert store.arrivals.record(now=at(3))[FEATURES] == 0


def test_only_the_days_that_were_named_are_looked_at(store: FeatureStore) -> None:
    """Both ends included; a table that was not named is left alone."""
    begun(store)
    days = ["2025-01-06", "2025-01-07", "2025-01-08", "2025-02-29"]
    store.upsert({LABELS: labels(*((str(n), "c", day, "Good") for n, day in enumerate(days, 2)))})
    record = store.arrivals.record
    assert record([LABELS], "2025-01-07", until="2025-01-07", now=at(1)) == {LABELS: 1}
    assert record([FEATURES], now=at(1)) == {FEATURES: 0}
    assert record([LABELS], "2025-02-29", until="2025-02-29", now=at(2)) == {LABELS: 1}
    assert record([LABELS], now=at(3)) == {LABELS: 2}


def test_nothing_is_recorded_without_tables(store: FeatureStore) -> None:
    """And the first rows of an empty table are those that the ledger begins with."""
    assert store.arrivals.record(now=at(-2)) == {}
    assert store.arrivals.delays() is None
    store.create_missing_tables()
    assert store.arrivals.record(now=at(-1)) == {LABELS: 0, FEATURES: 0}
    assert _since(lines_of(begun(store), LABELS)) == [("1", BEGAN, True)]


def test_a_beginning_that_was_interrupted_goes_on(
    store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After each piece; nothing counts as arrived before all of it is recorded."""
    monkeypatch.setattr(arrival_recording, "_PIECE_ROWS", 30)
    found_labels, found_features = generate(100, date(2025, 3, 10), seed=0)
    store.upsert({LABELS: found_labels, FEATURES: found_features})
    counts: list[int] = []
    while len(counts) < 9 and store.arrivals.delays() is None:
        [count] = store.arrivals.record([LABELS], now=at(len(counts)), most_seconds=0).values()
        counts.append(count)
    assert counts[:3] == [30, 30, 30]
    assert sum(counts) == len(found_labels) == len(lines_of(store))
    assert all(line.since_the_beginning for line in lines_of(store))
    store.upsert({LABELS: labels(("0", "new", "2025-03-10", "Good"))})
    store.arrivals.record([LABELS], now=at(50))
    assert _since(lines_of(store, LABELS))[0] == ("0", at(50), False)


def test_processes_that_record_at_once_add_each_line_once(store: FeatureStore) -> None:
    """They wait for each other."""
    begun(store)
    found, _ = generate(100, date(2025, 3, 10), seed=0)
    store.upsert({LABELS: found})
    counts: list[dict[str, int]] = []
    threads = [
        threading.Thread(
            target=lambda: counts.append(FeatureStore(url=store.url).arrivals.record([LABELS]))
        )
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each[LABELS] for each in counts) == [0, 0, len(found)]


def test_who_may_not_wait_is_told_that_another_process_records(store: FeatureStore) -> None:
    """A sensor's tick has no time for it, and the next one finds the same rows."""
    begun(store)
    with sa.create_engine(store.url, poolclass=sa.NullPool).connect() as other:
        if other.dialect.name == "sqlite":
            other.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            lock = f"credit_ct.arrivals.{sa.make_url(store.url).database}"
            other.scalar(sa.select(sa.func.get_lock(lock, 1)))
        with pytest.raises(UnavailableError):
            store.arrivals.record(wait_seconds=0)
        other.rollback()
    assert store.arrivals.record()[LABELS] == 0


def test_a_load_that_has_not_ended_is_not_waited_for(mariadb: MariaDB) -> None:
    """Its rows arrive when they are committed."""
    store = begun(FeatureStore(url=mariadb.new_database()))
    with sa.create_engine(store.url, poolclass=sa.NullPool).connect() as other:
        other.exec_driver_sql("INSERT INTO credit_score VALUES ('0', 'b', '2025-01-06', 'Poor')")
        other.exec_driver_sql("UPDATE credit_score SET credit_score = 'Good' WHERE id = '1'")
        mariadb.execute("SET GLOBAL innodb_lock_wait_timeout = 1")
        try:
            assert store.arrivals.record([LABELS], now=at(1)) == {LABELS: 0}
        finally:
            mariadb.execute("SET GLOBAL innodb_lock_wait_timeout = 50")
        other.commit()
    assert store.arrivals.record([LABELS], now=at(2)) == {LABELS: 2}


def test_a_user_who_may_not_create_the_ledger_is_shown_how(mariadb: MariaDB) -> None:
    """The statement of the sentence creates it; then INSERT is enough."""
    url = mariadb.new_database()
    database, user = url.rpartition("/")[2], f"u_{url.rpartition('_')[2]}"
    FeatureStore(url=url).upsert({LABELS: labels(("1", "a", "2025-01-05", "Poor"))})
    mariadb.execute(
        f"CREATE USER {user}@'%%'",
        f"GRANT SELECT ON {database}.* TO {user}@'%%'",
    )
    store = FeatureStore(url=mariadb.url(database, user=user))
    with pytest.raises(MissingRightsError, match="arrival of labels") as raised:
        store.arrivals.record()
    statement = str(raised.value).partition("or execute ")[2].partition(". Everything else")[0]
    mariadb.execute(
        statement, f"GRANT INSERT ON {database}.credit_arrivals TO {user}@'%%'", url=url
    )
    assert store.arrivals.record()[LABELS] == 1


def test_a_ledger_of_another_release_is_not_written(store: FeatureStore) -> None:
    """The column that it lacks is named, with the statement that adds it."""
    _execute(store, "CREATE TABLE credit_arrivals (table_name VARCHAR(32) PRIMARY KEY)")
    with pytest.raises(MissingColumnError, match=r"credit_arrivals of .* lacks"):
        store.arrivals.record()


def test_a_view_is_recorded_like_a_table(store: FeatureStore) -> None:
    """Whoever makes a view of another system's table need not copy it."""
    store.upsert({LABELS: labels(("1", "a", "2025-01-05", "Poor"))})
    _execute(
        store,
        "ALTER TABLE credit_score RENAME TO other",
        "CREATE VIEW credit_score AS SELECT * FROM other",
    )
    assert store.arrivals.record([LABELS], now=BEGAN) == {LABELS: 1}
    _execute(store, "INSERT INTO other VALUES ('2', 'b', '2025-01-06', 'Good')")
    assert store.arrivals.record([LABELS], now=at(1)) == {LABELS: 1}
    assert _since(lines_of(store)) == [("1", BEGAN, True), ("2", at(1), False)]


def test_repeated_rows_and_unreadable_dates_of_a_table_without_a_key(store: FeatureStore) -> None:
    """A repeated row has one line, rows of one key that differ have one each, an odd date none."""
    rows = [
        ("1", "a", "2025-01-05", "Poor"), ("1", "a", "2025-01-05", "Poor"),
        ("2", "b", "2025-01-05 10:00:00", "Poor"), ("2", "b", "2025-01-05 11:00:00", "Poor"),
        ("3", "c", "2025-01-05", "Poor"), ("3", "c", "2025-01-05", "Good"),
        ("4", "d", "5 January", "Poor"), ("5", "e", "2025-02-29", "Poor"),
    ]  # fmt: skip
    by_pandas(store, labels(*rows), features(("1", "a", "2025-01-05", 30.0)))
    assert store.arrivals.record(now=BEGAN) == {LABELS: 5, FEATURES: 1}
    assert [line.id for line in lines_of(store, LABELS)] == ["1", "2", "3", "3", "5"]
    assert store.arrivals.record(now=at(1)) == {LABELS: 0, FEATURES: 0}


def test_a_table_that_cannot_be_read_is_refused_as_everywhere(store: FeatureStore) -> None:
    """With the column that it lacks; the other table is recorded by itself."""
    by_pandas(store, pd.DataFrame({"id": ["1"]}), features(("1", "a", "2025-01-05", 30.0)))
    with pytest.raises(FeatureStoreError, match=r"credit_score of .* lacks the columns"):
        store.arrivals.record()
    assert store.arrivals.record([FEATURES]) == {FEATURES: 1}

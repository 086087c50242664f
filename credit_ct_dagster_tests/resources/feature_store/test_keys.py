"""Keys are compared byte by byte, whatever the collation and the type of other people's tables."""

import threading
from collections import deque

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.schema import CreateTable

from credit_ct_dagster.errors.stores import RepeatedKeysError, UnsuitableTableError
from credit_ct_dagster.partitions import LabelWindow
from credit_ct_dagster.resources.feature_store.expressions import Sources
from credit_ct_dagster.resources.feature_store.statements import bound, selection, window_values
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.resources.feature_store.tables import Tables
from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.resources.feature_store.foreign_tables import LATIN, create, insert
from credit_ct_dagster_tests.resources.feature_store.rows import features, labels, load

_BASE_DT, _DAY = "2025-03-10", "2025-03-01"
_ALIKE = ["CUS_ab", "CUS_AB", "CUS_\u00e9", "CUS_e", "CUS_e ", "CUS_E"]
_CLASSES = ["Poor", "Good", "Standard", "Poor", "Good", "Standard"]


def _alike() -> tuple:
    """Labels and features of customers that some collations take for one, each of another age."""
    return (
        labels(*(("1", who, _DAY, each) for who, each in zip(_ALIKE, _CLASSES, strict=True))),
        features(*(("1", who, _DAY, 20.0 + n) for n, who in enumerate(_ALIKE))),
    )


def _merged(store: FeatureStore) -> dict[str, tuple[str, float]]:
    store.merge(_BASE_DT)
    rows = store.read(_BASE_DT)
    return {row.customer_id: (row.credit_score, row.age) for row in rows.itertuples(index=False)}


def test_keys_that_look_alike_are_different_customers(store: FeatureStore) -> None:
    """In tables that the platform makes: as many rows as were written, each with its own label."""
    frames = dict(zip(("credit_score", "credit_score_features"), _alike(), strict=True))
    assert store.upsert(frames) == dict.fromkeys(frames, 6)
    assert _merged(store) == {
        who: (each, 20.0 + n) for n, (who, each) in enumerate(zip(_ALIKE, _CLASSES, strict=True))
    }
    assert store.source_rows(_BASE_DT).equals(store.read(_BASE_DT))


@pytest.mark.parametrize(
    ("version", "maria", "collation"),
    [
        ((8, 0, 36), False, "utf8mb4_0900_bin"),
        ((5, 7, 44), False, "utf8mb4_bin"),
        ((10, 11, 6), True, "utf8mb4_nopad_bin"),
    ],
)
def test_keys_of_new_tables_have_a_binary_collation(
    version: tuple[int, ...], maria: bool, collation: str
) -> None:
    """On MySQL and on MariaDB, whose names for it differ."""
    dialect = mysql.dialect()
    dialect.server_version_info, dialect.is_mariadb = version, maria
    ddl = str(CreateTable(Tables.of_schema().target).compile(dialect=dialect))
    for name in ("base_dt", "id", "customer_id", "date"):
        assert f"{name} VARCHAR(10) CHARACTER SET utf8mb4 COLLATE {collation} NOT NULL" in ddl


@pytest.mark.parametrize(
    "key", ["VARCHAR(10)", f"VARCHAR(10) {LATIN}", "VARCHAR(10) COLLATE utf8mb4_bin"]
)
def test_a_load_that_would_lose_keys_writes_nothing(mariadb: MariaDB, key: str) -> None:
    """Because a table of somebody else takes them for equal: refused with the ALTER."""
    store = create(mariadb, key=key)
    found_labels, _ = _alike()
    with pytest.raises(
        RepeatedKeysError, match=r"2 of 2 .*|[1-5] of 6 keys of credit_score .*"
    ) as refused:
        store.upsert({"credit_score": found_labels})
    assert "ALTER TABLE credit_score MODIFY COLUMN id VARCHAR(10)" in str(refused.value)
    assert "COLLATE utf8mb4_nopad_bin" in str(refused.value)
    assert "CUS_" not in str(refused.value)
    assert not store.has_labels()
    usable = labels(("1", "CUS_ab", _DAY, "Poor"), ("2", "CUS_AB", _DAY, "Poor"))
    assert store.upsert({"credit_score": usable}) == {"credit_score": 2}
    # The row that is there is of another customer, whose label would be replaced.
    with pytest.raises(RepeatedKeysError, match="1 of 1 keys"):
        store.upsert(
            {
                "credit_score": labels(
                    ("1", _ALIKE[1] if "bin" not in key else "CUS_ab ", _DAY, "Good")
                )
            }
        )


def test_the_statement_that_an_error_names_corrects_the_table(mariadb: MariaDB) -> None:
    """Executed as it stands in the sentence, the same load succeeds."""
    store = create(mariadb)
    found_labels, _ = _alike()
    with pytest.raises(RepeatedKeysError) as refused:
        store.upsert({"credit_score": found_labels})
    statement = refused.value.sentence.split("or the table: ")[1].split(". Then")[0]
    mariadb.execute(statement, url=store.url)
    assert store.upsert({"credit_score": found_labels}) == {"credit_score": 6}


@pytest.mark.parametrize("key", ["VARCHAR(10)", f"VARCHAR(10) {LATIN}"])
def test_a_join_by_collation_gives_nobody_the_label_of_another(mariadb: MariaDB, key: str) -> None:
    """Labels whose customer differs from the features' in case only have no features."""
    store = create(mariadb, key=key)
    insert(
        store,
        "credit_score",
        labels(
            ("1", "CUS_AB", _DAY, "Poor"),
            ("2", "CUS_ab", _DAY, "Good"),
            ("3", "CUS_\u00e9", _DAY, "Good"),
            ("4", "CUS_x ", _DAY, "Good"),
        ),
    )
    insert(
        store,
        "credit_score_features",
        features(*((str(n), who, _DAY, 30.0 + n) for n, who in enumerate(
            ["CUS_ab", "CUS_ab", "CUS_e", "CUS_x"], start=1
        ))),
    )  # fmt: skip
    merged = store.merge(_BASE_DT)
    assert (merged.rows_inserted, merged.labels_without_features) == (1, 3)
    assert _merged(store) == {"CUS_ab": ("Good", 32.0)}
    assert store.source_rows(_BASE_DT).equals(store.read(_BASE_DT))


def test_tables_of_different_collations_are_joined(mariadb: MariaDB) -> None:
    """Where the server itself has no collation to compare them by (1267)."""
    store = create(mariadb, key=f"VARCHAR(10) {LATIN}")
    mariadb.execute(
        "ALTER TABLE credit_score CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci",
        "ALTER TABLE credit_score MODIFY id VARCHAR(10) COLLATE utf8mb4_bin NOT NULL",
        url=store.url,
    )
    found_labels, found_features = (
        labels(("1", "CUS_\u00e9", _DAY, "Poor"), ("2", "CUS_b", _DAY, "Good")),
        features(("1", "CUS_\u00e9", _DAY, 40.0), ("2", "CUS_b", _DAY, 41.0)),
    )
    insert(store, "credit_score", found_labels)
    insert(store, "credit_score_features", found_features)
    assert _merged(store) == {"CUS_\u00e9": ("Poor", 40.0), "CUS_b": ("Good", 41.0)}


@pytest.mark.parametrize(
    ("of_labels", "of_features"),
    [
        ("", ""),
        (LATIN, LATIN),
        ("COLLATE utf8mb4_nopad_bin", "COLLATE utf8mb4_nopad_bin"),
        ("COLLATE utf8mb4_unicode_ci", LATIN),
        ("COLLATE utf8mb4_bin", "COLLATE utf8mb4_general_ci"),
    ],
)
def test_a_join_of_other_peoples_tables_uses_the_index(
    mariadb: MariaDB, of_labels: str, of_features: str
) -> None:
    """What compares byte by byte stands beside what the primary key serves."""
    store = create(mariadb)
    for table, collation in (("credit_score", of_labels), ("credit_score_features", of_features)):
        changed = ", ".join(
            f"MODIFY {name} VARCHAR(10) {collation} NOT NULL" for name in ("id", "customer_id")
        )
        mariadb.execute(f"ALTER TABLE {table} {changed}", url=store.url)
    rows = [(str(n), f"c{n}", "2025-03-01" if n < 20 else "2024-01-01") for n in range(400)]
    mariadb.execute("CREATE INDEX by_date ON credit_score (date)", url=store.url)
    insert(store, "credit_score", labels(*((*each, "Poor") for each in rows)))
    insert(store, "credit_score_features", features(*((*each, 30.0) for each in rows)))
    mariadb.execute("ANALYZE TABLE credit_score, credit_score_features", url=store.url)
    plan = _plan(store)
    assert plan["label"]["key"] == "by_date"
    assert (plan["feature"]["type"], plan["feature"]["key"]) == ("ref", "PRIMARY")
    assert store.merge(_BASE_DT).rows_inserted == 20


def _plan(store: FeatureStore) -> dict[str, dict[str, str]]:
    with store.database.transaction() as connection:
        statement = bound(
            connection.dialect,
            *selection(point_in_time=True, newest_only=False),
            sources=Sources.of(connection),
            base_dt=_BASE_DT,
            **window_values(LabelWindow.of(_BASE_DT)),
        )
        literal = statement.compile(
            connection, compile_kwargs={"literal_binds": True, "render_postcompile": True}
        )
        found = connection.exec_driver_sql(f"EXPLAIN {literal}".replace("%", "%%")).mappings()
        return {row["table"]: dict(row) for row in found}


def test_training_rows_that_a_collation_takes_for_equal_are_refused(mariadb: MariaDB) -> None:
    """The table of training rows of somebody else: its ALTER is named, nothing is deleted."""
    store = FeatureStore(url=mariadb.new_database())
    load(store, *_alike())
    mariadb.execute(
        "ALTER TABLE credit_score_features_target CONVERT TO CHARACTER SET latin1", url=store.url
    )
    with pytest.raises(
        RepeatedKeysError, match=r"2025-03-10.*case, accents or trailing"
    ) as refused:
        store.merge(_BASE_DT)
    statement = refused.value.sentence.split("or the table: ")[1].split(". Then")[0]
    mariadb.execute(statement, url=store.url)
    assert len(_merged(store)) == 6


def test_labels_with_one_key_are_refused_by_their_number(mariadb: MariaDB) -> None:
    """A source table without a key holds a label twice: the sentence names table and key."""
    store = create(mariadb)
    mariadb.execute("ALTER TABLE credit_score DROP PRIMARY KEY", url=store.url)
    insert(
        store, "credit_score",
        labels(("1", "a", _DAY, "Poor"), ("1", "a", _DAY, "Good"), ("2", "b", _DAY, "Good")),
    )  # fmt: skip
    insert(store, "credit_score_features", features(("1", "a", _DAY, 30.0), ("2", "b", _DAY, 30.0)))
    with pytest.raises(
        RepeatedKeysError,
        match=r"1 rows of credit_score .*ADD PRIMARY KEY \(id, customer_id, date\)",
    ):
        store.merge(_BASE_DT)


def test_a_load_into_a_table_with_another_key_is_refused(mariadb: MariaDB) -> None:
    """Without a key rows would be appended again, with a shorter one they would replace others."""
    row = labels(("1", "a", _DAY, "Poor"))
    store = create(mariadb)
    mariadb.execute("ALTER TABLE credit_score DROP PRIMARY KEY", url=store.url)
    with pytest.raises(UnsuitableTableError, match=r"ALTER TABLE credit_score ADD UNIQUE KEY"):
        store.upsert({"credit_score": row})
    mariadb.execute("ALTER TABLE credit_score ADD PRIMARY KEY (id)", url=store.url)
    mariadb.execute("ALTER TABLE credit_score ADD UNIQUE (id, customer_id, date)", url=store.url)
    with pytest.raises(UnsuitableTableError, match=r"unique key \(id\).*DROP PRIMARY KEY"):
        store.upsert({"credit_score": row})


def test_a_key_that_occurs_twice_is_counted_once(store: FeatureStore) -> None:
    """What was written is what is counted."""
    twice = labels(("1", "a", _DAY, "Poor"), ("1", "a", _DAY, "Good"))
    assert store.upsert({"credit_score": twice}) == {"credit_score": 1}


def test_two_loads_of_the_same_keys_take_turns(mariadb: MariaDB) -> None:
    """In opposite order they would lock each other's rows."""
    store = FeatureStore(url=mariadb.new_database())
    store.create_missing_tables()
    rows = labels(*((str(n), "c", _DAY, "Poor") for n in range(12_000)))
    barrier, failures = threading.Barrier(2), []

    def write(frame: object) -> None:
        barrier.wait()
        try:
            FeatureStore(url=store.url).upsert({"credit_score": frame})
        except Exception as error:  # noqa: BLE001 the assertion below shows it
            failures.append(error)

    threads = [threading.Thread(target=write, args=[each]) for each in (rows, rows[::-1])]
    deque(map(threading.Thread.start, threads))
    deque(map(threading.Thread.join, threads))
    assert failures == []


def test_a_load_that_the_server_ends_as_a_deadlock_is_tried_again(mariadb: MariaDB) -> None:
    """Another system writes the same rows; whichever transaction the server rolls back."""
    store = FeatureStore(url=mariadb.new_database())
    load(store, labels(("1", "c", _DAY, "Poor"), ("2", "c", _DAY, "Poor")), features())
    with store.database.engine.connect() as other:
        # Many rows: the server ends the transaction that has changed fewer.
        other.exec_driver_sql("CREATE TABLE heavy (n INT PRIMARY KEY)")
        other.commit()
        other.exec_driver_sql("INSERT INTO heavy SELECT seq FROM seq_1_to_1000")
        other.exec_driver_sql("UPDATE credit_score SET credit_score = 'Standard' WHERE id = '2'")
        both = labels(("1", "c", _DAY, "Good"), ("2", "c", _DAY, "Good"))
        loading = threading.Thread(target=store.upsert, args=[{"credit_score": both}])
        loading.start()
        _until_somebody_waits(store)
        other.exec_driver_sql("UPDATE credit_score SET credit_score = 'Standard' WHERE id = '1'")
        other.commit()
    loading.join()
    with store.database.transaction() as connection:
        classes = connection.scalars(sa.text("SELECT credit_score FROM credit_score"))
        assert list(classes) == ["Good", "Good"]


def _until_somebody_waits(store: FeatureStore) -> None:
    # The tables of InnoDB's locks are not renewed while somebody looks at them all the time.
    waiting = sa.text(
        "SELECT COUNT(*) FROM information_schema.processlist"
        " WHERE info LIKE 'INSERT INTO credit_score %' AND db = DATABASE() AND time_ms > 50"
    )
    with store.database.engine.connect() as connection:
        while not connection.scalar(waiting):
            pass

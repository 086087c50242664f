"""Fingerprints of rows, and digests of days: equal wherever, and however, equal rows are stored."""

import hashlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from credit_ct_dagster.loading.sample_data import generate
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.resources.feature_store.row_hashes import hash_of_label
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.resources.feature_store.foreign_tables import LATIN, by_pandas, create
from credit_ct_dagster_tests.resources.feature_store.ledger import fingerprints_of
from credit_ct_dagster_tests.resources.feature_store.rows import features, labels, load

_LABELS, _FEATURES = "credit_score", "credit_score_features"


def _md5(*pairs: str) -> str:
    return hashlib.md5("\x1f".join(pairs).encode(), usedforsecurity=False).hexdigest()[:16]


def test_a_fingerprint_can_be_computed_by_hand(store: FeatureStore) -> None:
    """Pairs of names and values: words without blanks, numbers as 24 bits and a power of 2."""
    rows = features(("1", "a", "2025-01-05", 30.0)).assign(
        annual_income=0.0, monthly_balance=-12.5, interest_rate=0.1, occupation=" Ärztin "
    )
    store.upsert({_LABELS: labels(("1", "a", "2025-01-05", "Poor")), _FEATURES: rows})
    store.arrivals.record()
    key = ("1", "a", "2025-01-05")
    assert fingerprints_of(store, _LABELS) == {key: _md5("credit_score=Poor")}
    assert hash_of_label("Poor") == _md5("credit_score=Poor")
    # 30 is 15728640 / 2^23 * 2^4; 0.1 is 13421773 / 2^23 * 2^-4 in single precision.
    expected = _md5(
        "age=15728640e4", "occupation=Ärztin", "annual_income=0", "interest_rate=13421773e-4",
        "monthly_balance=-13107200e3",
    )  # fmt: skip
    assert fingerprints_of(store, _FEATURES) == {key: expected}


def _numbers() -> Iterator[float]:
    """Numbers of every size and sign, with few and with many digits."""
    random = np.random.default_rng(0)
    yield from [
        0.0,
        -0.0,
        1.0,
        0.5,
        0.25,
        8.0,
        16_777_215.0,
        16_777_216.0,
        20_000_001.0,
        1e15,
        -7.0,
    ]
    yield from [7.99999999, 8.0000001, 2_552_424.025, 8_388_607.96, 45_000_000.5, 2.0**-29]
    yield from random.normal(0, 1e4, 200).round(2)
    yield from random.normal(0, 1e7, 200).round(2)
    yield from random.normal(0, 1, 200) * 10.0 ** random.integers(-30, 30, 200)


def test_numbers_have_one_fingerprint_on_every_database(mariadb: MariaDB, tmp_path: Path) -> None:
    """In double precision on both, and in single precision on the server."""
    numbers = list(_numbers())
    rows = features(*((str(n), "a", "2025-01-05", value) for n, value in enumerate(numbers)))
    found = []
    for store in (
        FeatureStore(url=f"sqlite:///{tmp_path}/fs.db"),
        create(mariadb, {"age": "DOUBLE"}),
        FeatureStore(url=mariadb.new_database()),
    ):
        load(store, labels(("1", "a", "2025-01-05", "Poor")), rows)
        store.arrivals.record([_FEATURES])
        found.append(fingerprints_of(store, _FEATURES))
    assert found[0] == found[1] == found[2]
    assert len(set(found[0].values())) == len({float(np.float32(each)) for each in numbers})


def _sample() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows that columns of any type can hold: whole numbers, ids of digits, days that exist."""
    found = generate(100, date(2025, 3, 10), seed=0)
    made = []
    for frame in found:
        frame = frame[pd.to_datetime(frame["date"], errors="coerce").notna()]
        numbers = frame.columns.intersection(schema.NUMERIC)
        ids = frame["id"].rank(method="dense").astype(int).astype(str)
        made.append(frame.assign(id=ids, **{name: frame[name].round() for name in numbers}))
    return made[0], made[1]


@pytest.mark.parametrize(
    "types",
    [
        {"date": "DATE NOT NULL"},
        {"date": "DATETIME NOT NULL"},
        {"date": "VARCHAR(30) NOT NULL", "id": "VARBINARY(10) NOT NULL"},
        {"id": "BIGINT NOT NULL", "credit_score": "ENUM('Poor','Standard','Good')"},
        dict.fromkeys([*schema.WORDS, "customer_id", "date"], f"VARCHAR(255) {LATIN} NOT NULL"),
        dict.fromkeys(schema.NUMERIC[::2], "DECIMAL(12,2)")
        | dict.fromkeys(schema.NUMERIC[1::2], "INT"),
        dict.fromkeys(schema.NUMERIC, "DOUBLE"),
    ],
    ids=lambda types: " ".join(next(iter(types.items()))),
)
def test_types_of_other_systems_have_the_same_lines(
    mariadb: MariaDB, tmp_path: Path, types: dict[str, str]
) -> None:
    """So that an ALTER TABLE makes no row a changed one; and recording again adds nothing."""
    rows = _sample()
    rows[1][schema.WORDS] = rows[1][schema.WORDS].fillna("none")
    expected, store = FeatureStore(url=f"sqlite:///{tmp_path}/fs.db"), create(mariadb, types)
    for each in (expected, store):
        load(each, *rows)
        each.arrivals.record()
    for table in (_LABELS, _FEATURES):
        assert fingerprints_of(store, table) == fingerprints_of(expected, table)
    assert set(store.arrivals.record(since="2025-02-01", until="2025-03-01").values()) == {0}


@pytest.mark.parametrize("moments", [False, True], ids=["text", "datetime"])
def test_tables_that_pandas_made_have_the_same_lines(store: FeatureStore, moments: bool) -> None:
    """`to_sql`: TEXT, DOUBLE, DATETIME, no keys, and columns without any value."""
    found_labels, found_features = _sample()
    rows = [found_labels, found_features.assign(occupation=np.nan, credit_mix=None)]
    made = [each.assign(date=pd.to_datetime(each["date"])) if moments else each for each in rows]
    by_pandas(store, *made)
    store.arrivals.record()
    before = [fingerprints_of(store, table) for table in (_LABELS, _FEATURES)]
    assert set(store.arrivals.record().values()) == {0}
    with sa.create_engine(store.url, poolclass=sa.NullPool).begin() as connection:
        for table in (_LABELS, _FEATURES, "credit_arrivals"):
            connection.exec_driver_sql(f"DROP TABLE {table}")
    load(store, *rows)
    store.arrivals.record()
    assert [fingerprints_of(store, table) for table in (_LABELS, _FEATURES)] == before


_DAYS = ["2025-01-05", "2025-01-06", "2025-01-07"]


@pytest.mark.parametrize(
    ("statement", "changed"),
    [
        ("UPDATE credit_score SET credit_score = 'Good' WHERE id = '2'", [_DAYS[1]]),
        ("UPDATE credit_score SET credit_score = 'Poor' WHERE id = '2'", []),
        ("DELETE FROM credit_score WHERE id = '2'", [_DAYS[1]]),
        ("INSERT INTO credit_score VALUES ('9', 'c', '2025-01-07', 'Poor')", [_DAYS[2]]),
        ("INSERT INTO credit_score VALUES ('9', 'c', '2025-01-08', 'Poor')", []),
        ("UPDATE credit_score_features SET age = 31 WHERE id = '1'", [_DAYS[0]]),
        ("UPDATE credit_score_features SET date = '2024-06-02' WHERE id = '3'", [_DAYS[2]]),
        ("UPDATE credit_score_features SET ssn = '31'", []),
        ("DELETE FROM credit_score_features WHERE id = '1'", [_DAYS[0]]),
        ("UPDATE credit_score_features SET age = 31 WHERE id = '4'", []),
    ],
)
def test_a_digest_changes_with_any_row_of_its_day(
    store: FeatureStore, statement: str, changed: list[str]
) -> None:
    """Of the labels dated that day and of their features, however old; with no other row."""
    scores = [(str(n), "c", day, "Poor") for n, day in enumerate(_DAYS, start=1)]
    ages = [(str(n), "c", "2024-06-01", 30.0) for n in (1, 2, 3, 4)]
    load(store, labels(*scores), features(*ages))
    before = store.row_digests(_DAYS[0], _DAYS[2])
    assert sorted(before) == _DAYS
    with sa.create_engine(store.url, poolclass=sa.NullPool).begin() as connection:
        connection.exec_driver_sql(statement)
    after = store.row_digests(_DAYS[0], _DAYS[2])
    assert [day for day in _DAYS if before[day] != after.get(day)] == changed


def test_a_row_that_changes_back_has_its_former_digest(store: FeatureStore) -> None:
    """And both databases compute the same one."""
    load(store, labels(("1", "c", _DAYS[0], "Poor")), features(("1", "c", _DAYS[0], 30.0)))
    before = store.row_digests(_DAYS[0], _DAYS[0])
    for score in ("Good", "Poor"):
        store.upsert({_LABELS: labels(("1", "c", _DAYS[0], score))})
        assert (store.row_digests(_DAYS[0], _DAYS[0]) == before) == (score == "Poor")
    key = ["id=1", "customer_id=c", f"date={_DAYS[0]}"]
    label, row = _md5(*key, "credit_score=Poor"), _md5(*key, "age=15728640e4")
    assert before == {_DAYS[0]: f"1:{int(label[:8], 16)}/1:{int(row[:8], 16)}"}

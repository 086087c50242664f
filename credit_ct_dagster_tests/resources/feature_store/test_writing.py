"""Statements of many rows: they write what a driver's own parameters write, and leak nothing."""

import traceback
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from credit_ct_dagster.errors.stores import FeatureStoreRefusedError
from credit_ct_dagster.loading import sample_data
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.resources.feature_store import texts
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.resources.feature_store.tables import FEATURES, Tables
from credit_ct_dagster.resources.feature_store.writing import PARAMETERS
from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.resources.feature_store.rows import dump

_AWKWARD = [
    "O'Neill", "''", "\\", "back\\slash'", "100 %", "%s", "%(id)s", ":id", '"', "`", "?", "(),(",
    "),(", "two\nlines\r\n", "\t", "\x1a", "김철수 é 😀", "NULL", "-- ", "/* */", ";", "x" * 100,
]  # fmt: skip
_NUMBERS = [
    0.0, -0.0, 1.0, -39.0, 0.1, 1 / 3, 1104.5833333333333, 2**53 + 0.0, 1e22, 1e-7, 1.5e-45, 3.4e38,
    1e-30, 123456789.125, np.nan,
]  # fmt: skip


def _rows() -> pd.DataFrame:
    """Sample rows, some of them with values that statements have to escape or to write exactly."""
    _, features = sample_data.generate(400, date(2025, 3, 31), seed=0)
    features = features.reset_index(drop=True)
    for place, word in enumerate(_AWKWARD):
        features.loc[place, "name"] = word
        features.loc[place, "type_of_loan"] = word
    for place, number in enumerate(_NUMBERS):
        features.loc[place, ["age", "outstanding_debt"]] = number
    return features


def _written_by_driver(url: str, rows: pd.DataFrame) -> None:
    """Insert rows with a parameter per value."""
    table = Tables.of_schema().features
    records = rows.astype(object).where(rows.notna(), None).to_dict("records")
    with sa.create_engine(url, poolclass=sa.NullPool).begin() as connection:
        connection.execute(sa.insert(table), records)


@pytest.mark.parametrize("declared", ["FLOAT", "DOUBLE", "DECIMAL(60,12)"])
def test_rows_are_written_as_by_parameters(mariadb: MariaDB, declared: str) -> None:
    """Each cell of each row, in columns of single, double and decimal precision."""
    stores = [FeatureStore(url=mariadb.new_database()) for _ in range(2)]
    rows = _rows()
    for store in stores:
        store.create_missing_tables()
        mariadb.execute(f"ALTER TABLE {FEATURES} MODIFY age {declared}", url=store.url)
    stores[0].upsert({FEATURES: rows})
    _written_by_driver(stores[1].url, rows)
    written, expected = (dump(store.url, FEATURES) for store in stores)
    assert len(written) == 400
    assert list(map(repr, written)) == list(map(repr, expected))


def test_sqlite_rows_are_written_as_by_parameters(tmp_path: Path) -> None:
    """To the last bit, and with NULL for what is missing."""
    stores = [FeatureStore(url=f"sqlite:///{tmp_path}/{name}.db") for name in "ab"]
    rows = _rows()
    stores[0].upsert({FEATURES: rows})
    stores[1].create_missing_tables()
    _written_by_driver(stores[1].url, rows)
    written, expected = (dump(store.url, FEATURES) for store in stores)
    assert list(map(repr, written)) == list(map(repr, expected))


@pytest.mark.parametrize("mode", ["NO_BACKSLASH_ESCAPES", "ANSI_QUOTES", "TRADITIONAL"])
def test_the_mode_of_the_server_does_not_change_a_text(mariadb: MariaDB, mode: str) -> None:
    """Where a backslash is no escape, it is not doubled."""
    url = mariadb.new_database()
    rows = _rows()
    store = FeatureStore(url=f"{url}?init_command=SET sql_mode='{mode}'")
    store.upsert({FEATURES: rows})
    names = [row[schema.FEATURE_COLUMNS.index("name")] for row in dump(url, FEATURES)]
    assert sorted(filter(None, names)) == sorted(rows["name"].dropna())


def test_rows_are_cut_into_statements(mariadb: MariaDB, monkeypatch: pytest.MonkeyPatch) -> None:
    """None of them is longer than a server takes, unless a single row is."""
    rows = texts.texts_of(_rows())
    names = rows.column_names
    whole = ",".join(texts.literals_of(rows, names, escapes_backslashes=True))
    monkeypatch.setattr(texts, "_STATEMENT_BYTES", 1_000)
    parts = list(texts.literals_of(rows, names, escapes_backslashes=True))
    assert ",".join(parts) == whole
    assert 100 < len(parts) < 400
    assert all(len(part.encode()) <= 1_000 or part.count("),(") == 0 for part in parts)
    store = FeatureStore(url=mariadb.new_database())
    assert store.upsert({FEATURES: _rows()}) == {FEATURES: 400}
    assert len(dump(store.url, FEATURES)) == 400


def test_a_refused_statement_is_reported_without_its_values(mariadb: MariaDB) -> None:
    """Not in the sentence, and not in the traceback that `--debug` shows."""
    store = FeatureStore(url=mariadb.new_database())
    store.create_missing_tables()
    mariadb.execute(f"ALTER TABLE {FEATURES} MODIFY name VARCHAR(5)", url=store.url)
    rows = _rows().assign(name="Confidential Person", ssn="987-65-4321")
    with pytest.raises(
        FeatureStoreRefusedError, match="Data too long for column 'name'"
    ) as refused:
        store.upsert({FEATURES: rows})
    shown = "".join(traceback.format_exception(refused.value))
    assert "Confidential" not in shown
    assert "987-65" not in shown
    assert "(...) ON DUPLICATE KEY UPDATE" in shown


def test_frames_and_texts_are_the_same_rows() -> None:
    """Numbers to the last bit; a missing value is null, and None or NaN again."""
    rows = _rows()
    again = texts.frame_of(texts.texts_of(rows))
    for name in schema.NUMERIC:
        assert again[name].to_numpy().tobytes() == rows[name].to_numpy("float64").tobytes() or (
            np.array_equal(again[name], rows[name], equal_nan=True)
        )
    words = rows.columns.difference(schema.NUMERIC)
    assert again[words].equals(rows[words].astype(object).where(rows[words].notna(), None))


def test_the_statement_of_a_newer_mysql_has_a_row_to_fill() -> None:
    """Its form is another one: the new row has a name there."""
    dialect = mysql.dialect(paramstyle="pyformat")
    dialect.server_version_info = (8, 4, 0)
    table = Tables.of_schema().labels
    insert = mysql.insert(table)
    updated = insert.on_duplicate_key_update({schema.TARGET: insert.inserted[schema.TARGET]})
    [row] = PARAMETERS.finditer(str(updated.compile(dialect=dialect)))
    assert row[0] == "(%(id)s, %(customer_id)s, %(date)s, %(credit_score)s)"

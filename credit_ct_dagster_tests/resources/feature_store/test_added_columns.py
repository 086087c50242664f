"""A feature is added to the schema, on a database whose tables already exist."""

from datetime import date

import pandas as pd
import pytest
import sqlalchemy as sa

from credit_ct_dagster.errors.stores import MissingColumnError, MissingRightsError
from credit_ct_dagster.loading.csv_files import check_features
from credit_ct_dagster.loading.sample_data import generate
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.drift import feature_drift
from credit_ct_dagster.modeling.rows.preparation import fit_scalers, prepare, restore
from credit_ct_dagster.modeling.rows.quarantine import check_rows
from credit_ct_dagster.modeling.rows.row_rules import RowRules
from credit_ct_dagster.modeling.rows.splitting import split_by_customer
from credit_ct_dagster.modeling.search.training import fit
from credit_ct_dagster.operations import database_checks
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.modeling.conftest import training_data
from credit_ct_dagster_tests.resources.feature_store.rows import load
from credit_ct_dagster_tests.schema_edits import add_features

_EARLIER, _LATER, _UNTIL = "2025-03-09", "2025-03-10", date(2025, 3, 10)
_NUMBER = "{name: interval, kind: number, description: A word that servers reserve}"
_ADDED = [
    _NUMBER,
    "{name: housing, kind: category, description: A home, length: 10, words: [own, rent]}",
    '{name: hobbies, kind: text, description: Separated by commas, separator: ","}',
]
_NAMES = ["interval", "housing", "hobbies"]


def _add_to_source(store: FeatureStore) -> None:
    """What the owner of the source table does."""
    with sa.create_engine(store.url, poolclass=sa.NullPool).begin() as connection:
        for definition in ("`interval` FLOAT", "housing VARCHAR(10)", "hobbies TEXT"):
            connection.exec_driver_sql(f"ALTER TABLE credit_score_features ADD COLUMN {definition}")


@pytest.fixture
def merged(store: FeatureStore) -> pd.DataFrame:
    """Rows of a base date that was merged before the schema changed."""
    load(store, *generate(6_000, _UNTIL, seed=0))
    store.merge(_EARLIER)
    return store.read(_EARLIER)


def test_a_column_that_the_source_lacks_is_named(
    store: FeatureStore, merged: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Merging, loading and the doctor name table and column, and the statement that adds it."""
    add_features(monkeypatch, _NUMBER)
    wanted = (
        r"credit_score_features of .* lacks the column interval\..*ADD COLUMN .?interval.? FLOAT"
    )
    with pytest.raises(MissingColumnError, match=wanted):
        store.merge(_LATER)
    with pytest.raises(MissingColumnError, match=wanted):
        load(store, *generate(100, _UNTIL, seed=1))
    with pytest.raises(MissingColumnError, match=wanted):
        database_checks.require_source_tables(store)
    assert store.row_counts() == {_EARLIER: len(merged)}


def test_the_next_merge_adds_what_the_training_rows_lack(
    store: FeatureStore, merged: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A number, a word and a text: old rows have NULL, new rows the values of the source."""
    add_features(monkeypatch, *_ADDED)
    _add_to_source(store)
    with pytest.raises(
        MissingColumnError, match="lacks the columns interval, housing, hobbies: mater"
    ):
        store.read(_EARLIER)
    assert "INSERT on credit_score_features_target" in database_checks.require_rights(store)
    labels, features = generate(6_000, _UNTIL, seed=0)
    load(store, labels, features)
    store.merge(_LATER)
    old, new = store.read(_EARLIER), store.read(_LATER)
    assert list(new.columns) == schema.MERGED_COLUMNS
    assert old[_NAMES].isna().all(axis=None)
    pd.testing.assert_frame_equal(old[merged.columns], merged)
    source = features.set_index("id").loc[new["id"]].reset_index()
    pd.testing.assert_frame_equal(new[_NAMES], source[_NAMES], rtol=1e-6)
    pd.testing.assert_frame_equal(store.source_rows(_LATER), new)
    assert store.merge(_LATER).rows_inserted == len(new)


def test_without_the_right_to_add_it_the_statement_is_named(
    mariadb: MariaDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user without ALTER learns what to grant, or what a person with the right can execute."""
    url = mariadb.new_database()
    name = sa.make_url(url).database
    store = FeatureStore(url=url)
    load(store, *generate(500, _UNTIL, seed=0))
    rows = store.merge(_EARLIER).rows_inserted
    add_features(monkeypatch, *_ADDED)
    _add_to_source(store)
    mariadb.execute(
        f"CREATE USER {name}@'127.0.0.1'",
        f"GRANT SELECT ON {name}.* TO {name}@'127.0.0.1'",
        f"GRANT INSERT, DELETE ON {name}.credit_score_features_target TO {name}@'127.0.0.1'",
    )
    limited = FeatureStore(url=url.replace("root@", f"{name}@"))
    with pytest.raises(MissingRightsError, match=r"GRANT ALTER.*ADD COLUMN `interval` FLOAT"):
        limited.merge(_LATER)
    assert store.row_counts() == {_EARLIER: rows}


def test_every_later_step_takes_it_from_the_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules, splits, scalers, a fit and the drift report know it; no other module is changed."""
    before, _ = _merged_sample()
    add_features(monkeypatch, *_ADDED)
    rows, features = _merged_sample()
    assert features[_NAMES].notna().all(axis=None)
    pd.testing.assert_frame_equal(rows[before.columns], before)

    rows.loc[0, "housing"], rows.loc[1, "interval"] = "tent", float("inf")
    checked = check_rows(rows, RowRules())
    assert set(checked.per_rule) == {"housing must be own or rent", "interval must be any number"}

    splits = split_by_customer(checked.accepted, 0.7, 0.15)
    scalers = fit_scalers(splits["train"])
    prepared = {name: prepare(split, scalers) for name, split in splits.items()}
    data = training_data(prepared["train"], prepared["val"], schema.FEATURES)
    model = fit(data, {"iterations": 5, "loss_function": "MultiClassOneVsAll"}, 5, thread_count=1)
    assert model.feature_names_ == schema.FEATURES

    moved = splits["train"].assign(housing="own", hobbies="chess,third")
    drift = {each.column: each.verdict for each in feature_drift(splits["train"], moved)}
    assert set(drift) == set(schema.FEATURES)
    assert drift["housing"] == drift["hobbies"] == "much drift"
    assert set(_NAMES).isdisjoint({each.column for each in feature_drift(before, rows)})


def test_rows_prepared_before_it_was_added_are_still_restored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The splits of an earlier base date lack the column, and so do their scalers."""
    before, _ = _merged_sample()
    scalers = fit_scalers(before)
    prepared = prepare(before, scalers)
    add_features(monkeypatch, *_ADDED)
    assert list(restore(prepared, scalers).columns) == list(before.columns)


def test_a_file_needs_it_in_its_header(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A file of before is refused with the column's name; one with the column is read."""
    path = tmp_path_factory.mktemp("files") / "features.csv"
    generate(100, _UNTIL, seed=0)[1].to_csv(path, index=False)
    add_features(monkeypatch, _NUMBER)
    with pytest.raises(ValueError, match="the header lacks interval"):
        check_features(path)
    generate(100, _UNTIL, seed=0)[1].to_csv(path, index=False)
    assert check_features(path).frame()["interval"].dtype == "float64"


def _merged_sample() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Merged rows and their features."""
    labels, features = generate(1_500, _UNTIL, seed=0)
    rows = labels.merge(features, on=schema.KEY).assign(**{schema.BASE_DATE: _LATER})
    types = dict.fromkeys(schema.NUMERIC, "float64")
    return rows[schema.MERGED_COLUMNS].astype(types), features

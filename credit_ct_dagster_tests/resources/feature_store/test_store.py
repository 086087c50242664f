"""Loading the source tables, looking labels up, and connections that fail."""

from pathlib import Path

import numpy as np
import pytest

from credit_ct_dagster.errors.inputs import DatabaseUrlError
from credit_ct_dagster.errors.stores import (
    FeatureStoreError,
    FeatureStoreRefusedError,
    FeatureStoreUnavailableError,
    MissingTableError,
)
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.partitions import LabelWindow
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.resources.feature_store.rows import dump, features, labels, load


def test_upsert_replaces_by_key(store: FeatureStore, store_url: str) -> None:
    """Loading again changes values, not the number of rows; a missing value becomes NULL."""
    load(store, labels(), features(("1", "a", "2025-01-01", 30.0)))
    load(store, labels(), features(("1", "a", "2025-01-01", np.nan)))
    rows = dump(store_url, "credit_score_features")
    assert len(rows) == 1
    assert rows[0][schema.FEATURE_COLUMNS.index("age")] is None


def test_columns_that_a_load_leaves_out_stay_unchanged(store: FeatureStore, store_url: str) -> None:
    """A file without personal data does not erase it."""
    whole = features(("1", "a", "2025-01-01", 30.0)).assign(name="Kim")
    load(store, labels(), whole)
    store.upsert({"credit_score_features": whole.drop(columns=["name", "ssn"]).assign(age=31.0)})
    [row] = dump(store_url, "credit_score_features")
    assert row[schema.FEATURE_COLUMNS.index("name")] == "Kim"
    assert row[schema.FEATURE_COLUMNS.index("age")] == 31.0


def test_a_failed_load_writes_nothing(store: FeatureStore) -> None:
    """Labels and features are one transaction."""
    usable = labels(("1", "a", "2025-01-01", "Poor"))
    unusable = features(("1", "a", "2025-01-01", 30.0)).assign(id=None)
    with pytest.raises(FeatureStoreError):
        load(store, usable, unusable)
    assert not store.has_labels()


def test_a_missing_table_is_named(store: FeatureStore) -> None:
    """The message names the table and the way out."""
    with pytest.raises(MissingTableError, match="materialize features_target first"):
        store.read("2025-03-10")
    with pytest.raises(MissingTableError, match=r"credit_score.*load labels and features first"):
        store.merge("2025-03-10")


def test_labels_are_looked_up_by_date(store: FeatureStore) -> None:
    """The newest date up to a day, and the count of a window."""
    assert not store.has_labels()
    load(
        store,
        labels(
            ("1", "a", "2025-03-01", "Poor"),
            ("2", "b", "2025-03-09", "Poor"),
            ("3", "c", "2025-02-29", "Poor"),
        ),
        features(),
    )
    assert store.has_labels()
    assert store.newest_label_date(until="2025-12-31") == "2025-03-09"
    assert store.newest_label_date(until="2025-03-01") == "2025-03-01"
    assert store.newest_label_date(until="2025-03-08") == "2025-03-01"
    assert store.newest_label_date(until="2025-02-01") is None
    assert store.oldest_label_date(since="2025-02-01") == "2025-03-01"
    assert store.oldest_label_date(since="2025-03-02") == "2025-03-09"
    assert store.oldest_label_date(since="2025-03-10") is None
    assert store.labels_in(LabelWindow.of("2025-03-08")) == 1


def test_a_wrong_password_is_reported_and_not_shown(mariadb: MariaDB) -> None:
    """The message names what to check, and does not contain the password."""
    store = FeatureStore(url=f"mysql+pymysql://root:hush@127.0.0.1:{mariadb.port}/mysql")
    with pytest.raises(FeatureStoreRefusedError, match="check user and password") as refused:
        store.row_counts()
    assert "hush" not in str(refused.value)


def test_a_server_that_is_down_is_unavailable() -> None:
    """Steps retry this error: the server may come back."""
    store = FeatureStore(url="mysql+pymysql://root:hush@127.0.0.1:1/mlops")
    with pytest.raises(FeatureStoreUnavailableError, match="does not answer") as refused:
        store.merge("2025-03-10")
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "message"),
    [("nonsense", "not a database URL"), ("postgresql://a:hush@b/c", "only sqlite, mysql")],
)
def test_an_unsupported_url_is_refused(url: str, message: str) -> None:
    """Before a connection is opened; the message does not contain the password."""
    with pytest.raises(DatabaseUrlError, match=message) as refused:
        FeatureStore(url=url).row_counts()
    assert "hush" not in str(refused.value)


def test_a_folder_that_cannot_be_created_is_named(tmp_path: Path) -> None:
    """The message names the folder of the SQLite file."""
    (tmp_path / "file").touch()
    with pytest.raises(FeatureStoreRefusedError, match=r"folder of .*file/x\.db cannot be created"):
        FeatureStore(url=f"sqlite:///{tmp_path}/file/x.db").row_counts()

"""Reading training rows, through ConnectorX and through SQLAlchemy."""

import logging
from datetime import date

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from credit_ct_dagster.loading.sample_data import generate
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.resources.feature_store.rows import load


def test_read_gives_numbers_and_words_with_their_nulls(store: FeatureStore) -> None:
    """NaN for absent numbers, None for absent words, ordered by id; no personal data."""
    labels, features = generate(2_000, date(2025, 3, 10), seed=0)
    load(store, labels, features)
    store.merge("2025-03-10")
    rows = store.read("2025-03-10")
    source = features.set_index("id").loc[rows["id"]].reset_index()
    assert list(rows.columns) == schema.MERGED_COLUMNS
    assert not set(schema.PERSONAL) & set(rows.columns)
    assert rows["id"].is_monotonic_increasing
    for column in schema.NUMERIC:
        assert rows[column].dtype == "float64"
        np.testing.assert_allclose(rows[column], source[column].astype(float), rtol=1e-6)
    for column in schema.WORDS:
        expected = source[column].where(source[column].notna(), None)
        assert rows[column].tolist() == expected.tolist()


def test_an_unmerged_base_date_is_empty(store: FeatureStore) -> None:
    """A base date without rows is no error."""
    load(store, *generate(200, date(2025, 3, 10), seed=0))
    store.merge("2025-03-10")
    assert store.read("2025-03-09").empty


def test_a_url_with_options_is_read_through_sqlalchemy(
    mariadb: MariaDB, caplog: pytest.LogCaptureFixture
) -> None:
    """ConnectorX refuses options such as those of TLS; SQLAlchemy reads the same values."""
    url = mariadb.new_database()
    store = FeatureStore(url=url)
    load(store, *generate(2_000, date(2025, 3, 10), seed=0))
    store.merge("2025-03-10")
    with caplog.at_level(logging.INFO):
        other = FeatureStore(url=f"{url}?charset=utf8mb4").read("2025-03-10")
    assert "through SQLAlchemy" in caplog.text
    pd.testing.assert_frame_equal(other, store.read("2025-03-10"))


def test_a_password_may_hold_what_a_url_reserves(mariadb: MariaDB) -> None:
    """SQLAlchemy and ConnectorX both decode it."""
    url = mariadb.new_database()
    name = sa.make_url(url).database
    load(FeatureStore(url=url), *generate(200, date(2025, 3, 10), seed=0))
    mariadb.execute(
        f"CREATE USER {name}@'127.0.0.1' IDENTIFIED BY 'p@s/s:%%#'",
        f"GRANT ALL ON {name}.* TO {name}@'127.0.0.1'",
    )
    odd = sa.make_url(url).set(username=name, password="p@s/s:%#")
    store = FeatureStore(url=odd.render_as_string(hide_password=False))
    store.merge("2025-03-10")
    assert len(store.read("2025-03-10")) > 10

"""Feature rows without a date, which other people's tables may have."""

import pytest

from credit_ct_dagster.errors.stores import RepeatedKeysError
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster_tests.resources.feature_store.foreign_tables import by_pandas
from credit_ct_dagster_tests.resources.feature_store.rows import features, labels

_BASE_DT = "2025-01-31"


def _ages(store: FeatureStore) -> list[tuple[str, float]]:
    return [*store.read(_BASE_DT)[["id", "age"]].itertuples(index=False, name=None)]


def test_features_without_a_date_lose_against_any(store: FeatureStore) -> None:
    """Also against those after the base date; alone they count, but not at a point in time."""
    by_pandas(
        store,
        labels(*((str(n), "c", "2025-01-10", "Poor") for n in range(1, 5))),
        features(
            ("1", "c", None, 1.0),
            ("1", "c", "2025-01-05", 1.5),
            ("2", "c", "2025-02-05", 2.5),
            ("2", "c", None, 2.0),
            ("3", "c", None, 3.0),
            ("4", "c", "2025-02-06", 4.5),
        ),
    )
    types = ["TEXT"] if store.url.startswith("sqlite") else ["TEXT", "DATE", "DATETIME"]
    for type_ in types:
        if type_ != "TEXT":
            with store.database.engine.begin() as connection:
                connection.exec_driver_sql(f"ALTER TABLE credit_score_features MODIFY date {type_}")
        merged = store.merge(_BASE_DT, point_in_time=False)
        assert _ages(store) == [("1", 1.5), ("2", 2.5), ("3", 3.0), ("4", 4.5)]
        assert (merged.rows_inserted, merged.rows_superseded) == (4, 2)
        assert store.source_rows(_BASE_DT, point_in_time=False).equals(store.read(_BASE_DT))
        assert store.merge(_BASE_DT).labels_with_later_features == 3
        assert _ages(store) == [("1", 1.5)]


def test_several_features_without_a_date_are_repeated_keys(store: FeatureStore) -> None:
    """The sentence names the table. Beside a row with a date they all lose."""
    undated = [("1", "c", None, 1.0), ("1", "c", None, 2.0)]
    found_labels = labels(("1", "c", "2025-01-10", "Poor"))
    by_pandas(store, found_labels, features(*undated))
    with pytest.raises(RepeatedKeysError, match=r"1 rows of credit_score_features .*whole key"):
        store.merge(_BASE_DT, point_in_time=False)
    with store.database.engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO credit_score_features (id, customer_id, date, age)"
            " VALUES ('1', 'c', '2025-03-01', 3.0)"
        )
    assert store.merge(_BASE_DT, point_in_time=False).rows_superseded == 2
    assert _ages(store) == [("1", 3.0)]

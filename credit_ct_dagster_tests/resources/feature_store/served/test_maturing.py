"""The prediction days that later labels may belong to."""

import pytest

from credit_ct_dagster.resources.feature_store.arrivals import Arrivals
from credit_ct_dagster.resources.feature_store.served.answers import ServedAnswers
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster_tests.served_rows import MODEL, label, log, noon, request, score


def _arrived(store: FeatureStore, seen: str, *rows: tuple[str, str, str, str]) -> None:
    """Labels that the ledger first saw at noon of a day."""
    label(store, *rows)
    Arrivals(store.database).record(now=noon(seen))


_ALWAYS = ("1900-01-01", "9999-12-31")


def _days(
    store: FeatureStore,
    since: str,
    label_days: int = 31,
    within: tuple[str, str] = _ALWAYS,
) -> list[str]:
    return ServedAnswers(store.database, MODEL).labels_arrived_since(
        noon(since), *within, label_days=label_days
    )


@pytest.mark.parametrize("source", ["request", "batch"])
def test_days_whose_window_has_a_new_label(store: FeatureStore, source: str) -> None:
    """Of all days with answers, those from whose features on it is dated within the window."""
    for day in ("2025-02-07", "2025-02-08", "2025-03-11", "2025-03-12"):
        if source == "request":
            log(store, request(day, day, "c"))
        else:
            score(store, day, ("1", "c", day, "Good"))
    _arrived(store, "2025-04-01", ("1", "c", "2025-03-11", "Good"))
    assert _days(store, "2025-03-31") == ["2025-02-08", "2025-03-11"]
    assert _days(store, "2025-03-31", label_days=30) == ["2025-03-11"]
    assert _days(store, "2025-03-31", within=("2025-02-09", "2025-03-11")) == ["2025-03-11"]
    assert _days(store, "2025-04-01") == []


def test_older_features_begin_a_window_earlier(store: FeatureStore) -> None:
    """A label that is dated before the answer belongs to it, too."""
    log(store, request("r", "2025-03-12", "c", feature_date="2025-03-01"))
    score(store, "2025-03-13", ("1", "c", "2025-03-02", "Good"))
    log(store, request("s", "2025-03-14", "c", feature_date="2025-02-30"))
    _arrived(store, "2025-04-01", ("1", "c", "2025-03-02", "Good"))
    assert _days(store, "2025-03-31") == ["2025-03-12", "2025-03-13"]


def test_a_date_of_another_century_is_looked_up_as_any_other(store: FeatureStore) -> None:
    """And one that is no day is left out."""
    log(store, request("r", "2025-03-12", "c"))
    _arrived(
        store, "2025-04-01",
        ("1", "c", "2025-02-29", "Good"), ("2", "c", "1925-03-12", "Good"),
        ("3", "c", "9999-12-31", "Good"), ("4", "c", "2025-03-12", "Good"),
    )  # fmt: skip
    assert _days(store, "2025-03-31") == ["2025-03-12"]


def test_other_models_have_no_such_days(store: FeatureStore) -> None:
    """Only answers of this one are looked at."""
    log(store, request("r", "2025-03-12", "c", model_tag="another:first"))
    score(store, "2025-03-12", ("1", "c", "2025-03-12", "Good"), model_name="another")
    _arrived(store, "2025-04-01", ("4", "c", "2025-03-12", "Good"))
    assert _days(store, "2025-03-31") == []

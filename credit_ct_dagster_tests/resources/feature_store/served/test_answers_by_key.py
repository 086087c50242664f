"""Answers that are looked up by their keys."""

import pandas as pd

from credit_ct_dagster.modeling.watching import columns
from credit_ct_dagster.resources.feature_store.served.answers import ServedAnswers
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster_tests.served_rows import MODEL, label, log, request, score

_DAY = "2025-03-10"


def test_answers_of_several_days_are_found_by_their_keys(store: FeatureStore) -> None:
    """Each as its day has it, with the label that it has there; others are left out."""
    days = [_DAY, "2025-03-11"]
    for day in days:
        log(store, *(request(f"{name}-{day}", day, name) for name in ("a", "b", "'|%s")))
        score(
            store, day, ("1", "a", _DAY, "Good"), ("1", "b", _DAY, "Poor"), ("|", "|", _DAY, "Good")
        )
    label(
        store,
        ("1", "a", _DAY, "Good"),
        ("2", "a", "2025-03-11", "Poor"),
        ("3", "'|%s", "2025-03-12", "Poor"),
    )
    served = ServedAnswers(store.database, MODEL)
    whole = pd.concat([served.of_day(day).assign(day=day) for day in days], ignore_index=True)
    keys = whole[[columns.DAY, columns.SOURCE, columns.KEY]]
    expected = whole[[columns.DAY, *columns.ANSWERS]]
    pd.testing.assert_frame_equal(served.of_keys(keys.sample(frac=1, random_state=0)), expected)
    some = [0, 2, 4, 7]
    pd.testing.assert_frame_equal(
        served.of_keys(keys.iloc[some]), expected.iloc[some].reset_index(drop=True)
    )
    foreign = keys.iloc[:4].assign(key=[f"1|c|{_DAY}", "x", "|", ""])
    assert served.of_keys(foreign).empty
    assert served.of_keys(keys.head(0)).columns.tolist() == [columns.DAY, *columns.ANSWERS]

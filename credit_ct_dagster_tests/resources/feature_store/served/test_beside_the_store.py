"""Features as they were served, beside those that the feature store had when it was asked."""

import zlib
from datetime import timedelta

import numpy as np

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.resources.feature_store.served.answers import ServedAnswers
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster_tests.served_rows import MODEL, describe, log, noon, request

_DAY = "2025-03-10"


def _served(store: FeatureStore) -> ServedAnswers:
    return ServedAnswers(store.database, MODEL)


def test_served_values_are_beside_those_of_the_store(store: FeatureStore) -> None:
    """Each as it is: what JSON holds, and what the pipeline would read."""
    log(
        store,
        request("r", _DAY, "c", features={"age": "31", "annual_income": 0.1, "occupation": "ä"}),
        request("s", _DAY, "d", features={"age": None}),
    )
    describe(
        store,
        ("1", "c", _DAY, {"age": 31.0, "annual_income": 0.1, "occupation": " Ä "}),
        ("2", "d", "2025-02-28", {"age": None, "occupation": None}),
    )
    found = _served(store).beside_the_store(_DAY, most_rows=10)
    assert found.served.index.tolist() == found.stored.index.tolist() == ["r", "s"]
    assert found.customers.tolist() == ["c", "d"]
    assert found.customers.index.equals(found.served.index)
    assert found.served.loc["r", ["age", "annual_income", "occupation"]].tolist() == [
        "31",
        0.1,
        "ä",
    ]
    assert found.served.loc["s", "age"] is None
    single = found.stored.loc["r", "annual_income"]
    assert single == (0.1 if store.database.file else float(np.float32(0.1)))
    assert found.stored.loc["r", "occupation"] == "Ä"
    assert np.isnan(found.stored.loc["s", "age"])
    assert found.stored.loc["s", "occupation"] is None
    assert set(found.served.dtypes) == {np.dtype(object)}
    assert {str(found.stored[name].dtype) for name in schema.NUMERIC} == {"float64"}


def test_the_store_is_asked_for_the_newest_row_of_the_time(store: FeatureStore) -> None:
    """Of the customer, dated up to the day of the features and not over a month before."""
    rows = {"2025-02-01": 1.0, "2025-02-20": 2.0, _DAY: 3.0, "2025-03-11": 4.0}
    describe(
        store,
        *((f"i{age}", "c", day, {"age": age}) for day, age in rows.items()),
        ("9", "same day", _DAY, {"age": 9.0}),
        ("10", "same day", _DAY, {"age": 10.0}),
        ("1", "old", "2025-02-06", {"age": 5.0}),
        ("1", "month", "2025-02-07", {"age": 6.0}),
        ("1", "C", _DAY, {"age": 7.0}),
        ("1", "odd", "2025-02-29", {"age": 8.0}),
    )
    asked = {
        "today": ("c", None), "looked up": ("c", "2025-02-28"), "on the day": ("c", "2025-02-20"),
        "same": ("same day", None), "old": ("old", None), "month": ("month", None),
        "odd": ("odd", None), "nobody": (None, None), "unknown": ("x", None),
    }  # fmt: skip
    log(store, *(request(key, _DAY, who, feature_date=day) for key, (who, day) in asked.items()))
    found = _served(store).beside_the_store(_DAY, most_rows=100)
    assert found.stored["age"].to_dict() == {
        "today": 3.0, "looked up": 2.0, "on the day": 2.0, "same": 9.0, "month": 6.0,
    }  # fmt: skip
    assert (found.without_row, found.without_customer, found.requests) == (3, 1, 9)


def test_without_a_table_of_features_no_request_has_a_row(store: FeatureStore) -> None:
    """They are counted."""
    log(store, request("r", _DAY, "c"), request("s", _DAY, None))
    found = _served(store).beside_the_store(_DAY, most_rows=10)
    assert found.served.empty
    assert found.stored.empty
    assert (found.without_row, found.without_customer, found.requests) == (1, 1, 2)


def test_a_comparison_is_sampled_by_customer(store: FeatureStore) -> None:
    """The whole day is counted, the sample is compared."""
    customers = sorted((f"c{n}" for n in range(20)), key=lambda name: zlib.crc32(name.encode()))
    log(
        store,
        *(request(f"r-{each}", _DAY, each) for each in [*customers]),
        request("s", _DAY, None),
    )
    describe(store, *((each, each, _DAY, {}) for each in customers[1:]))
    found = _served(store).beside_the_store(_DAY, most_rows=5)
    assert {*found.customers} == {*customers[1:5]}
    assert (found.without_row, found.without_customer, found.requests) == (1, 1, 21)


def test_a_row_that_came_after_the_answer_is_not_what_the_store_had(store: FeatureStore) -> None:
    """By the ledger of arrivals; what it does not know, or found at its beginning, was there."""
    asked, later = noon(_DAY), noon(_DAY) + timedelta(hours=2)
    describe(
        store,
        *(("0", customer, "2025-03-01", {"age": 1.0}) for customer in ("c", "changed")),
        ("0", "c", "2025-02-20", {"age": 0.0}),
    )
    store.arrivals.record(now=later)
    describe(
        store,
        *(("1", customer, _DAY, {"age": 2.0}) for customer in ("c", "new")),
        ("0", "changed", "2025-03-01", {"age": 3.0}),
    )
    store.arrivals.record(now=later)
    describe(store, ("1", "unseen", _DAY, {"age": 4.0}))
    log(
        store,
        *(request(f"{who} then", asked, who) for who in ("c", "new", "changed", "unseen")),
        *(request(f"{who} later", later, who) for who in ("c", "new", "changed")),
    )
    found = _served(store).beside_the_store(_DAY, most_rows=100)
    assert found.stored["age"].to_dict() == {
        "c then": 1.0, "c later": 2.0, "new later": 2.0, "changed later": 3.0, "unseen then": 4.0,
    }  # fmt: skip
    assert found.later["age"].to_dict() == {"c then": 2.0}
    assert [each["age"].to_dict() for each in found.older] == [
        {"c then": 0.0, "c later": 1.0}, {"c later": 0.0}, {},
    ]  # fmt: skip
    assert (found.without_row, found.not_known_then, found.requests) == (0, 2, 7)

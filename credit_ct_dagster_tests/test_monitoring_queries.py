"""The queries of the documentation of what was served, on each kind of database."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster_tests.served_rows import TAG, describe, label, log, request

_PAGE = Path(__file__).parents[1] / "docs" / "monitoring.md"
_RUNBOOK = _PAGE.with_name("runbook.md")
_DAY = "2025-07-01"


def _queries() -> list[str]:
    return re.findall(r"```sql\n(.*?)```", _PAGE.read_text("utf8"), flags=re.DOTALL)


@pytest.fixture
def store(store_url: str) -> FeatureStore:
    """Three answers of the day that the page asks for, one of which has no label yet."""
    store = FeatureStore(url=store_url)
    store.create_missing_tables()
    describe(store, *((name, name, "2025-06-29", {"credit_history_age": 240}) for name in "ab"))
    store.arrivals.record(now=datetime(2025, 6, 30, tzinfo=UTC))
    years = {"credit_history_age": 20.0}
    log(
        store,
        request("1", _DAY, "a", "Poor", features=years),
        request("2", _DAY, "b", "Good", features=years),
        request("3", _DAY, "c", "Good"),
        request("4", "2025-07-02", "d", "Good"),
    )
    label(store, ("begins", "x", "2025-05-01", "Good"))
    store.arrivals.record(now=datetime(2025, 6, 30, 1, tzinfo=UTC))
    label(store, ("a", "a", _DAY, "Poor"), ("b", "b", "2025-07-15", "Standard"))
    store.arrivals.record(now=datetime(2025, 7, 31, 3, tzinfo=UTC))
    label(store, ("b", "b", "2025-07-15", "Poor"))
    store.arrivals.record(now=datetime(2025, 8, 2, tzinfo=UTC))
    return store


def test_the_queries_of_the_page_give_the_right_values(store: FeatureStore) -> None:
    """A person who copies a query from docs/monitoring.md gets what the page says, on both."""
    with store.database.engine.connect() as connection:
        # The driver of MySQL would take a % for its own.
        found = [connection.execute(sa.text(each)).all() for each in _queries()]

    accuracy, confusion, arrived, corrected, units, hours = found
    [(tag, answers, labelled, right)] = accuracy
    assert (tag, answers, labelled, float(right)) == (TAG, 3, 2, 0.5)
    assert [tuple(row) for row in confusion] == [("Poor", "Good", 1), ("Poor", "Poor", 1)]
    assert [tuple(row) for row in arrived] == [(_DAY, "2025-07-31", 1)]
    [(row_id, customer, day, states, first, last)] = corrected
    assert (row_id, customer, day, states) == ("b", "b", "2025-07-15", 2)
    assert str(first) < str(last)
    [(requests, quotient)] = units
    assert (requests, float(quotient)) == (2, pytest.approx(1 / 12))
    assert [tuple(row) for row in hours] == [
        ("2025-07-01 03", TAG, "Good", 2),
        ("2025-07-01 03", TAG, "Poor", 1),
    ]


def test_the_query_of_the_runbook_finds_a_unit(store: FeatureStore) -> None:
    """Per hour of the day and package; neither other days nor other models are in it."""
    log(
        store,
        request("5", _DAY, "a", "Poor", model_tag="other:1", features={"credit_history_age": 1.0}),
    )
    text = _RUNBOOK.read_text("utf8")
    section = text[text.index("### CT-CHECK-SERVED-FEATURES-AGREE-WITH-THE-STORE") :]
    [query] = re.findall(r"```sql\n(.*?)```", section, flags=re.DOTALL)[:1]
    with store.database.engine.connect() as connection:
        [(hour, tag, requests, quotient)] = connection.execute(sa.text(query)).all()
    assert (hour, tag, requests) == ("2025-07-01 03", TAG, 2)
    assert float(quotient) == pytest.approx(1 / 12)

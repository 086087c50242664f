"""What the ledger of arrivals has, for tests."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa

from credit_ct_dagster.resources.feature_store.arrival_lines import arrivals_table
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.resources.feature_store.tables import FEATURES, LABELS
from credit_ct_dagster_tests.resources.feature_store.rows import features, labels

BEGAN = datetime(2025, 3, 1, 3, 0, tzinfo=UTC)
"""Noon in Seoul."""


class Line(NamedTuple):
    """One line of the ledger."""

    table_name: str
    id: str
    customer_id: str
    date: str
    fingerprint: str
    first_seen: datetime
    since_the_beginning: bool


def lines_of(store: FeatureStore, table_name: str | None = None) -> list[Line]:
    """The lines with a key, by key and moment."""
    table = arrivals_table()
    query = sa.select(table).where(table.c.date != "")
    if table_name:
        query = query.where(table.c.table_name == table_name)
    with sa.create_engine(store.url, poolclass=sa.NullPool).connect() as connection:
        found = [Line(*row) for row in connection.execute(query)]
    found = [each._replace(first_seen=each.first_seen.replace(tzinfo=UTC)) for each in found]
    return sorted(found, key=lambda line: (*line[:4], line.first_seen))


def fingerprints_of(store: FeatureStore, table_name: str) -> dict[tuple[str, str, str], str]:
    """The fingerprint of each row, which has one line."""
    lines = lines_of(store, table_name)
    found = {(line.id, line.customer_id, line.date): line.fingerprint for line in lines}
    assert len(found) == len(lines)
    return found


def at(days: int, hours: int = 0) -> datetime:
    """So long after the ledger began."""
    return BEGAN + timedelta(days=days, hours=hours)


def begun(store: FeatureStore) -> FeatureStore:
    """A store whose ledger began with one label and one feature row."""
    store.upsert(
        {
            LABELS: labels(("1", "a", "2025-01-05", "Poor")),
            FEATURES: features(("1", "a", "2025-01-05", 30.0)),
        }
    )
    assert store.arrivals.record(now=BEGAN) == {LABELS: 1, FEATURES: 1}
    return store

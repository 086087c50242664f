"""What the ledger of arrivals answers: what was known when, and how late labels come."""

from datetime import datetime

import sqlalchemy as sa

from credit_ct_dagster.resources.feature_store.arrival_lines import stored
from credit_ct_dagster.resources.feature_store.expressions import Sources
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.resources.feature_store.tables import FEATURES, LABELS
from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.platform import REPOSITORY
from credit_ct_dagster_tests.resources.feature_store.ledger import at, begun
from credit_ct_dagster_tests.resources.feature_store.rows import features, labels


def _known(store: FeatureStore, moment: datetime) -> list[str]:
    """The labels that were known at a moment, as `ServedAnswers` asks for them."""
    with store.database.transaction() as connection:
        condition = store.arrivals.known_by(connection, Sources.of(connection))
        query = f"SELECT id FROM credit_score AS label WHERE {condition} ORDER BY id"
        values = {"known_at": stored(moment)} if ":known_at" in condition else {}
        return [str(found) for found in connection.scalars(sa.text(query), values)]


def test_what_was_known_when_is_a_condition_on_labels(store: FeatureStore) -> None:
    """Until its moment a label is hidden; a corrected one until its correction was seen."""
    store.create_missing_tables()
    assert _known(store, at(-9)) == []
    begun(store)
    store.upsert({LABELS: labels(("2", "b", "2025-01-06", "Good"))})
    store.arrivals.record(now=at(1))
    assert [_known(store, at(days)) for days in (-9, 0, 1)] == [["1"], ["1"], ["1", "2"]]
    store.upsert({LABELS: labels(("2", "b", "2025-01-06", "Poor"))})
    assert _known(store, at(2)) == ["1"], "not seen yet"
    store.arrivals.record(now=at(3))
    assert [_known(store, at(days)) for days in (2, 3)] == [["1"], ["1", "2"]]


def test_all_labels_are_known_as_long_as_there_is_no_complete_ledger(store: FeatureStore) -> None:
    """Of none of them it is known when it came."""
    store.upsert({LABELS: labels(("1", "a", "2025-01-05", "Poor"))})
    assert _known(store, at(-9)) == ["1"]
    store.arrivals.record([FEATURES])
    assert _known(store, at(-9)) == ["1"]


def test_delays_are_those_of_labels_that_arrived(store: FeatureStore) -> None:
    """By days in Seoul; neither what was there before nor a correction is a late label."""
    begun(store)
    for days, ids in {0: "b", 4: "cdef", 8: "ghij"}.items():
        store.upsert({LABELS: labels(*((each, "c", "2025-03-01", "Good") for each in ids))})
        store.arrivals.record([LABELS], now=at(days))
    # 16:00 in London is the next day in Seoul.
    store.upsert({LABELS: labels(("k", "c", "2025-03-01", "Good"))})
    store.arrivals.record([LABELS], now=at(8, hours=13))
    corrected, odd = ("1", "a", "2025-01-05", "Good"), ("20", "c", "2025-02-29", "Good")
    store.upsert({LABELS: labels(corrected, odd)})
    store.arrivals.record([LABELS], now=at(9))
    delays = store.arrivals.delays(days=62, now=at(10))
    assert delays is not None
    assert delays.quantiles == {0.1: 0, 0.5: 4, 0.9: 8, 1.0: 9}
    assert (delays.labels, delays.changed) == (10, {LABELS: 1})
    assert "half came within 4 days of their date, 80 % after 0 to 8 days" in str(delays)
    lately = store.arrivals.delays(days=1, now=at(9, hours=12))
    assert lately is not None
    assert (lately.labels, set(lately.quantiles.values())) == (1, {9})


def test_a_time_without_labels_has_no_delay(store: FeatureStore) -> None:
    """The sentence says so, and that labels loaded before the ledger began are not meant."""
    delays = begun(store).arrivals.delays(days=7)
    assert delays is not None
    assert str(delays) == (
        "arrivals are recorded since 2025-03-01 12:00 Asia/Seoul; except for what was there by"
        " then, no label arrived in the last 7 days"
    )


def test_the_questions_of_the_documentation_are_answered(mariadb: MariaDB) -> None:
    """Delays, corrections, and features that came after their label."""
    store = begun(FeatureStore(url=mariadb.new_database()))
    store.upsert(
        {LABELS: labels(("1", "a", "2025-01-05", "Good"), ("2", "b", "2025-01-06", "Good"))}
    )
    store.arrivals.record(now=at(1))
    store.upsert({FEATURES: features(("2", "b", "2025-01-06", 30.0))})
    store.arrivals.record(now=at(2))
    text = (REPOSITORY / "docs" / "decisions" / "0028-arrivals.md").read_text()
    block = text.partition("```sql\n")[2].partition("```")[0]
    with store.database.transaction() as connection:
        delays, corrected, later = (
            [tuple(row) for row in connection.execute(sa.text(question))]
            for question in block.split(";")[:-1]
        )
    assert delays == [(55, 1), (56, 1)]
    assert [row[:4] for row in corrected] == [("1", "a", "2025-01-05", 2)]
    assert [row[:3] for row in later] == [("2", "b", "2025-01-06")]

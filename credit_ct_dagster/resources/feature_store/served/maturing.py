"""Which prediction days have answers that later labels may belong to."""

from datetime import datetime

from credit_ct_dagster.days import days_after
from credit_ct_dagster.resources.feature_store.arrival_lines import stored
from credit_ct_dagster.resources.feature_store.arrow import TEXT
from credit_ct_dagster.resources.feature_store.served.labels import is_dated
from credit_ct_dagster.resources.feature_store.served.tables import ServedTables

_DATE = "feature_date"
_MOST = 1_000


def days_with_later_labels(
    tables: ServedTables, moment: datetime, within: tuple[str, str], label_days: int
) -> list[str]:
    """See `ServedAnswers.labels_arrived_since`."""
    if not tables.has_ledger:
        return []
    arrived = tables.read("arrived_label_days", {"label_day": TEXT}, {"moment": stored(moment)})
    labelled = sorted(filter(is_dated, arrived["label_day"].to_pylist()))
    # Features are never younger than the day on which they were answered by, and seldom older
    # than a label window.
    days = {
        days_after(each, days) for each in labelled for days in range(-label_days, label_days + 1)
    }
    first, last = within
    # A ledger that has just begun holds the labels of years.
    return [
        day
        for day in sorted(days)
        if first <= day <= last
        and (earliest := _earliest_features(tables, day)) is not None
        and any(earliest <= each <= days_after(day, label_days) for each in labelled)
    ]


def _earliest_features(tables: ServedTables, day: str) -> str | None:
    """The earliest day of features among some answers of a day; None if it has no answers."""
    values = tables.of_day(day) | {"most": _MOST}
    dates: list[str | None] = []
    for name, exist in (
        ("some_dates_of_requests", tables.has_log),
        ("some_dates_of_scores", tables.has_scores),
    ):
        if exist:
            dates += tables.read(name, {_DATE: TEXT}, values)[_DATE].to_pylist()
    return min((each if is_dated(each) else day for each in dates), default=None)

"""What happened that people should know of, after a position in Dagster's history."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import dagster as dg

from credit_ct_dagster.contracts.record import Part, Record
from credit_ct_dagster.partitions import Calendar, base_dates_after

_FETCHED = 100
_Outcome = Literal[dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.RUN_SUCCESS]


class ReportedEvent(Part):
    """The last event of its kind that was reported.

    Attributes:
        number: Dagster's number of it.
        at: When it happened, in seconds since 1970.
    """

    number: int = -1
    at: float = 0.0

    @classmethod
    def of(cls, record: dg.EventLogRecord) -> "ReportedEvent":
        """This event."""
        return cls(number=record.storage_id, at=record.timestamp)


class AlertCursor(Record):
    """Up to where a channel has reported what happened: the cursor of its sensor.

    Attributes:
        failed: The last failure.
        succeeded: The last success.
        due: The last base date that was looked for when it was due; None if none was due yet.
    """

    REMEDY: ClassVar[str] = "reset the cursor of the sensor in the UI"

    failed: ReportedEvent
    succeeded: ReportedEvent
    due: str | None

    @classmethod
    def now(cls, instance: dg.DagsterInstance, calendar: Calendar) -> "AlertCursor":
        """After everything that has happened so far."""
        return cls(
            failed=_newest(instance, dg.DagsterEventType.RUN_FAILURE),
            succeeded=_newest(instance, dg.DagsterEventType.RUN_SUCCESS),
            due=calendar.newest_due(),
        )


@dataclass(frozen=True)
class RunFailed:
    """A run failed."""

    run: dg.DagsterRun


@dataclass(frozen=True)
class RunSucceeded:
    """A run succeeded; some of its checks may have failed."""

    run: dg.DagsterRun


@dataclass(frozen=True)
class BaseDateDue:
    """A base date should have been trained by now."""

    base_dt: str


Event = RunFailed | RunSucceeded | BaseDateDue


def pending_events(
    instance: dg.DagsterInstance, calendar: Calendar, cursor: AlertCursor
) -> Iterator[tuple[Event, AlertCursor]]:
    """What happened after a cursor: failures, base dates that became due, then successes.

    Yields:
        An event, and the cursor to continue from once it is reported.
    """
    for failed, run in _ended(instance, dg.DagsterEventType.RUN_FAILURE, cursor.failed):
        cursor = cursor.model_copy(update={"failed": failed})
        yield RunFailed(run), cursor
    due = calendar.newest_due()
    if due is not None:
        for base_dt in base_dates_after(cursor.due, due) if cursor.due else [due]:
            cursor = cursor.model_copy(update={"due": base_dt})
            yield BaseDateDue(base_dt), cursor
    for succeeded, run in _ended(instance, dg.DagsterEventType.RUN_SUCCESS, cursor.succeeded):
        cursor = cursor.model_copy(update={"succeeded": succeeded})
        yield RunSucceeded(run), cursor


def _newest(instance: dg.DagsterInstance, outcome: _Outcome) -> ReportedEvent:
    records = instance.fetch_run_status_changes(outcome, limit=1).records
    return ReportedEvent.of(records[0]) if records else ReportedEvent()


def _ended(
    instance: dg.DagsterInstance, outcome: _Outcome, after: ReportedEvent
) -> Iterator[tuple[ReportedEvent, dg.DagsterRun]]:
    records = instance.fetch_run_status_changes(
        _later(instance, outcome, after), ascending=True, limit=_FETCHED
    ).records
    for record in records:
        run = instance.get_run_by_id(record.event_log_entry.run_id)
        if run is not None:  # deleted since
            yield ReportedEvent.of(record), run


def _later(
    instance: dg.DagsterInstance, outcome: _Outcome, after: ReportedEvent
) -> dg.RunStatusChangeRecordsFilter:
    """By number, as events are stored; by time when the last reported event was deleted.

    SQLite gives the numbers of deleted events to later ones.
    """
    same = dg.RunStatusChangeRecordsFilter(outcome, storage_ids=[after.number])
    if after in map(ReportedEvent.of, instance.fetch_run_status_changes(same, limit=1).records):
        return dg.RunStatusChangeRecordsFilter(outcome, after_storage_id=after.number)
    return dg.RunStatusChangeRecordsFilter(outcome, after_timestamp=after.at)

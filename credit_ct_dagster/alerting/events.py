"""What happened that people should know of, after a position in Dagster's history."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import dagster as dg

from credit_ct_dagster.alerting.backfills import BackfillFailed, failed_backfills
from credit_ct_dagster.contracts.record import Part, Record
from credit_ct_dagster.partitions import Calendar, base_dates_after
from credit_ct_dagster.runs.model_runs import ModelRuns

_FETCHED = 100
_UNDELIVERABLE_LISTED = 20
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


class UndeliverableAlert(Part):
    """An alert that a channel refused, and that is not sent again.

    Attributes:
        subject: Its subject.
        run_id: The run that it is about; None if there was no run.
    """

    subject: str
    run_id: str | None = None


class AlertCursor(Record):
    """Up to where a channel has reported what happened: the cursor of its sensor.

    Attributes:
        failed: The last failure.
        succeeded: The last success.
        due: The last base date that was looked for when it was due; None if none was due yet.
        health_due: The last day whose health was looked for when it was due; None in what earlier
            releases stored.
        backfills: When the last failed backfill that was reported had ended, in seconds since 1970;
            None in what earlier releases stored.
        undeliverable: The last alerts that the channel refused.
    """

    REMEDY: ClassVar[str] = "reset the cursor of the sensor in the UI"

    failed: ReportedEvent
    succeeded: ReportedEvent
    due: str | None
    health_due: str | None = None
    backfills: float | None = None
    undeliverable: tuple[UndeliverableAlert, ...] = ()

    def without(self, refused: Sequence[UndeliverableAlert]) -> "AlertCursor":
        """The same position, after which these alerts are not sent again."""
        last = (*self.undeliverable, *refused)[-_UNDELIVERABLE_LISTED:]
        return self.model_copy(update={"undeliverable": last})

    @classmethod
    def now(cls, instance: dg.DagsterInstance, calendar: Calendar) -> "AlertCursor":
        """After everything that has happened so far."""
        return cls(
            failed=_newest(instance, dg.DagsterEventType.RUN_FAILURE),
            succeeded=_newest(instance, dg.DagsterEventType.RUN_SUCCESS),
            backfills=_last_ended(instance),
            due=calendar.newest_due(calendar.training_due),
            health_due=calendar.newest_due(calendar.health_due),
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
    """A base date should have been trained by now: by `due` minutes after midnight."""

    base_dt: str
    due: int


@dataclass(frozen=True)
class HealthDue:
    """It should be known by now how the champion did on a day: by `due` minutes after midnight."""

    base_dt: str
    due: int


Event = RunFailed | RunSucceeded | BaseDateDue | HealthDue | BackfillFailed


def pending_events(
    runs: ModelRuns, calendar: Calendar, cursor: AlertCursor
) -> Iterator[tuple[Event | None, AlertCursor]]:
    """What happened to a model after a cursor: failures, what was due, then successes.

    Of a backfill that failed before it started a run, the model is not known: everybody is alerted.

    Yields:
        An event, and the cursor to continue from once it is reported; None for one that is not
        about this model.
    """
    for failed, run in _ended(runs, dg.DagsterEventType.RUN_FAILURE, cursor.failed):
        cursor = cursor.model_copy(update={"failed": failed})
        yield RunFailed(run) if run else None, cursor
    if cursor.backfills is None:
        cursor = cursor.model_copy(update={"backfills": _last_ended(runs.instance)})
        yield None, cursor
    for backfill in failed_backfills(runs.instance, after=cursor.backfills or 0.0):
        cursor = cursor.model_copy(update={"backfills": backfill.ended})
        yield backfill, cursor
    due = calendar.newest_due(calendar.training_due)
    if due is not None:
        for base_dt in base_dates_after(cursor.due, due) if cursor.due else [due]:
            cursor = cursor.model_copy(update={"due": base_dt})
            yield BaseDateDue(base_dt, calendar.training_due), cursor
    due = calendar.newest_due(calendar.health_due)
    if due is not None:
        known = cursor.health_due
        for base_dt in base_dates_after(known, due) if known else [due]:
            cursor = cursor.model_copy(update={"health_due": base_dt})
            # Before the first one, nobody may have looked yet.
            yield HealthDue(base_dt, calendar.health_due) if known else None, cursor
    for succeeded, run in _ended(runs, dg.DagsterEventType.RUN_SUCCESS, cursor.succeeded):
        cursor = cursor.model_copy(update={"succeeded": succeeded})
        yield RunSucceeded(run) if run else None, cursor


def _last_ended(instance: dg.DagsterInstance) -> float:
    return max((each.ended for each in failed_backfills(instance)), default=0.0)


def _newest(instance: dg.DagsterInstance, outcome: _Outcome) -> ReportedEvent:
    records = instance.fetch_run_status_changes(outcome, limit=1).records
    return ReportedEvent.of(records[0]) if records else ReportedEvent()


def _ended(
    runs: ModelRuns, outcome: _Outcome, after: ReportedEvent
) -> Iterator[tuple[ReportedEvent, dg.DagsterRun | None]]:
    records = runs.instance.fetch_run_status_changes(
        _later(runs.instance, outcome, after), ascending=True, limit=_FETCHED
    ).records
    for record in records:
        run = runs.instance.get_run_by_id(record.event_log_entry.run_id)
        # One of no known model failed before it began: everybody may need to know.
        ours = run is not None and runs.may_own(run)  # None: deleted since
        yield ReportedEvent.of(record), run if ours else None


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

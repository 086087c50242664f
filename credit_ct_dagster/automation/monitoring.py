"""When what was served is looked at: every day, and again when labels arrive."""

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import ClassVar
from zoneinfo import ZoneInfo

import dagster as dg
from pydantic import AwareDatetime

from credit_ct_dagster.automation.base_date_runs import FAILED
from credit_ct_dagster.contracts.record import Record
from credit_ct_dagster.days import days_before
from credit_ct_dagster.partitions import PARTITION_TAG, TIMEZONE, Calendar, day_of, end_of
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.resources.trained_model import TrainedModel
from credit_ct_dagster.runs.cursors import stored_cursor
from credit_ct_dagster.runs.hours import Hours, cron, shown
from credit_ct_dagster.runs.model_runs import ModelRuns
from credit_ct_dagster.runs.purposes import CUSTOMER_SCORES, MATURING_LABELS, MONITORING

_DAYS = 62
"""Two label windows: of older answers, hardly a label is still to come."""
_OVERLAP = timedelta(minutes=10)
"""A transaction records when it saw a label first, and ends later: for as long, it is not seen."""
_LAST = {"dagster/priority": "-1"}
"""Of runs that may be many: in the queue, they let training pass."""


class MaturingCursor(Record):
    """What `maturing_labels_sensor` saw at its last tick.

    Attributes:
        seen: The moment of that tick: labels that were recorded until then are accounted for.
        pending: Days with further labels that are measured again tomorrow, since they were today.
        requested: Per day, the day on which it was last measured again.
    """

    REMEDY: ClassVar[str] = "reset the cursor of the sensor in the UI"

    seen: AwareDatetime
    pending: tuple[str, ...] = ()
    requested: Mapping[str, str] = {}


def daily_monitoring_schedule(hours: Hours) -> dg.ScheduleDefinition:
    """The schedule of looking at what was served."""
    moment = hours.daily_monitoring_schedule

    @dg.schedule(
        name="daily_monitoring_schedule",
        job_name=MONITORING,
        cron_schedule=cron(moment, and_later=True),
        execution_timezone=TIMEZONE,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Looks every day at {shown(moment)} at what was served yesterday: compared"
        " with the feature store, with labels as far as they arrived, and with the model before."
        " An hour later, if customers were being scored until then, or the run failed.",
    )
    def schedule(
        context: dg.ScheduleEvaluationContext, calendar: Calendar, trained_model: TrainedModel
    ) -> dg.RunRequest | dg.SkipReason:
        return _newest_day(context, calendar, trained_model, moment.hour)

    return schedule


def _newest_day(
    context: dg.ScheduleEvaluationContext,
    calendar: Calendar,
    trained_model: TrainedModel,
    first_hour: int,
) -> dg.RunRequest | dg.SkipReason:
    """Request a run of the newest day that has ended, once its scores are complete."""
    day = calendar.newest(context.scheduled_execution_time)
    runs = trained_model.runs_on(context.instance)
    found = [each.dagster_run for each in runs.records(dg.RunsFilter(tags={PARTITION_TAG: day}))]
    if any(each.job_name == MONITORING and each.status not in FAILED for each in found):
        return dg.SkipReason(f"{day} was looked at already")
    scored = all(each.is_finished for each in found if each.job_name == CUSTOMER_SCORES)
    local = context.scheduled_execution_time.astimezone(ZoneInfo(TIMEZONE))
    if not scored and local.hour <= first_hour:
        return dg.SkipReason(f"Customers of {day} are being scored: waiting for an hour")
    return dg.RunRequest(run_key=day, partition_key=day)


@dg.sensor(
    job_name=MATURING_LABELS,
    minimum_interval_seconds=30 * 60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=f"Measures the performance of the last {_DAYS} days again when labels of their"
    " answers have arrived, each of these days at most once a day.",
)
def maturing_labels_sensor(
    context: dg.SensorEvaluationContext,
    feature_store: FeatureStore,
    calendar: Calendar,
    trained_model: TrainedModel,
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Ask the ledger of arrivals which days have further labels since the last tick."""
    # It reads by Arrow and pandas, which whoever only loads the definitions does not need.
    from credit_ct_dagster.resources.feature_store.served.answers import ServedAnswers

    now = datetime.fromtimestamp(time.time(), UTC)
    newest, today = calendar.newest(), day_of(now.timestamp())
    oldest = max(calendar.first, days_before(newest, _DAYS - 1))
    cursor = _cursor(context) or MaturingCursor(seen=end_of(days_before(oldest, 1)))
    answers = ServedAnswers(feature_store.database, trained_model.name)
    since = cursor.seen - _OVERLAP
    arrived = answers.labels_arrived_since(since, oldest, newest)
    earlier = {*cursor.pending, *_failed_since(trained_model.runs_on(context.instance), since)}
    maturing = sorted({*arrived, *(day for day in earlier if oldest <= day <= newest)})
    due = [day for day in maturing if cursor.requested.get(day) != today]
    requested = dict(cursor.requested) | dict.fromkeys(due, today)
    after = MaturingCursor(
        seen=now,
        pending=tuple(day for day in maturing if day not in due),
        requested={day: on for day, on in requested.items() if day >= oldest},
    )
    context.update_cursor(after.model_dump_json())
    for day in reversed(due):  # the newest first: most is known of it tomorrow, too
        yield dg.RunRequest(run_key=f"{day}/{today}", partition_key=day, tags=_LAST)
    if not due:
        waiting = len(after.pending)
        yield dg.SkipReason(
            f"Further labels of {waiting} days, which were measured today already"
            if waiting
            else "No label of an answer has arrived since the last tick"
        )


def _failed_since(runs: ModelRuns, moment: datetime) -> set[str]:
    """The days whose run has failed: what had arrived for them is not measured yet."""
    wanted = dg.RunsFilter(
        job_name=MATURING_LABELS, statuses=[*FAILED], updated_after=moment.astimezone(UTC)
    )
    tags = (each.dagster_run.tags for each in runs.records(wanted))
    return {found[PARTITION_TAG] for found in tags if PARTITION_TAG in found}


def _cursor(context: dg.SensorEvaluationContext) -> MaturingCursor | None:
    otherwise = f"All labels of the last {_DAYS} days count as new."
    return stored_cursor(context, MaturingCursor, "maturing_labels_sensor", otherwise)

"""Runs whose process was killed are noticed and marked as failed."""

from typing import ClassVar

import dagster as dg

from credit_ct_dagster.contracts.record import Record
from credit_ct_dagster.runs.cursors import stored_cursor
from credit_ct_dagster.runs.processes import fail_abandoned_runs, fail_runs_that_never_begin


class WaitingCursor(Record):
    """What the sensor saw at its last tick.

    Attributes:
        minutes: Per run that had not begun, for how many minutes.
    """

    REMEDY: ClassVar[str] = "reset the cursor of the sensor in the UI"

    minutes: dict[str, int]


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Marks runs as failed whose process was killed. They would otherwise occupy a place"
    " in the queue for ever.",
)
def abandoned_runs_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Look for such runs once a minute."""
    marked = fail_abandoned_runs(context.instance)
    late, minutes = fail_runs_that_never_begin(context.instance, _minutes(context))
    context.update_cursor(WaitingCursor(minutes=minutes).model_dump_json())
    marked += late
    return dg.SkipReason(
        f"Marked as failed: {', '.join(marked)}" if marked else "No run was abandoned"
    )


def _minutes(context: dg.SensorEvaluationContext) -> dict[str, int]:
    otherwise = "The minutes are counted from 0."
    stored = stored_cursor(context, WaitingCursor, "abandoned_runs_sensor", otherwise)
    return dict(stored.minutes) if stored else {}

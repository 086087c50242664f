"""Runs whose process was killed are noticed and marked as failed."""

import dagster as dg

from credit_ct_dagster.runs.processes import fail_abandoned_runs


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Marks runs as failed whose process was killed. They would otherwise occupy a place"
    " in the queue for ever.",
)
def abandoned_runs_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Look for such runs once a minute."""
    marked = fail_abandoned_runs(context.instance)
    return dg.SkipReason(
        f"Marked as failed: {', '.join(marked)}" if marked else "No run was abandoned"
    )

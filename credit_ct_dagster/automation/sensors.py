"""What happens when a run ends, or its process is killed."""

import dagster as dg

from credit_ct_dagster.assets.failures import reason_of
from credit_ct_dagster.resources.notifications import Notifier
from credit_ct_dagster.resources.run_processes import fail_abandoned_runs
from credit_ct_dagster.settings import get_settings

_PARTITION_TAG = "dagster/partition"
_TELLING = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.ASSET_CHECK_EVALUATION}


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Reports every run that succeeded.",
)
def run_success_sensor(context: dg.RunStatusSensorContext, notifier: Notifier) -> None:
    """Report a success."""
    notifier.send(*_told(context, "succeeded", None), log=context.log)


@dg.run_failure_sensor(
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Reports every run that failed, with the reason.",
)
def run_failure_sensor(context: dg.RunFailureSensorContext, notifier: Notifier) -> None:
    """Report a failure."""
    logged = context.instance.all_logs(context.dagster_run.run_id, of_type=_TELLING)
    events = [entry.dagster_event for entry in logged if entry.dagster_event]
    reason = reason_of(events) or context.failure_event.message
    notifier.send(*_told(context, "failed", reason), log=context.log)


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Marks runs as failed whose process was killed: they would hold a place in the"
    " queue for ever.",
)
def abandoned_runs_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Look for them once a minute."""
    marked = fail_abandoned_runs(context.instance)
    return dg.SkipReason(f"Marked {', '.join(marked)}" if marked else "No run was abandoned")


def _told(context: dg.RunStatusSensorContext, outcome: str, reason: str | None) -> tuple[str, str]:
    run = context.dagster_run
    base_dt = run.tags.get(_PARTITION_TAG, "no base date")
    lines = [
        reason,
        f"Run: {get_settings().webserver_url.rstrip('/')}/runs/{run.run_id}",
    ]
    return f"{run.job_name} {outcome}: {base_dt}", "\n".join(filter(None, lines))

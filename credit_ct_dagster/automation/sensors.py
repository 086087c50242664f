"""What happens when a run ends: people are told."""

import dagster as dg

from credit_ct_dagster.resources.notifications import Notifier
from credit_ct_dagster.settings import get_settings

_PARTITION_TAG = "dagster/partition"


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Reports every run that succeeded.",
)
def run_success_sensor(context: dg.RunStatusSensorContext, notifier: Notifier) -> None:
    """Report a success."""
    notifier.send(*_told(context, "succeeded", reason=None), log=context.log)


@dg.run_failure_sensor(
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Reports every run that failed, with the reason.",
)
def run_failure_sensor(context: dg.RunFailureSensorContext, notifier: Notifier) -> None:
    """Report a failure."""
    notifier.send(*_told(context, "failed", reason=_reason(context)), log=context.log)


def _reason(context: dg.RunFailureSensorContext) -> str:
    """The sentence of the first failed step, or what ended the run."""
    for event in context.get_step_failure_events():
        data = event.step_failure_data
        if data.user_failure_data and data.user_failure_data.description:
            return f"{event.step_key}: {data.user_failure_data.description}"
        if data.error:
            return f"{event.step_key}: {(data.error.cause or data.error).message.strip()}"
    return context.failure_event.message or "the run ended without a message"


def _told(context: dg.RunStatusSensorContext, outcome: str, reason: str | None) -> tuple[str, str]:
    run = context.dagster_run
    base_dt = run.tags.get(_PARTITION_TAG, "no base date")
    lines = [
        reason,
        f"Run: {get_settings().webserver_url.rstrip('/')}/runs/{run.run_id}",
    ]
    return f"{run.job_name} {outcome}: {base_dt}", "\n".join(filter(None, lines))

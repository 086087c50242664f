"""When base dates are trained."""

import dagster as dg

from credit_ct_dagster.automation.base_date_runs import was_started
from credit_ct_dagster.partitions import TIMEZONE, Calendar
from credit_ct_dagster.resources.trained_model import TrainedModel
from credit_ct_dagster.runs.hours import Hours, cron, shown
from credit_ct_dagster.runs.purposes import CONTINUOUS_TRAINING


def daily_training_schedule(hours: Hours) -> dg.ScheduleDefinition:
    """The schedule of training."""
    moment = hours.daily_training_schedule
    return dg.schedule(
        name="daily_training_schedule",
        job_name=CONTINUOUS_TRAINING,
        cron_schedule=cron(moment),
        execution_timezone=TIMEZONE,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Trains yesterday's base date every day at {shown(moment)}, unless its data"
        " arrived earlier and new_data_sensor has started it.",
    )(_newest_base_date)


def _newest_base_date(
    context: dg.ScheduleEvaluationContext, calendar: Calendar, trained_model: TrainedModel
) -> dg.RunRequest | dg.SkipReason:
    """Request a run of the newest base date that has ended."""
    base_dt = calendar.newest(context.scheduled_execution_time)
    if was_started(trained_model.runs_on(context.instance), base_dt):
        return dg.SkipReason(f"Base date {base_dt} has been started already")
    return dg.RunRequest(run_key=base_dt, partition_key=base_dt)

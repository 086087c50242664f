"""When base dates are trained."""

import dagster as dg

from credit_ct_dagster.automation.jobs import continuous_training_job

daily_training_schedule = dg.build_schedule_from_partitioned_job(
    continuous_training_job,
    name="daily_training_schedule",
    description="Every day at 06:00 Asia/Seoul: yesterday's base date.",
    hour_of_day=6,
    default_status=dg.DefaultScheduleStatus.RUNNING,
)

"""Old base dates are deleted every night, where that is switched on."""

from typing import Any

import dagster as dg

from credit_ct_dagster.errors.base import CreditCtError
from credit_ct_dagster.partitions import TIMEZONE
from credit_ct_dagster.runs.failures import failure
from credit_ct_dagster.runs.hours import Hours, cron, shown

PRUNING = "pruning"
"""The name of the job."""


@dg.op(
    required_resource_keys={
        "promotions", "study_storage", "calendar", "pruning_rules", "feature_store",
    }
)  # fmt: skip
def delete_old_base_dates(context: dg.OpExecutionContext) -> None:
    """Delete what `credit-ct prune --yes` deletes; one that cannot be deleted holds up no other."""
    # MLflow takes seconds to import, which whoever only loads the definitions does not need.
    from credit_ct_dagster.operations.prune import Retention
    from credit_ct_dagster.operations.prune_monitoring import MonitoringRetention
    from credit_ct_dagster.operations.prune_predictions import PredictionRetention

    resources = context.resources
    try:
        retention = Retention(
            resources.promotions,
            resources.study_storage,
            resources.feature_store,
            resources.calendar,
            context.instance,
            resources.pruning_rules.shadow(),
        )
        outcomes = []
        plan = retention.plan(resources.pruning_rules.keep_days)
        for base_dt, reason in plan.holdouts.items():
            context.log.info(f"Retained the holdout of base date {base_dt}: {reason}")
        for outcome in retention.carry_out(plan):
            context.log.info(str(outcome))
            outcomes.append(outcome)
        for sentence in retention.broken_packages():
            context.log.warning(sentence)
        predictions = PredictionRetention(
            resources.feature_store,
            resources.calendar,
            resources.pruning_rules.predictions_keep_days,
        )
        expired = predictions.plan()
        predictions_deleted = predictions.carry_out(expired)
        if predictions_deleted:
            context.log.info(f"Deleted {expired}")
        monitoring = MonitoringRetention(
            resources.promotions.artifacts,
            resources.calendar,
            resources.pruning_rules.predictions_keep_days,
            resources.pruning_rules.monitoring_needed_days(),
        )
        monitored = monitoring.plan()
        days_deleted = monitoring.carry_out(monitored)
        if days_deleted:
            context.log.info(f"Deleted {monitored}")
    except CreditCtError as error:
        raise failure(error) from error
    context.add_output_metadata(
        {
            "deleted": sum(outcome.deleted for outcome in outcomes),
            "holdouts retained": len(plan.holdouts),
            "predictions deleted": predictions_deleted,
            "prediction days deleted": days_deleted,
        }
    )
    for outcome in outcomes:
        if outcome.error:
            raise failure(outcome.error, outcome.base_dt) from outcome.error


def pruning_job(tags: dict[str, str]) -> dg.JobDefinition:
    """The job; it has no base date of its own.

    Args:
        tags: Of its runs.
    """

    @dg.job(name=PRUNING, tags=tags, description="Deletes what credit-ct prune --yes deletes.")
    def job() -> None:
        delete_old_base_dates()

    return job


def nightly_pruning_schedule(job: dg.JobDefinition, hours: Hours, *, switched_on: bool) -> Any:
    """When the job runs.

    Args:
        job: The job.
        hours: Those of all schedules.
        switched_on: Whether the schedule is on unless a person switches it.
    """
    status = dg.DefaultScheduleStatus
    return dg.ScheduleDefinition(
        name="nightly_pruning_schedule",
        job=job,
        cron_schedule=cron(hours.nightly_pruning_schedule),
        execution_timezone=TIMEZONE,
        default_status=status.RUNNING if switched_on else status.STOPPED,
        description="Deletes base dates older than PRUNE_KEEP_DAYS, and predictions older than"
        " PREDICTIONS_KEEP_DAYS with what was found about their days, unless later days are judged"
        f" by it, every day at {shown(hours.nightly_pruning_schedule)}. It is off unless"
        " PRUNE_ON_SCHEDULE is true.",
    )

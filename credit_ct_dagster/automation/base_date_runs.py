"""Whether a base date needs a run, for whatever would start one."""

import dagster as dg

from credit_ct_dagster.automation.jobs import continuous_training_job
from credit_ct_dagster.partitions import PARTITION_TAG

_FAILED = {dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}


def is_in_progress(instance: dg.DagsterInstance, base_dt: str) -> bool:
    """Whether any run of the base date has not ended."""
    return any(not run.is_finished for run in _runs(instance, base_dt))


def was_started(instance: dg.DagsterInstance, base_dt: str) -> bool:
    """Whether a run of the whole job has begun for the base date, and did not fail."""
    return any(
        run.job_name == continuous_training_job.name and run.status not in _FAILED
        for run in _runs(instance, base_dt)
    )


def _runs(instance: dg.DagsterInstance, base_dt: str) -> list[dg.DagsterRun]:
    return list(instance.get_runs(dg.RunsFilter(tags={PARTITION_TAG: base_dt})))

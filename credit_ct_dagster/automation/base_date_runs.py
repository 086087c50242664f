"""Whether a base date needs a run, for whatever would start one."""

import time
from itertools import takewhile

import dagster as dg

from credit_ct_dagster.partitions import PARTITION_TAG
from credit_ct_dagster.runs.model_runs import ModelRuns
from credit_ct_dagster.runs.purposes import CONTINUOUS_TRAINING, monitors, trains

ROWS_TAG = "credit_ct/rows"
"""A tag of runs that a sensor starts: the fingerprint of the rows that it saw."""

FAILED = frozenset({dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED})
_HOUR = 3600
_PAUSES = (_HOUR // 6, _HOUR, 6 * _HOUR, 24 * _HOUR)
"""Seconds from a failed run to the next attempt, and how they grow."""


def is_in_progress(runs: ModelRuns, base_dt: str) -> bool:
    """Whether any run of the base date has not ended, other than one that monitors that day."""
    return any(
        not each.dagster_run.is_finished
        and runs.may_own(each.dagster_run)
        and not monitors(each.dagster_run)
        for each in runs.all_records(_of(base_dt))
    )


def was_started(runs: ModelRuns, base_dt: str) -> bool:
    """Whether a run of the whole job has begun for the base date, and did not fail."""
    return any(
        each.dagster_run.job_name == CONTINUOUS_TRAINING and each.dagster_run.status not in FAILED
        for each in runs.records(_of(base_dt))
    )


def failed_runs(runs: ModelRuns, base_dt: str, rows: str | None = None) -> list[dg.RunRecord]:
    """The runs of a base date that failed since one succeeded, newest first.

    Runs that score customers, or that monitor the day, are left out: whatever becomes of them,
    training is not affected.

    Args:
        runs: The runs of the model.
        base_dt: The base date.
        rows: Only if they were started for these rows (`ROWS_TAG`).
    """

    def failed(record: dg.RunRecord) -> bool:
        run = record.dagster_run
        return run.status in FAILED and rows in (None, run.tags.get(ROWS_TAG))

    training = (each for each in runs.records(_of(base_dt)) if trains(each.dagster_run))
    return list(takewhile(failed, training))


def seconds_to_wait(failed: list[dg.RunRecord]) -> float:
    """How long the next attempt waits after failed ones: ten minutes, 1, 6, then 24 hours."""
    if not failed:
        return 0
    passed = time.time() - ended_at(failed[0])
    pause = _PAUSES[min(len(failed), len(_PAUSES)) - 1]
    return pause - passed if 0 <= passed < pause else 0


def ended_at(record: dg.RunRecord) -> float:
    """When a run that has failed did so, in seconds since 1970."""
    return record.end_time or record.update_timestamp.timestamp()


def key_of_next_run(runs: ModelRuns, base_dt: str, rows: str | None = None) -> str:
    """The key of the next run: Dagster starts one run per key, for ever.

    It names the newest run, so that the same rows can be trained on again after that one failed, or
    after others were trained on in between.
    """
    newest = next(runs.records(_of(base_dt)), None)
    parts = [base_dt, rows, newest.dagster_run.run_id if newest else None]
    return "/".join(filter(None, parts))


def _of(base_dt: str) -> dg.RunsFilter:
    return dg.RunsFilter(tags={PARTITION_TAG: base_dt})

"""Runs whose process was killed: nothing else notices those that no daemon launched."""

import socket
from datetime import UTC, datetime, timedelta

import dagster as dg
import psutil

from credit_ct_dagster.errors.base import with_reference
from credit_ct_dagster.errors.operation import ProcessKilledError
from credit_ct_dagster.runs.dagster_internals import is_on_one_machine

HOST_TAG = "credit_ct/host"

_BEGINS_WITHIN = timedelta(minutes=10)  # a second, usually; then it is queued or started
_IN_PROGRESS = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]
_CLOCK_TOLERANCE_SECONDS = 5.0  # clocks are adjusted; process ids are not reused that fast
_AGAIN = "Start it again: finished trials are reused."


def host_tag() -> dict[str, str]:
    """A run tag that names this machine."""
    return {HOST_TAG: socket.gethostname()}


def is_over(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether a run has ended; one that this instance does not know may go on elsewhere."""
    run = instance.get_run_by_id(run_id)
    return run is not None and run.is_finished


def fail_abandoned_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark runs as failed whose process on this machine no longer exists, or never began.

    A run that stays started would occupy its place in the queue for ever, one that stays starting
    for minutes. Checked are the runs of an instance in SQLite, which only one machine uses, and
    those tagged with this machine. A run that was created and did not begin would stop the
    schedule from starting its base date: after ten minutes it is marked, wherever it was to be
    executed.

    Returns:
        The ids of the runs that were marked.
    """
    local = is_on_one_machine(instance)
    host = socket.gethostname()
    abandoned = [
        run
        for run in instance.get_runs(dg.RunsFilter(statuses=_IN_PROGRESS))
        if (local or run.tags.get(HOST_TAG) == host) and _has_lost_its_process(instance, run.run_id)
    ]
    for run in abandoned:
        instance.report_run_failed(run, _message("The process that executed the run was killed."))
    never_began = dg.RunsFilter(
        statuses=[dg.DagsterRunStatus.NOT_STARTED],
        created_before=datetime.now(UTC) - _BEGINS_WITHIN,
    )
    for run in instance.get_runs(never_began):
        instance.report_run_failed(
            run, _message("The process that was to execute the run was killed before it began.")
        )
        abandoned.append(run)
    return [run.run_id for run in abandoned]


def _message(sentence: str) -> str:
    return with_reference(f"{sentence} {_AGAIN}", ProcessKilledError.code)


def _has_lost_its_process(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether the process that reported to execute the run no longer exists."""
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        data = entry.dagster_event.engine_event_data if entry.dagster_event else None
        pid = data.metadata.get("pid") if data else None
        if pid is not None:
            return not _existed(int(str(pid.value)), entry.timestamp)
    return False


def _existed(pid: int, at: float) -> bool:
    """Whether a process that exists now did so at a moment, and has not just reused the id."""
    try:
        created = psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return False
    return created <= at + _CLOCK_TOLERANCE_SECONDS

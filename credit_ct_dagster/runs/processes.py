"""Runs whose process was killed: nobody else notices those that no daemon launched."""

import socket
from datetime import UTC, datetime, timedelta

import dagster as dg
import psutil
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

HOST_TAG = "credit_ct/host"

_BEGINS_WITHIN = timedelta(minutes=10)  # a second, usually; then it is queued or started
_UNDER_WAY = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]
_STARTED_BEFORE_SECONDS = 5.0  # clocks are adjusted; process ids do not come round that fast


def host_tag() -> dict[str, str]:
    """A run tag that names this machine."""
    return {HOST_TAG: socket.gethostname()}


def is_over(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether a run has ended; one that this instance does not know may go on elsewhere."""
    run = instance.get_run_by_id(run_id)
    return run is not None and run.is_finished


def fail_abandoned_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark runs as failed whose process on this machine is gone, or was before they began.

    A run left as started would hold its place in the queue for ever, one left as starting for
    minutes: looked at are those of an instance in SQLite, which one machine has to itself, and
    those tagged with this machine. One that never began would keep the schedule from its base date:
    after ten minutes it will not, wherever it was to run.

    Returns:
        The ids of the runs that were marked.
    """
    local = isinstance(instance.event_log_storage, SqliteEventLogStorage)
    host = socket.gethostname()
    abandoned = [
        run
        for run in instance.get_runs(dg.RunsFilter(statuses=_UNDER_WAY))
        if (local or run.tags.get(HOST_TAG) == host) and _is_gone(instance, run.run_id)
    ]
    for run in abandoned:
        instance.report_run_failed(run, "The process that ran it was killed.")
    never_began = dg.RunsFilter(
        statuses=[dg.DagsterRunStatus.NOT_STARTED],
        created_before=datetime.now(UTC) - _BEGINS_WITHIN,
    )
    for run in instance.get_runs(never_began):
        instance.report_run_failed(run, "The process that was to run it was killed.")
        abandoned.append(run)
    return [run.run_id for run in abandoned]


def _is_gone(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether the process that said it executes the run no longer exists."""
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        data = entry.dagster_event.engine_event_data if entry.dagster_event else None
        pid = data.metadata.get("pid") if data else None
        if pid is not None:
            return not _was_running(int(str(pid.value)), entry.timestamp)
    return False


def _was_running(pid: int, at: float) -> bool:
    """Whether a living process with this id existed at a moment, and is not a later namesake."""
    try:
        created = psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return False
    return created <= at + _STARTED_BEFORE_SECONDS

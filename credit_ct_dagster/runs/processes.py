"""Runs whose process was killed: nothing else notices those that no daemon launched."""

import os
from collections.abc import Mapping

import dagster as dg

from credit_ct_dagster.errors.base import with_reference
from credit_ct_dagster.errors.operation import ProcessKilledError
from credit_ct_dagster.runs.code_location import join_code_location
from credit_ct_dagster.runs.model_runs import MODEL_TAG
from credit_ct_dagster.runs.process_identity import ProcessIdentity
from credit_ct_dagster.runs.purposes import trains

PROCESS_TAG = ".dagster/credit_ct_process"
"""A tag of every run that has begun: its process, as `ProcessIdentity.tag` writes it.

Dagster's pages hide tags that begin so.
"""

_TICKS_TO_BEGIN = 10
"""Minutes: a second, usually; then a run is queued or started."""
_NOT_BEGUN = dg.DagsterRunStatus.NOT_STARTED
_WITH_A_PROCESS = [_NOT_BEGUN, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]
_KILLED = "The process that executed the run was killed."
_KILLED_BEFORE = "The process that was to execute the run was killed before it began."
_AGAIN = "Start it again."
_TRAIN_AGAIN = "Start it again: finished trials are reused."


def run_tags(run_id: str, model_name: str) -> dict[str, str]:
    """The tags of a run that this process creates and executes."""
    ours = ProcessIdentity.of(os.getpid())
    assert ours is not None
    return {MODEL_TAG: model_name, PROCESS_TAG: ours.tag(run_id)}


def record_run(instance: dg.DagsterInstance, run: dg.DagsterRun, model_name: str) -> None:
    """Tag a run with the model and with its process, and make it one of the code location.

    Called in the process of the run, or in that of a step, which is its child.
    """
    tags = {MODEL_TAG: model_name}
    if _process_of(run) is None:
        process = _begun_process(instance, run.run_id)
        if process:
            tags[PROCESS_TAG] = process.tag(run.run_id)
    missing = {name: value for name, value in tags.items() if run.tags.get(name) != value}
    if missing:
        instance.add_run_tags(run.run_id, missing)
    join_code_location(instance, run)


def is_over(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether a run has ended; one that this instance does not know may go on elsewhere."""
    run = instance.get_run_by_id(run_id)
    return run is not None and run.is_finished


def fail_abandoned_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark runs as failed whose process no longer exists.

    A run that stays started would occupy its place in the queue for ever. What cannot be seen from
    here is not touched: a process of another machine or container, or of an unknown identity.

    Returns:
        The ids of the runs that were marked.
    """
    abandoned = [
        run
        for run in instance.get_runs(dg.RunsFilter(statuses=_WITH_A_PROCESS))
        if (process := _process_of(run)) and process.has_ended()
    ]
    for run in abandoned:
        _fail(instance, run, _KILLED_BEFORE if run.status == _NOT_BEGUN else _KILLED)
    return [run.run_id for run in abandoned]


def fail_runs_that_never_begin(
    instance: dg.DagsterInstance, ticks: Mapping[str, int]
) -> tuple[list[str], dict[str, int]]:
    """Mark runs as failed that were created, and neither queued nor started in ten minutes.

    They would stop the schedule from starting their base date. Minutes are counted, because a clock
    that is set forward would make every new run an old one.

    Args:
        instance: Where the runs are.
        ticks: Per run that had not begun, for how many minutes; what the last call returned.

    Returns:
        The ids of the runs that were marked, and the minutes of the others.
    """
    waiting = instance.get_runs(dg.RunsFilter(statuses=[_NOT_BEGUN]))
    minutes = {run.run_id: ticks.get(run.run_id, -1) + 1 for run in waiting}
    late = [
        run
        for run in waiting
        if minutes[run.run_id] >= _TICKS_TO_BEGIN and not _process_is_alive(run)
    ]
    for run in late:
        _fail(instance, run, _KILLED_BEFORE)
        del minutes[run.run_id]
    return [run.run_id for run in late], minutes


def _fail(instance: dg.DagsterInstance, run: dg.DagsterRun, sentence: str) -> None:
    again = _TRAIN_AGAIN if trains(run) else _AGAIN
    message = with_reference(f"{sentence} {again}", ProcessKilledError.code)
    instance.report_run_failed(run, message)


def _process_of(run: dg.DagsterRun) -> ProcessIdentity | None:
    return ProcessIdentity.of_tag(run.tags.get(PROCESS_TAG, ""), run.run_id)


def _process_is_alive(run: dg.DagsterRun) -> bool:
    process = _process_of(run)
    return process is not None and process.has_ended() is False


def _begun_process(instance: dg.DagsterInstance, run_id: str) -> ProcessIdentity | None:
    """The process that reported to execute the run, if it is this one or its parent."""
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        data = entry.dagster_event.engine_event_data if entry.dagster_event else None
        pid = data.metadata.get("pid") if data else None
        if pid is not None and int(str(pid.value)) in (os.getpid(), os.getppid()):
            return ProcessIdentity.of(int(str(pid.value)))
    return None

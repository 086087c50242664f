"""The only module of the tests that imports `dagster._…`: Dagster's own helpers for tests.

What the package itself needs of Dagster's inside is in `credit_ct_dagster.runs.dagster_internals`.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa

from credit_ct_dagster.runs.dagster_internals import internals_of_dagster

with internals_of_dagster():
    from dagster._cli import create_dagster_cli
    from dagster._core.definitions.utils import DISALLOWED_NAMES
    from dagster._core.events import EngineEventData
    from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
    from dagster._core.remote_origin import (
        InProcessCodeLocationOrigin,
        RemoteInstigatorOrigin,
        RemoteRepositoryOrigin,
    )
    from dagster._core.scheduler.instigation import (
        InstigatorState,
        InstigatorStatus,
        InstigatorTick,
        InstigatorType,
        SensorInstigatorData,
    )
    from dagster._core.storage.defs_state.base import DefsStateStorage
    from dagster._core.storage.event_log.sqlite import sqlite_event_log
    from dagster._core.storage.runs.sqlite import sqlite_run_storage
    from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage
    from dagster._core.storage.tags import TagType, get_tag_type
    from dagster._core.test_utils import (
        InProcessTestWorkspaceLoadTarget,
        create_run_for_test,
        create_test_daemon_workspace_context,
        freeze_time,
    )
    from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import GrpcServerTarget
    from dagster._daemon.monitoring.run_monitoring import execute_run_monitoring_iteration
    from dagster._daemon.sensor import execute_sensor_iteration
    from dagster._daemon.types import DaemonHeartbeat
    from dagster._utils.error import SerializableErrorInfo

__all__ = [
    "DISALLOWED_NAMES",
    "InstigatorTick",
    "TagType",
    "WorkspaceProcessContext",
    "create_dagster_cli",
    "create_run_for_test",
    "freeze_time",
    "get_tag_type",
]


@contextmanager
def no_instance_remembered() -> Iterator[None]:
    """Let definitions be loaded without the instance that was opened before them last.

    Dagster asks it for the state of definitions, of which the platform has none. After instances
    that were not closed in reverse order, it is one that no longer exists.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DefsStateStorage, "get", staticmethod(lambda: None))
        yield


@contextmanager
def engines_remembered() -> Iterator[None]:
    """Let one engine serve all connections to a database of an instance on SQLite.

    Dagster makes one for each event that it stores, and it compiles each statement anew: a quarter
    of the time of a run. None holds a connection, so a file that is replaced is opened anew. One
    of a relative address belongs to the folder in which it was made.
    """

    @lru_cache(maxsize=128)
    def engine_of(url: str, _folder: Path, timeout: int | None, **options: Any) -> sa.Engine:
        arguments = {} if timeout is None else {"timeout": timeout}
        return sa.create_engine(url, connect_args=arguments, **options)

    def remembered(
        url: str, connect_args: dict[str, int] | None = None, **options: Any
    ) -> sa.Engine:
        return engine_of(url, Path.cwd(), (connect_args or {}).get("timeout"), **options)

    with pytest.MonkeyPatch.context() as patch:
        for module in (sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage):
            patch.setattr(module, "create_engine", remembered)
        yield


def report_process(instance: dg.DagsterInstance, run: dg.DagsterRun, pid: int) -> None:
    """Record that a process executes a run, as Dagster does when it starts one."""
    instance.report_engine_event("Started process for run", run, EngineEventData.in_process(pid))


def add_heartbeat(instance: dg.DagsterInstance, daemon: str, at: float) -> None:
    """Record a sign of life of a daemon, at a moment in seconds since 1970."""
    instance.add_daemon_heartbeat(DaemonHeartbeat(at, daemon, None, None))


def switch_sensor(instance: dg.DagsterInstance, name: str, on: bool) -> None:
    """Switch a sensor on or off, as a person does in the UI."""
    target = LoadableTargetOrigin(module_name="any")
    repository = RemoteRepositoryOrigin(InProcessCodeLocationOrigin(target), "any")
    instance.add_instigator_state(
        InstigatorState(
            RemoteInstigatorOrigin(repository, name),
            InstigatorType.SENSOR,
            InstigatorStatus.RUNNING if on else InstigatorStatus.STOPPED,
            SensorInstigatorData(),
        )
    )


def tick_sensors(
    instance: dg.DagsterInstance, module: str, attribute: str, at: datetime
) -> list[InstigatorTick]:
    """Let a new sensor daemon evaluate the sensors of some definitions, on a clock of the test.

    Returns:
        The ticks of the first of the sensors, newest first.
    """
    origin = LoadableTargetOrigin(module_name=module, attribute=attribute)
    target = InProcessTestWorkspaceLoadTarget(InProcessCodeLocationOrigin(origin))
    with freeze_time(at), WorkspaceProcessContext(instance, target) as workspace:
        list(execute_sensor_iteration(workspace, logging.getLogger("daemon"), None, None))
        location = next(iter(workspace.create_request_context().code_locations))
        [repository] = location.get_repositories().values()
        sensor = repository.get_sensors()[0]
        return list(instance.get_ticks(sensor.get_remote_origin_id(), sensor.selector_id))


@contextmanager
def code_location_at(
    instance: dg.DagsterInstance, port: int, name: str
) -> Iterator[WorkspaceProcessContext]:
    """The workspace of a daemon with one code location, which is a server on this machine."""
    target = GrpcServerTarget(host="127.0.0.1", port=port, socket=None, location_name=name)
    with create_test_daemon_workspace_context(target, instance) as context:
        yield context


def launch(context: WorkspaceProcessContext, location: str, job_name: str) -> str:
    """Launch a job of a code location, as the queue does; returns the id of the run."""
    workspace = context.create_request_context()
    [repository] = workspace.get_code_location(location).get_repositories().values()
    job = repository.get_full_job(job_name)
    run = create_run_for_test(
        context.instance,
        job_name=job.name,
        remote_job_origin=job.get_remote_origin(),
        job_code_origin=job.get_python_origin(),
    )
    context.instance.launch_run(run.run_id, workspace)
    return run.run_id


def errors_of_run_monitoring(context: WorkspaceProcessContext) -> list[object]:
    """Let run monitoring check all runs once; returns what it could not check."""
    checked = execute_run_monitoring_iteration(context, logging.getLogger(__name__))
    return [error for error in checked if error is not None]


def record_backfill(
    instance: dg.DagsterInstance,
    name: str,
    base_dts: list[str],
    status: str,
    ended: float,
    message: str = "depth: not a number.",
) -> None:
    """Leave a backfill that ended, with an error if it failed, as the daemon does."""
    error = SerializableErrorInfo(f"dagster._core.errors.BadError: {message}\n", [], None)
    instance.add_backfill(
        PartitionBackfill(
            name,
            BulkActionStatus[status],
            from_failure=False,
            tags={},
            backfill_timestamp=ended - 60.0,
            backfill_end_timestamp=float(ended),
            partition_names=base_dts,
            error=error if status == "FAILED" else None,
        )
    )

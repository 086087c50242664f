"""A run that dies with its code location is failed, seen against a real code location."""

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import dagster as dg
from dagster._core.test_utils import create_run_for_test, create_test_daemon_workspace_context
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import GrpcServerTarget
from dagster._daemon.monitoring.run_monitoring import execute_run_monitoring_iteration

_CODE = """
import time
import dagster as dg

@dg.op
def wait():
    time.sleep(600)

@dg.job(executor_def=dg.in_process_executor)
def waiting():
    wait()
"""
_START_SECONDS = 60


def _until(condition: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not condition():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.1)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def _code_location(folder: Path, port: int) -> Iterator[None]:
    """A code location that is killed in the end, with the runs that are processes of it."""
    (folder / "waiting.py").write_text(_CODE)
    process = subprocess.Popen(
        [sys.executable, "-m", "dagster", "api", "grpc", "--port", str(port),
         "--python-file", "waiting.py", "--location-name", "waiting"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    try:
        _until(lambda: _listens(port), "the code location did not start")
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _launch(context: WorkspaceProcessContext) -> str:
    """Launch the job, as the queue does, and wait for its process."""
    instance, workspace = context.instance, context.create_request_context()
    [repository] = workspace.get_code_location("waiting").get_repositories().values()
    job = repository.get_full_job("waiting")
    run = create_run_for_test(
        instance,
        job_name=job.name,
        remote_job_origin=job.get_remote_origin(),
        job_code_origin=job.get_python_origin(),
    )
    instance.launch_run(run.run_id, workspace)
    started = dg.DagsterRunStatus.STARTED
    _until(lambda: _status(instance, run.run_id) == started, "the run did not start")
    return run.run_id


def _status(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


def _errors_of_monitoring(context: WorkspaceProcessContext) -> list[object]:
    looked = execute_run_monitoring_iteration(context, logging.getLogger(__name__))
    return [error for error in looked if error is not None]


def test_run_monitoring_knows_whether_a_run_lives(tmp_path: Path) -> None:
    """One that is executed is left alone, also while its code location does not answer."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launcher = {
        "module": "credit_ct_dagster.runs.launcher",
        "class": "CodeLocationRunLauncher",
    }
    overrides = {"run_launcher": launcher, "run_monitoring": {"enabled": True}}
    target = GrpcServerTarget(host="127.0.0.1", port=port, socket=None, location_name="waiting")
    with dg.instance_for_test(overrides=overrides) as instance, ExitStack() as code_location:
        code_location.enter_context(_code_location(tmp_path, port))
        with create_test_daemon_workspace_context(target, instance) as context:
            run_id = _launch(context)
            assert not _errors_of_monitoring(context)
            assert _status(instance, run_id) == dg.DagsterRunStatus.STARTED
            code_location.close()
            assert _errors_of_monitoring(context)
            assert _status(instance, run_id) == dg.DagsterRunStatus.STARTED
            code_location.enter_context(_code_location(tmp_path, port))
            assert not _errors_of_monitoring(context)
            assert _status(instance, run_id) == dg.DagsterRunStatus.FAILURE

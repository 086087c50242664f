"""A run that dies with its code location is failed, seen against a real code location."""

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

from credit_ct_dagster.runs.reasons import reason_of
from credit_ct_dagster_tests.dagster_internals import (
    WorkspaceProcessContext,
    code_location_at,
    errors_of_run_monitoring,
    launch,
)
from credit_ct_dagster_tests.servers import free_port

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
    """Launch the job and wait for its process."""
    run_id = launch(context, "waiting", "waiting")
    started = dg.DagsterRunStatus.STARTED
    _until(lambda: _status(context.instance, run_id) == started, "the run did not start")
    return run_id


def _status(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


def test_run_monitoring_knows_whether_a_run_lives(tmp_path: Path) -> None:
    """One that is executed is not touched, also while its code location does not answer."""
    port = free_port()
    launcher = {
        "module": "credit_ct_dagster.runs.launcher",
        "class": "CodeLocationRunLauncher",
    }
    overrides = {"run_launcher": launcher, "run_monitoring": {"enabled": True}}
    with dg.instance_for_test(overrides=overrides) as instance, ExitStack() as code_location:
        code_location.enter_context(_code_location(tmp_path, port))
        with code_location_at(instance, port, "waiting") as context:
            run_id = _launch(context)
            assert not errors_of_run_monitoring(context)
            assert _status(instance, run_id) == dg.DagsterRunStatus.STARTED
            code_location.close()
            assert errors_of_run_monitoring(context)
            assert _status(instance, run_id) == dg.DagsterRunStatus.STARTED
            code_location.enter_context(_code_location(tmp_path, port))
            assert not errors_of_run_monitoring(context)
            assert _status(instance, run_id) == dg.DagsterRunStatus.FAILURE
            logged = instance.all_logs(run_id)
            reason = reason_of(entry.dagster_event for entry in logged if entry.dagster_event)
            assert reason is not None
            assert reason.code == "CT-RUN-2"

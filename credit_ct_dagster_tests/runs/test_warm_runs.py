"""Runs are forked from a process with all libraries, against a real code location."""

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import psutil
import pytest

from credit_ct_dagster.runs.dagster_internals import compute_log_folder
from credit_ct_dagster.runs.warm_runs import IMPORTS, start_warm_runs
from credit_ct_dagster_tests.dagster_internals import WorkspaceProcessContext, code_location_at
from credit_ct_dagster_tests.runs.code_location import (
    CODE,
    NAME,
    code_location,
    launch_waiting,
    soon,
    status,
)
from credit_ct_dagster_tests.servers import free_port

pytestmark = pytest.mark.integration

_WARM = """
from credit_ct_dagster.runs.warm_runs import start_warm_runs
start_warm_runs([{!r}])
"""
_INSTALLED = """
from dagster._grpc.server import DagsterApiServer
from credit_ct_dagster.definitions import defs
defs()
print(isinstance(vars(DagsterApiServer).get("_mp_ctx"), property))
"""
_STATE = """
import json, os, stat, sys, threading
for each in sys.argv[1:]:
    __import__(each)
open_files = [os.fstat(int(each)) for each in os.listdir("/proc/self/fd") if int(each) > 2
              and os.path.exists(f"/proc/self/fd/{each}")]
print(json.dumps({
    "threads": [each.name for each in threading.enumerate()],
    "native": sorted(open(f"/proc/self/task/{each}/comm").read().strip()
                     for each in os.listdir("/proc/self/task")),
    "sockets": sum(stat.S_ISSOCK(each.st_mode) for each in open_files),
    "ours": [each for each in sys.modules if each.startswith("credit_ct")],
}))
"""


@dataclass
class _Location:
    """A code location and the workspace of a daemon."""

    server: subprocess.Popen[bytes]
    context: WorkspaceProcessContext
    log: Path

    @property
    def instance(self) -> dg.DagsterInstance:
        return self.context.instance

    def process_of(self, run_id: str) -> psutil.Process:
        """The process that executes a run."""
        events = self.instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
        [pid] = {
            int(str(event.dagster_event.engine_event_data.metadata["pid"].value))
            for event in events
            if event.dagster_event and "pid" in event.dagster_event.engine_event_data.metadata
        }
        return psutil.Process(pid)

    def ends_as(self, run_id: str, expected: dg.DagsterRunStatus) -> None:
        """Wait until a run has a status."""
        soon(lambda: status(self.instance, run_id) == expected, f"a run that is {expected.value}")


@contextmanager
def _location(folder: Path, imports: str) -> Iterator[_Location]:
    """A code location whose runs are forked from a process that imports a module."""
    (folder / "broken.py").write_text("raise RuntimeError('broken')")
    port, log = free_port(), folder / "log"
    with (
        dg.instance_for_test(overrides=_logging_to(folder)) as instance,
        code_location(folder, port, CODE + _WARM.format(imports), log) as server,
        code_location_at(instance, port, NAME) as context,
    ):
        yield _Location(server, context, log)
        for run in instance.get_runs():
            if not run.is_finished:  # Dagster waits for the end of each
                instance.report_run_failed(run)


@pytest.fixture(scope="module")
def location(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Location]:
    """The one of the next three tests, the last of which kills it."""
    with _location(tmp_path_factory.mktemp("location"), imports="json") as made:
        yield made


def test_a_killed_run_fails_alone(location: _Location) -> None:
    """Its neighbour, forked from the same process, goes on, has its own log, can be cancelled."""
    killed, other = (launch_waiting(location.context) for _ in range(2))
    processes = [location.process_of(run_id) for run_id in (killed, other)]
    [forking] = {process.ppid() for process in processes}
    assert psutil.Process(forking).ppid() == location.server.pid, "Dagster spawned the run"
    for run_id in (killed, other):
        folder = compute_log_folder(location.instance, run_id)
        assert folder is not None
        [printed] = folder.rglob("*.out")
        soon(printed.read_text, "the output of the run")
        assert printed.read_text() == f"of run {run_id}\n"
    processes[0].kill()
    location.ends_as(killed, dg.DagsterRunStatus.FAILURE)
    assert status(location.instance, other) == dg.DagsterRunStatus.STARTED
    assert location.instance.run_launcher.terminate(other)
    location.ends_as(other, dg.DagsterRunStatus.CANCELED)


def test_runs_end_with_the_process_that_forked_them(location: _Location) -> None:
    """They are marked as failed then, and must not go on; the next run gets another process."""
    run_id = launch_waiting(location.context)
    process = location.process_of(run_id)
    process.parent().kill()
    location.ends_as(run_id, dg.DagsterRunStatus.FAILURE)
    process.wait(timeout=10)
    assert location.process_of(launch_waiting(location.context)).is_running()


def test_runs_end_with_their_code_server(location: _Location) -> None:
    """Nobody supervises them any longer; so does the process that forked them."""
    process = location.process_of(launch_waiting(location.context))
    forking = psutil.Process(process.ppid())
    os.kill(location.server.pid, signal.SIGKILL)
    psutil.wait_procs([process, forking], timeout=10)
    assert not any(map(_lives, (process, forking)))


def test_without_a_process_to_fork_from_runs_are_spawned(tmp_path: Path) -> None:
    """A library that cannot be imported is reported by the run that needs it, and as a warning."""
    with _location(tmp_path, imports="broken") as location:
        process = location.process_of(launch_waiting(location.context))
        assert process.ppid() == location.server.pid
        assert "The run starts slowly" in location.log.read_text()


def test_what_is_imported_can_be_forked() -> None:
    """No thread of Python, no socket, and no module of the platform, which may be edited."""
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _STATE, *IMPORTS], capture_output=True, check=True
    )
    state = json.loads(ended.stdout)
    assert state["threads"] == ["MainThread"]
    assert state["sockets"] == 0
    # Those of OpenBLAS end before a fork, and start again; jemalloc starts its own again.
    assert set(state["native"]) <= {state["native"][-1], "jemalloc_bg_thd", "python", "python3"}
    assert state["ours"] == []


@pytest.mark.parametrize(("setting", "is_warm"), [("true", True), ("false", False)])
def test_a_setting_decides(setting: str, is_warm: bool, tmp_path: Path) -> None:
    """Whether the code server of the platform forks its runs: WARM_RUNS."""
    ended = subprocess.run(
        [sys.executable, "-c", _INSTALLED],
        env=os.environ | {"WARM_RUNS": setting}, cwd=tmp_path, capture_output=True, check=True,
    )  # fmt: skip
    assert ended.stdout.decode().strip() == str(is_warm)


def test_runs_are_spawned_if_dagster_moved_its_context(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With a warning that names what moved; the server is left as it is."""

    class Server:
        def StartRun(self) -> None:  # noqa: N802
            """Of a later release."""

    moved = SimpleNamespace(DagsterApiServer=Server)
    monkeypatch.setitem(sys.modules, "dagster._grpc.server", moved)
    with caplog.at_level(logging.WARNING):
        start_warm_runs()
    assert "moved _mp_ctx" in caplog.text
    assert not hasattr(Server, "_mp_ctx")


def _lives(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def _logging_to(folder: Path) -> dict[str, Any]:
    """The configuration of an instance that captures the output of runs in a folder."""
    return {
        "compute_logs": {
            "module": "dagster._core.storage.local_compute_log_manager",
            "class": "LocalComputeLogManager",
            "config": {"base_dir": str(folder / "compute_logs")},
        }
    }

"""A real code location, which is a server, for tests that kill it or its runs."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from credit_ct_dagster_tests.dagster_internals import WorkspaceProcessContext, launch
from credit_ct_dagster_tests.webserver import until

NAME = "waiting"
CODE = """
import time
import dagster as dg

@dg.op
def wait(context: dg.OpExecutionContext):
    print("of run", context.run_id, flush=True)
    time.sleep(600)

@dg.job(executor_def=dg.in_process_executor)
def waiting():
    wait()
"""
"""A job whose runs take ten minutes."""
_SECONDS = 60


def soon(condition: object, what: str) -> None:
    """Wait until a condition holds."""
    until(condition, _SECONDS, what, pause=0.1)


@contextmanager
def code_location(
    folder: Path, port: int, code: str = CODE, log: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A code location that is killed in the end, with the runs that are processes of it.

    Args:
        folder: Where its code is written to.
        port: Of its server.
        code: Its definitions.
        log: File for its output. [default: none]
    """
    (folder / f"{NAME}.py").write_text(code)
    with (log or Path(os.devnull)).open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "dagster", "api", "grpc", "--port", str(port),
             "--python-file", f"{NAME}.py", "--location-name", NAME],
            cwd=folder, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
        try:
            soon(lambda: _listens(port), "the start of the code location")
            yield process
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def launch_waiting(context: WorkspaceProcessContext) -> str:
    """Launch the job and wait until its step is in progress."""
    run_id = launch(context, NAME, NAME)
    step = dg.DagsterEventType.STEP_START
    soon(lambda: context.instance.all_logs(run_id, of_type=step), "the start of the run")
    return run_id


def status(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    """The status of a run."""
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0

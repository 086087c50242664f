"""The MLflow server is slow, is killed and comes back, or does not."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import urlopen

from credit_ct_dagster_tests.end_state import check_same_results
from credit_ct_dagster_tests.faults.attempts import COMMAND, Start, report, run_again
from credit_ct_dagster_tests.network import Proxy
from credit_ct_dagster_tests.platform import Platform
from credit_ct_dagster_tests.servers import free_port
from credit_ct_dagster_tests.webserver import until

_AWAY_SECONDS = 40
_LATE_SECONDS = 1.0
_AT_ONCE = f"""
import dagster as dg
dg.RetryPolicy.calculate_delay = lambda *_: 0
from credit_ct_dagster.cli.main import main
main({COMMAND[1:]!r})
"""


@contextmanager
def _mlflow_server(platform: Platform, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A server on the platform's own store."""
    with (platform.folder / "mlflow.log").open("ab") as log:
        process = subprocess.Popen(
            ["mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
             "--backend-store-uri", f"sqlite:///{platform.folder}/var/mlflow.db",
             "--artifacts-destination", str(platform.folder / "mlflow_files")],
            cwd=platform.folder, env=platform.environment, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    try:
        health = f"http://127.0.0.1:{port}/health"
        until(lambda: urlopen(health).status == 200, 120, "the start of MLflow")
        yield process
    finally:
        _kill(process)


def _kill(server: subprocess.Popen[bytes]) -> None:
    """With its workers."""
    if server.poll() is None:
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()


def _there(port: int) -> dict[str, str]:
    return {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}"}


def test_killed_during_the_search(disturbed: Platform, undisturbed: Platform, start: Start) -> None:
    """Away for longer than a container needs to start again; the run goes on by itself."""
    port = free_port()
    with _mlflow_server(disturbed, port) as server:
        attempt = start(disturbed, **_there(port))
        attempt.until_said("1/4 done")
        _kill(server)
    time.sleep(_AWAY_SECONDS)
    with _mlflow_server(disturbed, port):
        back = time.perf_counter()
        assert attempt.ended() == 0, attempt.said
        seconds = time.perf_counter() - back
    assert "MLflow failed" in attempt.said
    check_same_results(disturbed, undisturbed)
    report(f"MLflow server killed during the search, {_AWAY_SECONDS} s",
           "finished trials were kept", "the step tried again by itself", seconds)  # fmt: skip


def test_it_never_comes_back(disturbed: Platform, undisturbed: Platform, start: Start) -> None:
    """The run fails with a sentence; later, finished trials are kept. Nobody waits here."""
    port = free_port()
    with _mlflow_server(disturbed, port) as server:
        attempt = start(
            disturbed, "python", "-c", _AT_ONCE,
            MLFLOW_HTTP_REQUEST_MAX_RETRIES="0", **_there(port),
        )  # fmt: skip
        attempt.until_said("1/4 done")
        _kill(server)
        assert attempt.ended() == 1
    assert "MLflow failed" in attempt.last_line
    assert "Check that it runs and that MLFLOW_TRACKING_URI is right" in attempt.last_line
    with _mlflow_server(disturbed, port):
        back = run_again(start, disturbed, **_there(port))
    check_same_results(disturbed, undisturbed)
    report("MLflow server killed during the search, for good",
           f"failed after {attempt.said.count('Attempt ')} attempts: {attempt.last_line[:150]} …",
           "the same command again", back)  # fmt: skip


def test_slow(disturbed: Platform, undisturbed: Platform, start: Start) -> None:
    """Each answer is late; the run takes longer, and that is all."""
    port = free_port()
    with _mlflow_server(disturbed, port), Proxy.running(port, _LATE_SECONDS) as proxy:
        seconds = run_again(start, disturbed, **_there(proxy.port))
    check_same_results(disturbed, undisturbed)
    report(f"MLflow server slow, each answer {_LATE_SECONDS:.0f} s late", "the run ended well",
           "–", seconds)  # fmt: skip

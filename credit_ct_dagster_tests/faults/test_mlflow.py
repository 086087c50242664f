"""The MLflow server is slow, or is killed and restarted, or is killed for good."""

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

_DOWN_SECONDS = 40
_DELAY_SECONDS = 1.0
_WITHOUT_WAITING = f"""
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
    """Kill a server and its workers."""
    if server.poll() is None:
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()


def _tracking_uri(port: int) -> dict[str, str]:
    return {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}"}


def test_killed_during_the_search(disturbed: Platform, undisturbed: Platform, start: Start) -> None:
    """It is down for longer than a container needs to restart; the step is retried."""
    port = free_port()
    with _mlflow_server(disturbed, port) as server:
        attempt = start(disturbed, **_tracking_uri(port))
        attempt.until_printed("1/4 done")
        _kill(server)
    time.sleep(_DOWN_SECONDS)
    with _mlflow_server(disturbed, port):
        restarted = time.perf_counter()
        assert attempt.exit_code() == 0, attempt.output
        seconds = time.perf_counter() - restarted
    assert "MLflow does not answer" in attempt.output
    check_same_results(disturbed, undisturbed)
    report(
        f"MLflow server killed during the search, {_DOWN_SECONDS} s",
        "finished trials were retained",
        "the step was retried automatically",
        seconds,
    )


def test_killed_for_good(disturbed: Platform, undisturbed: Platform, start: Start) -> None:
    """The run fails with its error; the next one reuses finished trials. No attempt waits here."""
    port = free_port()
    with _mlflow_server(disturbed, port) as server:
        attempt = start(
            disturbed, "python", "-c", _WITHOUT_WAITING,
            MLFLOW_HTTP_REQUEST_MAX_RETRIES="0", **_tracking_uri(port),
        )  # fmt: skip
        attempt.until_printed("1/4 done")
        _kill(server)
        assert attempt.exit_code() == 1
    assert "MLflow does not answer" in attempt.last_line
    assert "Check that it runs and that MLFLOW_TRACKING_URI is right" in attempt.last_line
    with _mlflow_server(disturbed, port):
        seconds = run_again(start, disturbed, **_tracking_uri(port))
    check_same_results(disturbed, undisturbed)
    report("MLflow server killed during the search, for good",
           f"failed after {attempt.output.count('Attempt ')} attempts: {attempt.last_line[:150]} …",
           "the same command again", seconds)  # fmt: skip


def test_slow(disturbed: Platform, undisturbed: Platform, start: Start) -> None:
    """Every answer is delayed; the run only takes longer."""
    port = free_port()
    with _mlflow_server(disturbed, port), Proxy.running(port, _DELAY_SECONDS) as proxy:
        seconds = run_again(start, disturbed, **_tracking_uri(proxy.port))
    check_same_results(disturbed, undisturbed)
    report(f"MLflow server slow, each answer {_DELAY_SECONDS:.0f} s late", "the run succeeded",
           "–", seconds)  # fmt: skip

"""Faults that come at moments nobody chose; `make faults`.

Each leaves a row in `build/faults.md`: what was done, what people were told, how it came back.
"""

import os
import random
import signal
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa
import yaml

from credit_ct_dagster_tests.end_state import check_same_results
from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.platform import (
    BASE_DT,
    REPOSITORY,
    SMALL_SEARCH,
    Platform,
    Templates,
)

_RANDOM_KILLS = 20
_TWO_AT_ONCE = 10
_TORN = 6
_SEARCH = SMALL_SEARCH | {"depth": [3, 4, 5, 6], "iterations": 40}
_COMMAND = ("credit-ct", "run", "--partition", BASE_DT, "--config", "small.yaml")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, templates: Templates) -> Platform:
    """The same rows and the same search, without a fault."""
    platform = Platform.prepared(tmp_path_factory.mktemp("undisturbed"), templates)
    with dg.instance_for_test() as instance:
        assert platform.materialize(instance, search=_SEARCH).success
    return platform


@pytest.fixture
def disturbed(platform: Platform) -> Platform:
    """A platform with the configuration of the search."""
    config = {"ops": {"tuned_runs": {"config": _SEARCH}}}
    (platform.folder / "small.yaml").write_text(yaml.safe_dump(config))
    return platform


def _start(platform: Platform, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        _COMMAND, cwd=platform.folder, env=platform.environment | environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def _ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code and last line of what was told."""
    _, stderr = process.communicate(timeout=170)
    return process.returncode, (stderr.strip().splitlines() or [""])[-1]


def _recover(platform: Platform, **environment: str) -> float:
    """The same command again, without a fault; returns how long it took."""
    began = time.perf_counter()
    code, said = _ended(_start(platform, **environment))
    assert code == 0, said
    return time.perf_counter() - began


def _report(fault: str, seen: str, back: float) -> None:
    """Add a row to the table."""
    file = REPOSITORY / "build" / "faults.md"
    file.parent.mkdir(exist_ok=True)
    if not file.exists():
        head = "| fault | seen | the same command again, without the fault |\n|---|---|---|\n"
        file.write_text(head)
    with file.open("a") as table:
        table.write(f"| {fault} | {seen} | the same results, nothing left over; {back:.0f} s |\n")


def test_killed_at_random_moments(disturbed: Platform, undisturbed: Platform) -> None:
    """One attempt after the other, on what the last one left."""
    began = time.perf_counter()
    rng, finished = random.Random(0), 0
    length = 0.0
    for _ in range(_RANDOM_KILLS):
        process = _start(disturbed)
        started = time.perf_counter()
        try:
            process.communicate(timeout=rng.uniform(2, length or 9))
            finished += 1
            length = time.perf_counter() - started
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
    killed = _RANDOM_KILLS - finished
    assert killed > 0
    back = _recover(disturbed)
    check_same_results(disturbed, undisturbed)
    took = time.perf_counter() - began
    _report(
        f"`kill -9` at {killed} random moments", f"{finished} more ended first; {took:.0f} s", back
    )


def test_two_runs_of_one_base_date_at_once(disturbed: Platform, undisturbed: Platform) -> None:
    """They take turns; both end well, and the second finds the first one's trials."""
    for _ in range(_TWO_AT_ONCE):
        both = [_start(disturbed), _start(disturbed)]
        outcomes = [_ended(each) for each in both]
        assert [code for code, _ in outcomes] == [0, 0], outcomes
    check_same_results(disturbed, undisturbed)
    _report(f"two runs of one base date at once, {_TWO_AT_ONCE} times", "all ended well",
            _recover(disturbed))  # fmt: skip


class _Proxy:
    """A network between the platform and a server, which can be torn."""

    def __init__(self, port: int) -> None:
        self._target, self._open = port, set[socket.socket]()
        self._torn = threading.Event()
        proxy = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                proxy._carry(self.request)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        if self._torn.is_set():
            return
        with socket.create_connection(("127.0.0.1", self._target)) as server:
            pair = {client, server}
            self._open |= pair
            back = threading.Thread(target=self._pump, args=(server, client), daemon=True)
            back.start()
            self._pump(client, server)
            back.join()
            self._open -= pair

    def _pump(self, source: socket.socket, to: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                to.sendall(data)
        for end in (source, to):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def torn(self) -> Iterator[None]:
        """Drop all connections, and take no new one until the block ends."""
        self._torn.set()
        for end in list(self._open):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        yield
        self._torn.clear()

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()


def test_the_network_to_the_database_is_torn(
    tmp_path: Path, templates: Templates, undisturbed: Platform, mariadb: MariaDB
) -> None:
    """At random moments of a run, for two seconds: feature store and search use it."""
    direct = mariadb.new_database()
    proxy = _Proxy(mariadb.port)
    platform = Platform.prepared(tmp_path / "torn", templates, direct)
    through = sa.make_url(direct).set(port=proxy.port).render_as_string(hide_password=False)
    environment = {"FEATURE_STORE_URL": through, "OPTUNA_STORAGE_URL": through}
    config = {"ops": {"tuned_runs": {"config": _SEARCH}}}
    (platform.folder / "small.yaml").write_text(yaml.safe_dump(config))
    rng, said = random.Random(1), []
    for _ in range(_TORN):
        process = _start(platform, **environment)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=rng.uniform(5, 14))
        with proxy.torn():
            time.sleep(2)
        code, last = _ended(process)
        assert code in {0, 1}, last
        if code:
            assert "Traceback" not in last
            said.append(last)
    back = _recover(platform, **environment)
    proxy.close()
    assert platform.splits()["summary.json"]["rows"] == undisturbed.splits()["summary.json"]["rows"]
    told = f"{len(said)} failed with a sentence" + (f", such as: {said[0][:160]}" if said else "")
    _report(f"network to MariaDB torn for 2 s, {_TORN} runs", told, back)


@contextmanager
def _mlflow_server(platform: Platform, port: int) -> Iterator[subprocess.Popen[bytes]]:
    with (platform.folder / "mlflow.log").open("ab") as log:
        process = subprocess.Popen(
            ["mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
             "--backend-store-uri", f"sqlite:///{platform.folder}/var/mlflow.db",
             "--artifacts-destination", str(platform.folder / "mlflow_files")],
            env=platform.environment, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            time.sleep(0.5)
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_the_mlflow_server_dies_during_the_search(disturbed: Platform) -> None:
    """The run fails with a sentence; once it is back, finished trials are kept."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    there = {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}"}
    with _mlflow_server(disturbed, port) as server:
        process = _start(disturbed, **there)
        assert process.stderr is not None
        for line in process.stderr:
            if "1/4 done" in line:
                os.killpg(server.pid, signal.SIGKILL)
                break
        code, said = _ended(process)
        assert code == 1
        assert "MLflow failed" in said
        assert "Check that it runs and that MLFLOW_TRACKING_URI is right" in said
    with _mlflow_server(disturbed, port):
        back = _recover(disturbed, **there)
    assert disturbed.models()["summary.json"]["trials"]["completed"] == 4
    _report("MLflow server killed during the search", said[:200], back)


def test_the_disk_is_full(disturbed: Platform, undisturbed: Platform) -> None:
    """No half file is seen, and with room again the base date is made whole."""
    artifacts = disturbed.folder / "artifacts"
    artifacts.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(artifacts)], check=False,
        capture_output=True,
    )  # fmt: skip
    if mounted.returncode:
        pytest.skip("mounting a file system needs root")
    try:
        code, said = _ended(_start(disturbed))
        assert code == 1
        assert "No space left on device" in said
        assert [path.name for path in artifacts.rglob("*.tmp")] == []
        subprocess.run(["mount", "-o", "remount,size=64m", str(artifacts)], check=True)
        back = _recover(disturbed)
        check_same_results(disturbed, undisturbed)
    finally:
        subprocess.run(["umount", str(artifacts)], check=True)
    _report("disk full in the artifacts (128 KiB)", said[:200], back)

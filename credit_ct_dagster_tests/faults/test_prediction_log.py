"""Processes and MariaDB are killed, disks are full: every logged prediction remains, once."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from credit_ct_dagster.errors.stores import DuplicateRequestError, PredictionNotLoggedError
from credit_ct_dagster.serving.log.prediction_log import PredictionLog
from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.platform import REPOSITORY
from credit_ct_dagster_tests.serving.log.predictions import eventually, prediction

_SECONDS = 30
_NOWHERE = "mysql+pymysql://nobody@127.0.0.1:1/mlops"
_WRITER = """
import sys
from pathlib import Path
from credit_ct_dagster.serving.log.prediction_log import PredictionLog
from credit_ct_dagster_tests.serving.log.predictions import prediction

log = PredictionLog(sys.argv[1], Path(sys.argv[2]))
log.start()
for group in range(1_000_000):
    names = [f"{sys.argv[3]}-{group}-{number}" for number in range(8)]
    for name, future in [(name, log.record(prediction(name))) for name in names]:
        future.result(30)
        sys.stdout.write(name + "\\n")
    sys.stdout.flush()
"""


@pytest.fixture
def server(durable_mariadb: MariaDB) -> Iterator[MariaDB]:
    """The server to kill; it runs again after the test."""
    yield durable_mariadb
    if durable_mariadb.process.poll() is not None:
        durable_mariadb.start()


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[str], PredictionLog]]:
    """Opens a log whose spool is in the folder of the test."""
    logs: list[PredictionLog] = []

    def make(url: str) -> PredictionLog:
        log = PredictionLog(url, tmp_path / "spool", answer_seconds=1, adopt_seconds=0.2)
        log.start()
        logs.append(log)
        return log

    yield make
    for log in logs:
        log.stop()


class _Writers:
    """Threads that log until they are stopped, and remember what was logged."""

    def __init__(self, log: PredictionLog, count: int = 8) -> None:
        self.logged: list[str] = []
        self.refused: list[BaseException] = []
        self._log, self._ended = log, threading.Event()
        self._threads = [
            threading.Thread(target=self._write, args=[number]) for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def until_more(self, rows: int = 50) -> None:
        """Wait until more was logged."""
        enough = len(self.logged) + rows
        eventually(lambda: len(self.logged) > enough)

    def stop(self) -> None:
        """Wait until each has its last answer."""
        self._ended.set()
        for thread in self._threads:
            thread.join(_SECONDS)

    def _write(self, number: int) -> None:
        written = 0
        while not self._ended.is_set():
            name = f"{number}-{written}"
            written += 1
            try:
                self._log.record(prediction(name)).result(_SECONDS)
            except PredictionNotLoggedError as error:
                self.refused.append(error)
                time.sleep(0.01)
            else:
                self.logged.append(name)


def _names(url: str) -> list[str]:
    with sa.create_engine(url, poolclass=sa.NullPool).connect() as connection:
        query = sa.text("SELECT request_id FROM credit_predictions ORDER BY prediction_id")
        return list(connection.scalars(query))


def _is_drained(log: PredictionLog) -> bool:
    state = log.state()
    return not state.degraded and state.spooled == 0 and state.waiting == 0


def _started(url: str, spool: Path, name: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", _WRITER, url, str(spool), name],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )


def _killed_after(process: "subprocess.Popen[str]", lines: int) -> list[str]:
    """What a process had logged when it was killed; its last line may be torn."""
    assert process.stdout is not None
    with process:
        found = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        found += process.stdout.readlines()
    return [line.strip() for line in found if line.endswith("\n")]


def test_a_killed_writer_loses_nothing(store_url: str, tmp_path: Path) -> None:
    """What it had logged is in the database, once."""
    logged = _killed_after(_started(store_url, tmp_path / "spool", "w"), 40)
    names = _names(store_url)
    assert set(logged) <= set(names)
    assert len(names) == len(set(names))


def test_the_spools_of_killed_writers_are_adopted(
    store_url: str, tmp_path: Path, opened: Callable[[str], PredictionLog]
) -> None:
    """By another process while it runs, in their order; without waiting for a restart."""
    log = opened(store_url)
    writers = [_started(_NOWHERE, tmp_path / "spool", name) for name in ("a", "b")]
    logged = [_killed_after(writer, 40) for writer in writers]
    eventually(lambda: _is_drained(log))
    names = _names(store_url)
    assert {*logged[0], *logged[1]} <= set(names)
    assert len(names) == len(set(names))
    for prefix, each in zip("ab", logged, strict=True):
        assert [name for name in names if name.startswith(prefix)][: len(each)] == each


def test_a_killed_server_loses_nothing(
    server: MariaDB, opened: Callable[[str], PredictionLog]
) -> None:
    """Twice, under load: answers go on from the spool, and all of them end in the table, once."""
    url = server.new_database()
    log = opened(url)
    writers = _Writers(log)
    try:
        for _ in range(2):
            writers.until_more()
            server.kill()
            eventually(lambda: log.state().degraded)
            assert "does not answer" in str(log.state().sentence)
            writers.until_more()
            assert log.state().spooled > 0
            assert log.state().lag_seconds > 0
            assert log.find(writers.logged[-1]) is not None
            with pytest.raises(DuplicateRequestError):
                log.record(prediction(writers.logged[-1])).result(_SECONDS)
            server.start()
            eventually(lambda: not log.state().degraded)
            writers.until_more()
    finally:
        writers.stop()
    assert writers.refused == []
    eventually(lambda: _is_drained(log))
    assert log.state().lag_seconds == 0
    names = _names(url)
    assert sorted(names) == sorted(writers.logged)


def test_a_server_that_does_not_answer_holds_nobody_up(
    server: MariaDB, opened: Callable[[str], PredictionLog]
) -> None:
    """A statement that it executes later, when it was given up, inserts nothing twice."""
    url = server.new_database()
    log = opened(url)
    log.record(prediction("before")).result(_SECONDS)
    server.process.send_signal(signal.SIGSTOP)
    try:
        for number in range(3):
            log.record(prediction(f"during-{number}")).result(_SECONDS)
        assert log.state().degraded
        assert log.state().spooled == 3
    finally:
        server.process.send_signal(signal.SIGCONT)
    eventually(lambda: _is_drained(log))
    assert _names(url) == ["before", "during-0", "during-1", "during-2"]


def test_a_log_starts_without_its_database(
    server: MariaDB, opened: Callable[[str], PredictionLog]
) -> None:
    """And creates its table when the server is there."""
    url = server.new_database()
    server.kill()
    log = opened(url)
    assert log.state().degraded
    assert log.state().accepting
    log.record(prediction("early")).result(_SECONDS)
    server.start()
    eventually(lambda: _is_drained(log))
    assert _names(url) == ["early"]


def test_without_database_and_disk_nothing_is_answered(
    server: MariaDB, opened: Callable[[str], PredictionLog], tmp_path: Path
) -> None:
    """Until either is back; what was answered is in the table, and nothing else."""
    spool = tmp_path / "spool"
    spool.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(spool)], check=False,
        capture_output=True,
    )  # fmt: skip
    if mounted.returncode:
        pytest.skip("mounting a file system needs root")
    try:
        url = server.new_database()
        log = opened(url)
        server.kill()
        writers = _Writers(log)
        try:
            eventually(lambda: bool(writers.refused))
            assert "No space left on device" in str(writers.refused[0])
            eventually(lambda: not log.state().accepting)
            assert "cannot be written" in str(log.state().sentence)
            subprocess.run(["mount", "-o", "remount,size=8m", str(spool)], check=True)
            writers.until_more(8)
            eventually(lambda: log.state().accepting)
            server.start()
            eventually(lambda: not log.state().degraded)
            writers.until_more()
        finally:
            writers.stop()
        eventually(lambda: _is_drained(log))
        assert sorted(_names(url)) == sorted(writers.logged)
        log.stop()
    finally:
        subprocess.run(["umount", "--lazy", str(spool)], check=True)


def test_a_disk_that_fails_is_reported_and_tried_again(
    opened: Callable[[str], PredictionLog], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also by the log alone, without a further request."""
    log = opened(_NOWHERE)
    fsync = os.fsync

    def fail(_descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(PredictionNotLoggedError, match="Input/output error"):
        log.record(prediction("1")).result(_SECONDS)
    state = log.state()
    assert state.degraded
    assert not state.accepting
    assert state.spooled == 0
    monkeypatch.setattr(os, "fsync", fsync)
    eventually(lambda: log.state().accepting)
    log.record(prediction("1")).result(_SECONDS)
    assert log.state().spooled == 1

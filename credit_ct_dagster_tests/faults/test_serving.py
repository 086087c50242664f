"""The service under load while its champion changes, and while what it depends on breaks."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from credit_ct_dagster_tests.decisions.decided import searched
from credit_ct_dagster_tests.faults.attempts import report
from credit_ct_dagster_tests.faults.load import Call, Load
from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.platform import REPOSITORY, Platform, Templates
from credit_ct_dagster_tests.serving.server.served_platform import DAYS, RunningServer, TwoModels

_SWAPS = 10
_REQUESTS = 5_000
_FOLLOWS_WITHIN = 1.0
_AWAY_SECONDS = 60
_WAIT_SECONDS = 180


@pytest.fixture(scope="module")
def two_models(
    tmp_path_factory: pytest.TempPathFactory, templates: Templates, durable_mariadb: MariaDB
) -> TwoModels:
    """Two models, on a server to kill, which also keeps the log of predictions."""
    folder = tmp_path_factory.mktemp("served")
    return TwoModels.on(Platform.prepared(folder, templates, durable_mariadb.new_database()))


@pytest.fixture(scope="module")
def server(two_models: TwoModels) -> Iterator[RunningServer]:
    """`credit-ct serve` with two workers."""
    with RunningServer.of(two_models.platform) as server:
        yield server


def _logged(platform: Platform) -> list[str]:
    """The request ids in the log."""
    engine = sa.create_engine(platform.url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        found = connection.scalars(sa.text("SELECT request_id FROM credit_predictions"))
        return list(map(str, found))


def _check_log(platform: Platform, calls: list[Call]) -> None:
    """Every answer is in the log, once."""
    logged = _logged(platform)
    assert len(logged) == len(set(logged))
    missing = {call.request_id for call in calls} - set(logged)
    assert len(missing) == 0, f"{len(missing)} of {len(calls)} answers are not in the log"


def _wait(condition: Callable[[], Any]) -> float:
    """Wait until a condition holds; returns the seconds that it took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < _WAIT_SECONDS
        time.sleep(0.05)
    return time.monotonic() - started


def test_swaps_under_load(server: RunningServer, two_models: TwoModels) -> None:
    """No request fails, none is dropped, and each is answered by the champion of its time."""
    swaps = [(0.0, 0.0, two_models.promote(DAYS[0]))]
    server.until_all_serve(swaps[0][2])
    with Load(server.url).running() as load:
        while len(swaps) <= _SWAPS or len(load.calls) < _REQUESTS:
            time.sleep(2.5)
            begun = time.monotonic()
            tag = two_models.promote(DAYS[len(swaps) % 2])
            swaps.append((begun, time.monotonic(), tag))
        time.sleep(2)
    assert load.failed == []
    lags, wrong = [], 0
    for number, (_, since, tag) in enumerate(swaps):
        until = swaps[number + 1][0] if number + 1 < len(swaps) else float("inf")
        own = [call for call in load.calls if since < call.begun and call.ended < until]
        other = [call.begun - since for call in own if call.tag != tag]
        lags.append(max(other, default=0.0))
        wrong += sum(lag > _FOLLOWS_WITHIN for lag in other)
    assert wrong == 0, lags
    _check_log(two_models.platform, load.calls)
    seconds = load.calls[-1].ended - load.calls[0].begun
    latencies = sorted(call.ended - call.begun for call in load.calls)
    report(
        f"{len(swaps) - 1} promotions and rollbacks under load, two workers, six callers",
        f"{len(load.calls):,} requests ({len(load.calls) / seconds:,.0f}/s, p99"
        f" {latencies[int(len(latencies) * 0.99)] * 1_000:.0f} ms): 0 failed, 0 by a wrong model,"
        " all in the log",
        f"the old model answered for at most {max(lags):.2f} s more",
    )


def test_the_smoke_test_of_a_deployment_passes(
    server: RunningServer, two_models: TwoModels
) -> None:
    """`deploy/smoke-test` predicts while the champion goes by a rollback, and comes back."""
    searched(two_models.platform, DAYS[1], two_models.models[DAYS[1]].mlflow_run_id)
    server.until_all_serve(two_models.promote(DAYS[1]))
    done = subprocess.run(
        [REPOSITORY / "deploy" / "smoke-test", "--url", server.url, "credit-ct"],
        cwd=two_models.platform.folder, env=server.all_variables, capture_output=True, text=True,
        timeout=_WAIT_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 swaps: " in done.stdout
    assert done.stdout.rstrip().endswith("failed {}")


def test_a_worker_is_killed_under_load(server: RunningServer, two_models: TwoModels) -> None:
    """Only requests that it had begun fail, and nothing that was answered is missing in the log."""
    state = server.until_ready()
    killed = state["workers"][0]["pid"]
    with Load(server.url).running() as load:
        time.sleep(3)
        at = time.monotonic()
        os.kill(killed, signal.SIGKILL)
        seconds = _wait(lambda: killed not in server.pids() and len(server.pids()) == 2)
        time.sleep(2)
    assert len(load.failed) <= load.keeping + load.connecting
    assert all(call.begun <= at + 0.1 for call in load.failed), load.failed
    _check_log(two_models.platform, load.answered)
    report(
        "`kill -9` of one of two workers under load",
        f"{len(load.failed)} of {len(load.calls):,} requests broke, all under way in it; all"
        " answers in the log",
        "the other worker answered; a new one was ready",
        seconds,
    )


def test_mariadb_is_away(
    server: RunningServer, two_models: TwoModels, durable_mariadb: MariaDB
) -> None:
    """For a minute, the spool takes the log; a worker that is killed meanwhile loses nothing."""
    server.until_ready()
    with Load(server.url, keeping=2, connecting=1, pause=0.02).running() as load:
        time.sleep(2)
        durable_mariadb.kill()
        server.until(lambda state: state["log"]["status"] == "degraded")
        assert server.state()["status"] == "degraded"
        time.sleep(_AWAY_SECONDS / 2)
        killed = min(server.pids())
        before = len(load.calls)
        os.kill(killed, signal.SIGKILL)
        time.sleep(_AWAY_SECONDS / 2)
        durable_mariadb.start()
        seconds = _wait(lambda: _is_drained(server))
        time.sleep(2)
    assert [call for call in load.failed if call.status] == []
    assert len(load.failed) <= 3, load.failed
    assert len(load.calls) > before
    _wait(lambda: {call.request_id for call in load.answered} <= set(_logged(two_models.platform)))
    _check_log(two_models.platform, load.answered)
    report(
        f"MariaDB killed for {_AWAY_SECONDS} s under load, and a worker in between",
        f"{len(load.answered):,} answers, {len(load.failed)} broken connections (of the killed"
        " worker); all answers in the log, none twice",
        "the spool was drained",
        seconds,
    )


def _is_drained(server: RunningServer) -> bool:
    state = server.state()
    logs = [state["log"], *(worker["log"] for worker in state["workers"])]
    return all(log["status"] == "ready" and log["waiting"] < 10 for log in logs)


def test_the_disk_of_the_spool_is_full(
    two_models: TwoModels, durable_mariadb: MariaDB, server: RunningServer
) -> None:
    """Without database and spool, nothing is answered that would not be in the log."""
    server.kill_all()
    spool = two_models.platform.folder / "var" / "serving" / "spool"
    spool.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(spool)], check=False,
        capture_output=True,
    )  # fmt: skip
    if mounted.returncode:
        pytest.skip("mounting a file system needs root")
    try:
        with RunningServer.of(two_models.platform) as full:
            load, seconds = _fill(full, durable_mariadb, spool)
    finally:
        subprocess.run(["umount", "-l", str(spool)], check=True)
    refused = [call for call in load.failed if call.status == 503]
    assert len(refused) == len(load.failed)
    assert refused
    _check_log(two_models.platform, load.answered)
    report(
        "the spool's disk full (256 KiB) while MariaDB is away",
        f"{len(load.answered):,} answers, all in the log; {len(refused):,} requests refused (503)"
        " once it was full",
        "answers again once there was space, in the database once MariaDB was back",
        seconds,
    )


def _fill(server: RunningServer, database: MariaDB, spool: Path) -> tuple[Load, float]:
    """Let the spool fill up, then give it space, then bring the database back."""
    with Load(server.url, keeping=2, connecting=1, pause=0.02).running() as load:
        time.sleep(1)
        database.kill()
        _wait(lambda: len(load.failed) > 20)
        assert server.state()["log"]["accepting"] is False
        subprocess.run(["mount", "-o", "remount,size=64m", str(spool)], check=True)
        answers = len(load.answered)
        _wait(lambda: len(load.answered) > answers + 20)
        database.start()
        seconds = _wait(lambda: _is_drained(server))
        time.sleep(1)
    _wait(lambda: _is_drained(server))
    return load, seconds

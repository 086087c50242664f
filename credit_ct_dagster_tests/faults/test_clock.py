"""The clock of real processes passes midnight, 06:00 and 09:00 in Seoul, and is set back.

Debian's libfaketime is preloaded into `dagster dev`: daemon, code server and run workers.
"""

import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.loading import sample_data
from credit_ct_dagster.partitions import TIMEZONE
from credit_ct_dagster_tests.faults.attempts import report
from credit_ct_dagster_tests.platform import REPOSITORY, Platform
from credit_ct_dagster_tests.servers import Receiver
from credit_ct_dagster_tests.webserver import dagster_dev, until

_LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
# In the future: the library does not fake the start times of processes, and a run whose process
# started after the run's first event would look like one that was killed.
_DAY_BEFORE, _DAY, _TODAY = "2031-03-09", "2031-03-10", "2031-03-11"
_LOCATION = "credit_ct_dagster_tests.faults.small_search"
_IS_TRAINING = "pipeline_name = 'continuous_training'"
_START_SECONDS, _TICK_SECONDS, _RUN_SECONDS = 180, 180, 400

# With FAKETIME_DONT_FAKE_MONOTONIC=1 the library breaks `time.sleep`, which waits for a moment of
# the monotonic clock; without it, waiting for a condition or a queue never ends.
_SLEEP = """
import select, time
def sleep(seconds):
    select.select([], [], [], seconds)
time.sleep = sleep
"""


class _Clock:
    """A clock in Seoul for other processes; a file has its offset from the real one."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        (folder / "sitecustomize.py").write_text(_SLEEP)
        self.environment = {
            "LD_PRELOAD": str(_LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "PYTHONPATH": f"{folder}:{REPOSITORY}",
        }

    def set(self, day: str, clock: str) -> None:
        """Set it, also for processes that are running already."""
        moment = datetime.fromisoformat(f"{day} {clock}").replace(tzinfo=ZoneInfo(TIMEZONE))
        self._offset = moment.timestamp() - time.time()
        new = self._file.with_suffix(".new")
        new.write_text(f"{self._offset:+.0f}\n")
        new.replace(self._file)

    def now(self) -> str:
        """The time that it shows."""
        now = datetime.fromtimestamp(time.time() + self._offset, ZoneInfo(TIMEZONE))
        return now.isoformat(" ", "seconds")[:19]

    def wait_for(self, day: str, clock: str) -> None:
        """Wait until it has passed a moment."""
        while self.now() <= f"{day} {clock}":
            time.sleep(0.5)


@pytest.fixture
def clock(tmp_path: Path) -> Iterator[_Clock]:
    """A clock to set, by Debian's libfaketime; skipped without it, which fails under CI=true."""
    if _LIBRARY is None:
        reason = "libfaketime is not installed (apt-get install faketime)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    folder = tmp_path / "clock"
    folder.mkdir()
    shared = Path("/dev/shm")
    before = set(shared.glob("*faketime*"))
    yield _Clock(folder)
    for file in set(shared.glob("*faketime*")) - before:  # killed processes do not delete theirs
        file.unlink()


@pytest.fixture
def platform(platform: Platform) -> Platform:
    """With rows up to the day before the date of the clock."""
    labels, features = sample_data.generate(12_000, date.fromisoformat(_DAY), seed=0)
    platform.store.upsert({"credit_score": labels, "credit_score_features": features})
    return platform


@contextmanager
def _dagster(platform: Platform, clock: _Clock, **environment: str) -> Iterator[None]:
    """`dagster dev` on that clock, once its scheduler runs."""
    before = _scheduler(platform)
    with dagster_dev(platform, _LOCATION, **clock.environment, **environment):
        until(lambda: _scheduler(platform) != before, _START_SECONDS, "the daemon's start")
        yield


def _scheduler(platform: Platform) -> list[tuple[str]]:
    """The daemon of the last heartbeat of a scheduler."""
    return _rows(
        _history(platform),
        "SELECT daemon_id FROM daemon_heartbeats WHERE daemon_type = 'SCHEDULER'",
    )


def _history(platform: Platform) -> Path:
    return platform.folder / "var/dagster/history/runs.db"


def _rows(file: Path, query: str) -> list[tuple[Any, ...]]:
    if not file.exists():
        return []
    with closing(sqlite3.connect(file, timeout=30)) as database:
        try:
            return database.execute(query).fetchall()
        except sqlite3.OperationalError:  # no such table yet
            return []


def _runs(platform: Platform) -> list[tuple[str, str]]:
    """Base date and status of every training, oldest first; scoring has runs of its own."""
    query = f"SELECT partition, status FROM runs WHERE {_IS_TRAINING} ORDER BY id"
    return _rows(_history(platform), query)


def _times(platform: Platform, base_dt: str) -> tuple[str, str]:
    """When the run of a base date started and ended, in Seoul."""
    [times] = _rows(
        _history(platform),
        f"SELECT start_time, end_time FROM runs WHERE partition = '{base_dt}' AND {_IS_TRAINING}",
    )
    started, ended = (datetime.fromtimestamp(each, ZoneInfo(TIMEZONE)) for each in times)
    return started.isoformat(" ", "seconds")[:19], ended.isoformat(" ", "seconds")[:19]


def _ticks(platform: Platform, name: str) -> list[dict[str, Any]]:
    """The ticks of a sensor or the schedule that have ended, oldest first."""
    [file] = (platform.folder / "var/dagster/schedules").glob("*.db") or [Path("none")]
    ticks = [json.loads(body) for (body,) in _rows(file, "SELECT tick_body FROM job_ticks")]
    ended = [each for each in ticks if each["status"]["__enum__"] != "TickStatus.STARTED"]
    return [each for each in ended if each["job_name"] == name]


def _check_packaged(platform: Platform, clock: _Clock, base_dt: str) -> None:
    """The base date is packaged, once, and its model has this base date and this run."""
    listed = json.loads(platform.run("credit-ct", "status", "--json", **clock.environment).stdout)
    assert {each["base_dt"]: each["state"] for each in listed}[base_dt] == "packaged"
    [(run_id,)] = _rows(
        _history(platform),
        f"SELECT run_id FROM runs WHERE partition = '{base_dt}' AND {_IS_TRAINING}",
    )
    identity = platform.models(base_dt).read(ModelIdentity)
    assert (identity.base_dt, identity.dagster_run_id) == (base_dt, run_id)
    assert list(platform.folder.rglob("*.tmp")) == []


def test_six_in_the_morning(platform: Platform, clock: _Clock) -> None:
    """The schedule starts yesterday's base date, once, also when the clock is set back."""
    slow_sensor = {"NEW_DATA_STABLE_MINUTES": "600"}
    clock.set(_TODAY, "05:50:00")
    with _dagster(platform, clock, **slow_sensor):
        clock.set(_TODAY, "05:59:40")
        until(lambda: _runs(platform), _TICK_SECONDS, "the tick at 06:00")
        until(lambda: _runs(platform) == [(_DAY, "SUCCESS")], _RUN_SECONDS, "the run")
        started, _ = _times(platform, _DAY)
        assert f"{_TODAY} 06:00:00" <= started <= f"{_TODAY} 06:03:00"
        _check_packaged(platform, clock, _DAY)

        clock.set(_TODAY, "05:59:50")
        clock.wait_for(_TODAY, "06:00:40")
        assert _runs(platform) == [(_DAY, "SUCCESS")]
    report("the clock reaches 06:00, and is set back to 05:59:50",
           f"the schedule's run started at {started[11:]}; none was started twice")  # fmt: skip

    clock.set(_DAY, "23:59:40")
    with _dagster(platform, clock, **slow_sensor):
        clock.wait_for(_TODAY, "00:00:20")
        clock.set(_TODAY, "05:59:50")
        clock.wait_for(_TODAY, "06:00:40")
        ticks = len(_ticks(platform, "new_data_sensor"))
        clock.set(_TODAY, "07:00:00")
        until(
            lambda: len(_ticks(platform, "new_data_sensor")) > ticks, _TICK_SECONDS, "another tick"
        )
        assert _runs(platform) == [(_DAY, "SUCCESS")]
    report("the daemon restarts with its clock set back before midnight, and passes 06:00",
           "none was started twice")  # fmt: skip


def test_a_run_over_midnight(platform: Platform, clock: _Clock) -> None:
    """It trains the base date that it was started for; then the next one is the newest.

    The sensor starts that one, so the schedule does not.
    """
    fast_sensor = {"NEW_DATA_STABLE_MINUTES": "1"}
    clock.set(_DAY, "22:00:00")
    with _dagster(platform, clock, **fast_sensor):
        _let_the_sensor_start(platform, clock, _DAY, 22, runs=1)
        running = [(_DAY_BEFORE, "STARTED")]
        until(lambda: _runs(platform) == running, _RUN_SECONDS, "the start of the run")
        clock.set(_DAY, "23:59:58")
        succeeded = (_DAY_BEFORE, "SUCCESS")
        until(lambda: _runs(platform)[0] == succeeded, _RUN_SECONDS, "the run over midnight")
        started, ended = _times(platform, _DAY_BEFORE)
        assert started < f"{_DAY} 23:59:58"
        assert ended > f"{_TODAY} 00:00:00"
        _check_packaged(platform, clock, _DAY_BEFORE)

        _let_the_sensor_start(platform, clock, _TODAY, 1, runs=2)
        # Once the clock is advanced, run monitoring fails a run that has not started by then.
        started_or_ended = ("STARTED", "SUCCESS")
        until(
            lambda: _runs(platform)[1][1] in started_or_ended,
            _RUN_SECONDS,
            "the start of the next run",
        )
        clock.set(_TODAY, "05:59:55")
        tick = until(
            lambda: _ticks(platform, "daily_training_schedule"), _TICK_SECONDS, "the tick at 06:00"
        )[-1]
        assert tick["skip_reason"] == f"Base date {_DAY} has been started already"
        both = [succeeded, (_DAY, "SUCCESS")]
        until(lambda: _runs(platform) == both, _RUN_SECONDS, "the next run")
        _check_packaged(platform, clock, _DAY)
    report(f"midnight during a run of {_DAY_BEFORE}", f"it ended at {ended[11:]}, as {_DAY_BEFORE}")
    report("06:00 with a base date that the sensor has started", "the schedule started none")


def _let_the_sensor_start(
    platform: Platform, clock: _Clock, day: str, hour: int, runs: int
) -> None:
    """Advance its clock, tick by tick: it starts a base date when its rows stop changing."""
    for minute in range(2, 60, 2):
        if len(_runs(platform)) == runs:
            return
        ticks = len(_ticks(platform, "new_data_sensor"))
        clock.set(day, f"{hour:02}:{minute:02}:00")
        until(
            lambda ticks=ticks: len(_ticks(platform, "new_data_sensor")) > ticks, _TICK_SECONDS,
            f"a tick at {clock.now()}",
        )  # fmt: skip
    raise AssertionError("The sensor started no run within an hour")


def test_nine_in_the_morning(platform: Platform, clock: _Clock) -> None:
    """One alert reports a missing base date, also when the clock is set back."""
    with Receiver.running() as receiver:
        clock.set(_TODAY, "08:50:00")
        alerting = {"NEW_DATA_STABLE_MINUTES": "600", "ALERT_WEBHOOK_URL": receiver.url}
        with _dagster(platform, clock, **alerting):
            until(lambda: _ticks(platform, "webhook_alerts_sensor"), _TICK_SECONDS, "a tick")
            assert receiver.received == []
            clock.set(_TODAY, "08:59:40")
            until(lambda: receiver.received, _TICK_SECONDS, "the alert")
            received_at = clock.now()
            assert received_at >= f"{_TODAY} 09:00:00"
            clock.set(_TODAY, "08:59:40")
            clock.wait_for(_TODAY, "09:00:10")
            ticks = len(_ticks(platform, "webhook_alerts_sensor"))
            clock.set(_TODAY, "09:10:00")
            until(
                lambda: len(_ticks(platform, "webhook_alerts_sensor")) > ticks, _TICK_SECONDS,
                "another tick",
            )  # fmt: skip
    [alert] = receiver.received
    assert (alert["kind"], alert["base_dt"]) == ("base_date_missing", _DAY)
    assert "No run was started for it" in alert["text"]
    report("the clock reaches 09:00 without a base date, and is set back to 08:59:40",
           f"the webhook received one alert, at {received_at[11:]}")  # fmt: skip

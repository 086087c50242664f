"""What the workers of a server know of each other."""

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from credit_ct_dagster.serving.follower import FollowerState
from credit_ct_dagster.serving.server.folder import ServerFolder
from credit_ct_dagster.serving.server.worker_state import WorkerState

_STATE = FollowerState(problem="It is missing.", code="CT-PACKAGE-1", last_look=datetime.now(UTC))


def test_a_worker_is_listed_as_long_as_it_runs(tmp_path: Path) -> None:
    """Neither one that ended, nor another process that got its number; its gauges go, too."""
    ours = WorkerState.of(_STATE, {"status": "ready"})
    with (
        ServerFolder.running(tmp_path) as folder,
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other,
    ):
        theirs = replace(ours, pid=other.pid, started=psutil.Process(other.pid).create_time())
        for state in (ours, theirs):
            folder.write(state)
        assert {state.pid for state in folder.workers()} == {ours.pid, other.pid}
        assert ours in folder.workers()
        gauge = folder.metrics / f"gauge_livesum_{other.pid}.db"
        gauge.touch()
        other.kill()
        other.wait()
        assert folder.workers() == [ours]
        assert not gauge.exists()
        folder.write(replace(ours, started=ours.started - 60))
        assert folder.workers() == []


def test_folders_of_servers_that_ended_are_deleted(tmp_path: Path) -> None:
    """Those of servers that run are not."""
    killed = tmp_path / "servers" / "killed"
    (killed / "metrics").mkdir(parents=True)
    (killed / "lock").touch()
    with ServerFolder.running(tmp_path) as first:
        assert not killed.exists()
        with ServerFolder.running(tmp_path) as second:
            assert first.metrics.is_dir()
        assert not second.path.exists()
        assert first.metrics.is_dir()


def test_a_cause_is_reported_by_one_worker(tmp_path: Path) -> None:
    """Until it is solved; then it may happen again."""
    with ServerFolder.running(tmp_path) as folder:
        other = ServerFolder(folder.path)
        found = [folder.is_first("a"), other.is_first("a"), other.is_first("b")]
        assert found == [True, False, True]
        folder.solved()
        assert other.is_first("a")


def test_a_state_that_cannot_be_written_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk, or a folder that somebody deleted, is logged once."""
    folder = ServerFolder(tmp_path / "nowhere")
    for _ in range(3):
        folder.write(WorkerState.of(_STATE, {}))
    assert caplog.text.count("The state of this worker cannot be written") == 1
    assert folder.workers() == []

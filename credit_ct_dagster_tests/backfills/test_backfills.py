"""Backfills of ten and ninety base dates from the UI, interrupted and resumed; `make backfills`.

All of it is real: `dagster dev`, GraphQL, queue, daemon, run workers and MariaDB. Each backfill
adds a row to `build/backfills.md`.
"""

import itertools
import json
import random
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from credit_ct_dagster.partitions import PARTITION_TAG
from credit_ct_dagster.runs.purposes import TRAINING_ASSETS
from credit_ct_dagster_tests.end_state import check_all_served, check_same_results
from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.platform import (
    NO_FLOORS,
    REPOSITORY,
    SMALL_SEARCH,
    Platform,
    Templates,
)
from credit_ct_dagster_tests.webserver import (
    backfill_status,
    dagster_dev,
    graphql,
    launch_backfill,
    until,
)

pytestmark = pytest.mark.timeout(4 * 3600)

_UNTIL = "2025-03-31"
"""The last of the ninety base dates."""
_LIMIT = 2  # of dagster.yaml
_SEARCH = SMALL_SEARCH | {"iterations": 40, "early_stopping_rounds": 10}
"""Two candidates, whose models pass the blocking checks on all ninety."""
_TRIALS = 2
_CONFIG = {"tuned_runs": {"config": _SEARCH}, "champion_model": {"config": NO_FLOORS}}
_RUN_SECONDS, _LONG_SECONDS = 300, 1800  # on a machine that is busy with other things
_CANCEL = """
mutation Cancel($id: String!) {
  cancelPartitionBackfill(backfillId: $id) { __typename }
}
"""


def _days(number: int) -> list[str]:
    last = date.fromisoformat(_UNTIL)
    return [(last - timedelta(days=n)).isoformat() for n in reversed(range(number))]


@dataclass(frozen=True)
class _Step:
    """A step of a run, from its start to its end."""

    base_dt: str
    run_id: str
    name: str
    start: float
    end: float


@dataclass(frozen=True)
class _History:
    """What Dagster recorded of a platform's runs."""

    instance: dg.DagsterInstance

    @classmethod
    def of(cls, platform: Platform) -> "_History":
        """The history of `dagster.yaml`, whose paths are relative to the working directory."""
        return cls(dg.DagsterInstance.from_config(str(platform.folder)))

    def materialized(self, asset: str) -> set[str]:
        """The base dates for which an asset is materialized."""
        return self.instance.get_materialized_partitions(dg.AssetKey(asset))

    def completed(self) -> set[str]:
        """The base dates whose last asset is materialized."""
        return self.materialized(TRAINING_ASSETS[-1])

    def records(self) -> Sequence[dg.RunRecord]:
        """All runs."""
        return self.instance.get_run_records()

    def status(self, run_id: str) -> dg.DagsterRunStatus:
        """The status of a run."""
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        return run.status

    def unfinished(self, *statuses: dg.DagsterRunStatus) -> set[str]:
        """Ids of runs that have not ended."""
        runs = self.instance.get_runs(dg.RunsFilter(statuses=statuses or None))
        return {run.run_id for run in runs if not run.is_finished}

    def base_dates_in(self, step: str) -> set[str]:
        """The base dates for which a step is in progress."""
        return {
            run.tags[PARTITION_TAG]
            for run_id in self.unfinished(dg.DagsterRunStatus.STARTED)
            if (run := self.instance.get_run_by_id(run_id))
            for each in self.instance.get_run_step_stats(run_id)
            if each.step_key == step and each.start_time and not each.end_time
        }

    def is_tuning_after(self, completed: int) -> bool:
        """Whether at least so many base dates are completed, and another one is being tuned."""
        return len(self.completed()) >= completed and bool(self.base_dates_in("tuned_runs"))

    def steps(self) -> list[_Step]:
        """The steps of all runs that started and ended."""
        return [
            _Step(
                run.tags[PARTITION_TAG], run.run_id, step.step_key, step.start_time, step.end_time
            )
            for run in self.instance.get_runs()
            for base_dt in [run.tags[PARTITION_TAG]]
            for step in self.instance.get_run_step_stats(run.run_id)
            if step.start_time and step.end_time
        ]


def _from_lineage(port: int, base_dts: Sequence[str], ops: dict[str, Any] | None = None) -> str:
    """Launch from the lineage; Dagster sorts the base dates."""
    return launch_backfill(
        port,
        assetSelection=[{"path": [name]} for name in TRAINING_ASSETS],
        partitionNames=base_dts,
        runConfigData={"ops": ops or _CONFIG},
    )


def _from_job(port: int, base_dts: Sequence[str], ops: dict[str, Any] | None = None) -> str:
    """Launch from the page of the job, in the order given."""
    return launch_backfill(
        port,
        selector={
            "partitionSetName": "continuous_training_partition_set",
            "repositorySelector": {
                "repositoryName": "__repository__",
                "repositoryLocationName": "credit_ct_dagster",
            },
        },
        partitionNames=base_dts,
        runConfigData={"ops": ops or _CONFIG},
    )


@pytest.fixture
def platforms(
    tmp_path: Path, templates: Templates, mariadb: MariaDB, monkeypatch: pytest.MonkeyPatch
) -> tuple[Platform, Platform]:
    """One to disturb and one to compare it with, on the same rows."""
    disturbed, undisturbed = (
        Platform.prepared(
            tmp_path / name, templates, mariadb.new_database(), mariadb.new_database(), _UNTIL
        )
        for name in ("disturbed", "undisturbed")
    )
    monkeypatch.chdir(disturbed.folder)
    return disturbed, undisturbed


def _final_status(port: int, backfill: str, seconds: float) -> str:
    """Wait until a backfill has ended; returns its status."""
    unfinished = ("REQUESTED", "COMPLETING", "CANCELING", "FAILING")
    until(lambda: backfill_status(port, backfill) not in unfinished, seconds, "the backfill")
    return backfill_status(port, backfill)


def _check_concurrency(history: _History) -> None:
    """Runs respect the limit, steps of one base date take turns, a search blocks no other."""
    changes = sorted(
        change
        for record in history.records()
        if record.start_time and record.end_time
        for change in ((record.start_time, 1), (record.end_time, -1))
    )
    assert max(itertools.accumulate(change for _, change in changes)) == _LIMIT
    during_a_search = 0
    for one, other in itertools.permutations(history.steps(), 2):
        if one.base_dt == other.base_dt and one.run_id != other.run_id:
            assert one.end <= other.start or other.end <= one.start, (one, other)
        if one.base_dt != other.base_dt and one.name == "tuned_runs":
            during_a_search += one.start < other.start and other.end < one.end
    assert during_a_search > 0


def _report(backfill: str, *cells: str) -> None:
    """Add a row to the table."""
    file = REPOSITORY / "build" / "backfills.md"
    file.parent.mkdir(exist_ok=True)
    if not file.exists():
        head = ["backfill", "all processes killed", "cancelled", "end"]
        file.write_text(f"| {' | '.join(head)} |\n{'|---' * len(head)}|\n")
    with file.open("a") as table:
        table.write(f"| {' | '.join([backfill, *cells])} |\n")


@pytest.mark.parametrize(
    ("number", "launch"), [(10, _from_lineage), (10, _from_job), (90, _from_job)]
)
def test_equals_fresh_runs_after_a_kill_and_a_cancellation(
    platforms: tuple[Platform, Platform],
    instance: dg.DagsterInstance,
    number: int,
    launch: Callable[[int, Sequence[str]], str],
) -> None:
    """In any order, each base date has the results of a fresh run on an undisturbed platform."""
    disturbed, undisturbed = platforms
    base_dts = _days(number)
    shuffled = random.Random(number).sample(base_dts, number)
    history, seconds = _History.of(disturbed), number * _RUN_SECONDS
    started = time.monotonic()
    with dagster_dev(disturbed) as port:
        backfill = launch(port, shuffled)
        until(
            lambda: history.is_tuning_after(completed=number // 4), seconds, "a quarter", pause=0.1
        )
    running = history.unfinished(dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING)
    kill = f"{len(running)} runs, after {time.monotonic() - started:.0f} s"

    with dagster_dev(disturbed) as port:
        restarted = time.monotonic()
        until(lambda: not running & history.unfinished(), _RUN_SECONDS, "noticing the killed runs")
        kill += f"; noticed {time.monotonic() - restarted:.0f} s after the restart"
        until(lambda: history.is_tuning_after(completed=number // 2), seconds, "half", pause=0.1)
        graphql(port, _CANCEL, id=backfill)
        assert _final_status(port, backfill, _RUN_SECONDS) == "CANCELED"
        completed = history.completed()
        cancel = f"{len(completed)} base dates done, after {time.monotonic() - started:.0f} s"
        remaining = [base_dt for base_dt in shuffled if base_dt not in completed]
        assert _final_status(port, launch(port, remaining), seconds) == "COMPLETED_SUCCESS"
        took = time.monotonic() - started
        doctor = disturbed.run("credit-ct", "doctor", "--json")
    log = (disturbed.folder / "dev.log").read_text()
    assert re.findall(".*(?:database is locked|[Dd]eadlock).*", log) == []
    assert {history.status(run_id) for run_id in running} == {dg.DagsterRunStatus.FAILURE}
    assert history.unfinished() == set()
    assert all(history.materialized(name) == set(base_dts) for name in TRAINING_ASSETS)
    _check_concurrency(history)
    states = {each["subject"]: each["state"] for each in json.loads(doctor.stdout)}
    assert states["champion"] == states["daemon"] == "ok", doctor.stdout

    for base_dt in base_dts:
        assert undisturbed.materialize(instance, base_dt, search=_SEARCH).success
    check_same_results(disturbed, undisturbed, base_dts)
    check_all_served(disturbed, undisturbed, base_dts, trials=_TRIALS)
    origin = launch.__name__.removeprefix("_").replace("_", " the ")
    _report(f"{number} base dates, {origin}", kill, cancel, f"after {took:.0f} s")


def test_a_long_search_delays_only_its_own_base_date(
    platforms: tuple[Platform, Platform], instance: dg.DagsterInstance
) -> None:
    """Others complete meanwhile; a second run of its base date waits until it is cancelled."""
    platform, undisturbed = platforms
    searched, *others = _days(4)
    history = _History.of(platform)
    search = {"sampler": "random", "max_seconds": _LONG_SECONDS, "iterations": 200}
    with dagster_dev(platform) as port:
        long_search = _from_job(port, [searched], _CONFIG | {"tuned_runs": {"config": search}})
        until(lambda: history.base_dates_in("tuned_runs"), _RUN_SECONDS, "the long search")
        short = _from_lineage(port, others)
        assert _final_status(port, short, _LONG_SECONDS) == "COMPLETED_SUCCESS"
        assert history.base_dates_in("tuned_runs") == {searched}
        second = _from_job(port, [searched])
        until(
            lambda: len(history.unfinished(dg.DagsterRunStatus.STARTED)) == _LIMIT,
            _RUN_SECONDS,
            "the second run",
        )
        assert backfill_status(port, second) == "REQUESTED"
        graphql(port, _CANCEL, id=long_search)
        assert _final_status(port, long_search, _RUN_SECONDS) == "CANCELED"
        assert _final_status(port, second, _RUN_SECONDS) == "COMPLETED_SUCCESS"
    _check_concurrency(history)
    for base_dt in (searched, *others):
        assert undisturbed.materialize(instance, base_dt, search=_SEARCH).success
    check_same_results(platform, undisturbed, [searched, *others])

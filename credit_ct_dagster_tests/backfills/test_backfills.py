"""Ten and ninety base dates from the UI, interrupted and resumed; `make backfills`.

All of it is real: `dagster dev`, GraphQL, queue, daemon, run workers and MariaDB. Each backfill
leaves a row in `build/backfills.md`.
"""

import itertools
import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from credit_ct_dagster.partitions import PARTITION_TAG
from credit_ct_dagster_tests.end_state import check_all_served, check_same_results
from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.platform import (
    NO_FLOORS,
    SMALL_SEARCH,
    Platform,
    Templates,
)
from credit_ct_dagster_tests.webserver import (
    ask,
    backfill_status,
    dagster_dev,
    launch_backfill,
    until,
)

_UNTIL = "2025-03-31"
"""The ninetieth base date."""
_ASSETS = ["features_target", "preprocessed_splits", "robust_scalers", "tuned_runs",
           "bentoml_model", "champion_model", "model_card"]  # fmt: skip
_LIMIT = 2  # of dagster.yaml
_SEARCH = {"tuned_runs": {"config": SMALL_SEARCH}, "champion_model": {"config": NO_FLOORS}}
_RUN_SECONDS = 120
_CANCEL = """
mutation Cancel($id: String!) {
  cancelPartitionBackfill(backfillId: $id) { __typename }
}
"""
_REEXECUTE = """
mutation Reexecute($params: ReexecutionParams!) {
  reexecutePartitionBackfill(reexecutionParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""


def _days(number: int) -> list[str]:
    last = date.fromisoformat(_UNTIL)
    return [(last - timedelta(days=n)).isoformat() for n in reversed(range(number))]


@dataclass(frozen=True)
class _History:
    """What Dagster recorded of a platform's runs."""

    instance: dg.DagsterInstance

    @classmethod
    def of(cls, platform: Platform) -> "_History":
        """The history of `dagster.yaml`, which is relative to the working directory."""
        return cls(dg.DagsterInstance.from_config(str(platform.folder)))

    def done(self) -> set[str]:
        """Base dates that went all the way."""
        return self.instance.get_materialized_partitions(dg.AssetKey("model_card"))

    def records(self) -> Sequence[dg.RunRecord]:
        """All runs."""
        return self.instance.get_run_records()

    def steps(self, run_id: str) -> dict[str, tuple[float, float]]:
        """When the steps of a run began and ended."""
        return {
            step.step_key: (step.start_time, step.end_time)
            for step in self.instance.get_run_step_stats(run_id)
            if step.start_time and step.end_time
        }

    def base_dates_in(self, step: str) -> set[str]:
        """Base dates of which a step is under way."""
        filters = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])
        return {
            run.tags[PARTITION_TAG]
            for run in self.instance.get_runs(filters)
            for each in self.instance.get_run_step_stats(run.run_id)
            if each.step_key == step and each.start_time and not each.end_time
        }

    def unfinished(self, *statuses: dg.DagsterRunStatus) -> set[str]:
        """Ids of runs that have not ended."""
        runs = self.instance.get_runs(dg.RunsFilter(statuses=list(statuses) or None))
        return {run.run_id for run in runs if not run.is_finished}


def _from_assets(port: int, base_dts: Sequence[str], ops: dict[str, Any] | None = None) -> str:
    """Launch from the lineage; Dagster puts the base dates in the order of the calendar."""
    return launch_backfill(
        port,
        assetSelection=[{"path": [name]} for name in _ASSETS],
        partitionNames=base_dts,
        runConfigData={"ops": ops or _SEARCH},
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
        runConfigData={"ops": ops or _SEARCH},
    )


def _reexecuted(port: int, backfill: str) -> str:
    """*Re-execute from failure*, of a backfill that has ended."""
    params = {"parentRunId": backfill, "strategy": "FROM_FAILURE"}
    answer = ask(port, _REEXECUTE, params=params)
    assert answer["__typename"] == "LaunchBackfillSuccess", answer
    return str(answer["backfillId"])


@pytest.fixture
def platforms(
    tmp_path: Path, templates: Templates, mariadb: MariaDB, monkeypatch: pytest.MonkeyPatch
) -> tuple[Platform, Platform]:
    """One to disturb and one to compare with, on the same rows."""
    disturbed, undisturbed = (
        Platform.prepared(
            tmp_path / name, templates, mariadb.new_database(), mariadb.new_database(), _UNTIL
        )
        for name in ("disturbed", "undisturbed")
    )
    monkeypatch.chdir(disturbed.folder)
    return disturbed, undisturbed


def _ends(port: int, backfill: str, seconds: float) -> str:
    """Wait until a backfill has ended; how it ended."""
    under_way = ("REQUESTED", "COMPLETING", "CANCELING", "FAILING")
    until(lambda: backfill_status(port, backfill) not in under_way, seconds, "the backfill")
    return backfill_status(port, backfill)


def _intervals(history: _History) -> Iterator[tuple[str, str, float, float]]:
    """Base date, step, begin and end of every step of every run."""
    for record in history.records():
        for step, (start, end) in history.steps(record.dagster_run.run_id).items():
            yield record.dagster_run.tags[PARTITION_TAG], step, start, end


def _check_turns(history: _History) -> None:
    """No more runs at once than allowed; a search holds up no other base date, only its own."""
    changes = sorted(
        change
        for record in history.records()
        if record.start_time and record.end_time
        for change in ((record.start_time, 1), (record.end_time, -1))
    )
    assert max(itertools.accumulate(change for _, change in changes)) == _LIMIT
    steps = list(_intervals(history))
    meanwhile = 0
    for base_dt, step, start, end in steps:
        for other, _, began, ended in steps:
            if other != base_dt and step == "tuned_runs":
                meanwhile += start < began and ended < end
    assert meanwhile > 0


@pytest.mark.parametrize(
    ("number", "launch"),
    [(10, _from_assets), (10, _from_job), (90, _from_assets), (90, _from_job)],
)
def test_backfills(
    platforms: tuple[Platform, Platform],
    instance: dg.DagsterInstance,
    number: int,
    launch: Callable[[int, Sequence[str]], str],
) -> None:
    """All processes killed, started again; the backfill cancelled, resumed: as fresh runs."""
    disturbed, undisturbed = platforms
    base_dts = _days(number)
    mixed = random.Random(number).sample(base_dts, number)
    history, seconds = _History.of(disturbed), number * _RUN_SECONDS
    began = time.monotonic()
    said = []
    with dagster_dev(disturbed) as port:
        backfill = launch(port, mixed)
        until(
            lambda: len(history.done()) >= number // 4 and history.base_dates_in("tuned_runs"),
            seconds,
            "a quarter",
        )
    killed = history.unfinished(dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING)
    said.append(f"killed at {len(history.done())} done")
    print(
        history.unfinished().__len__(),
        "unfinished",
        len(killed),
        "killed",
        time.monotonic() - began,
    )
    with dagster_dev(disturbed) as port:
        again = time.monotonic()
        until(lambda: not killed & history.unfinished(), _RUN_SECONDS * 3, "noticing the killed")
        print("noticed after", time.monotonic() - again)
        until(
            lambda: len(history.done()) >= number // 2 and history.base_dates_in("tuned_runs"),
            seconds,
            "half",
        )
        ask(port, _CANCEL, id=backfill)
        ended = _ends(port, backfill, _RUN_SECONDS)
        print("cancelled", ended, len(history.done()), time.monotonic() - began)
        assert ended == "CANCELED"
        if launch is _from_assets:
            backfill = _reexecuted(port, backfill)
        else:
            done = history.done()
            backfill = launch(port, [base_dt for base_dt in mixed if base_dt not in done])
        ended = _ends(port, backfill, seconds)
        print("ended", ended, len(history.done()), time.monotonic() - began)
        assert ended == "COMPLETED_SUCCESS"
        doctor = disturbed.run("credit-ct", "doctor", "--json")
    took = time.monotonic() - began
    print("total", took)
    assert history.unfinished() == set()
    assert {
        name: history.instance.get_materialized_partitions(dg.AssetKey(name)) for name in _ASSETS
    } == dict.fromkeys(_ASSETS, set(base_dts))
    _check_turns(history)
    states = {each["subject"]: each["state"] for each in json.loads(doctor.stdout)}
    assert states["champion"] == states["daemon"] == "ok", doctor.stdout

    for base_dt in base_dts:
        assert undisturbed.materialize(instance, base_dt).success
    print("undisturbed", time.monotonic() - began - took)
    check_same_results(disturbed, undisturbed, base_dts)
    check_all_served(disturbed, undisturbed, base_dts, trials=2)

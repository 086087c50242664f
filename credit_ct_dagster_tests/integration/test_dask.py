"""Trials on Dask workers: a real scheduler and two worker processes over TCP."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
import pytest
from distributed import Client

from credit_ct_dagster.resources.study_storage import StudyStorage
from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.platform import BASE_DT, HALVING_SEARCH, Platform, failure_of

_START_SECONDS = 90
_MEASURED = ["trial", "state", "depth", "rsm", "l2_leaf_reg", "iterations", "val_accuracy",
             "val_log_loss", "reason"]  # fmt: skip

pytestmark = [
    # distributed 2026.8 leaves sockets and loops to the garbage collector when a client closes.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


class _Cluster:
    """A scheduler and its workers."""

    def __init__(self, platform: Platform, environment: dict[str, str]) -> None:
        self.platform = platform
        self.environment = platform.environment | environment
        self.processes: list[subprocess.Popen] = []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self.port}"

    def start(self, *arguments: str) -> subprocess.Popen:
        log = (self.platform.folder / f"dask{len(self.processes)}.log").open("wb")
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *arguments], cwd=self.platform.folder,
            env=self.environment, stdout=log, stderr=log,
        )  # fmt: skip
        self.processes.append(process)
        return process

    def start_scheduler(self) -> subprocess.Popen:
        options = ("--port", str(self.port), "--host", "127.0.0.1", "--no-dashboard")
        return self.start("scheduler", *options)

    def start_worker(self, name: str) -> subprocess.Popen:
        options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--name", name)
        return self.start("worker", self.address, *options)


@contextmanager
def _cluster(platform: Platform, **environment: str) -> Iterator[_Cluster]:
    cluster = _Cluster(platform, environment)
    try:
        cluster.start_scheduler()
        yield cluster
    finally:
        for process in cluster.processes:
            process.kill()
            process.wait()


def _client(cluster: _Cluster) -> Client:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            return Client(cluster.address, timeout=5, set_as_default=False)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def test_workers_find_what_threads_find_and_one_may_die(
    platform: Platform, mariadb: MariaDB, instance: dg.DagsterInstance
) -> None:
    """A worker killed in a trial loses only that trial, which the other one takes over."""
    slow: dict[str, Any] = {
        **HALVING_SEARCH, "depth": [5, 6], "rsm": [1.0], "iterations": 250,
        "early_stopping_rounds": 250, "pruning_rungs": [100, 200],
    }  # fmt: skip
    assert platform.materialize(instance, search=slow).success
    local = platform.models()["trials.parquet"]

    url = mariadb.new_database()
    with _cluster(platform, OPTUNA_STORAGE_URL=url) as cluster, _client(cluster) as client:
        doomed = cluster.start_worker("doomed")
        cluster.start_worker("survivor")
        client.wait_for_workers(2, timeout=_START_SECONDS)
        killed = threading.Thread(target=_kill_in_a_trial, args=(client, doomed))
        killed.start()
        result = platform.materialize(
            instance,
            search=slow | {"dask_scheduler": cluster.address},
            study_storage=StudyStorage(url=url),
        )
        killed.join()
        assert doomed.poll() is not None
    assert result.success, failure_of(result)
    shared = platform.models()["trials.parquet"]
    assert shared[_MEASURED].equals(local[_MEASURED])
    assert set(shared["run_id"]).isdisjoint(local["run_id"])
    tracking = platform.tracking
    runs = tracking.client.search_runs([tracking.experiment_id()])
    assert {run.info.status for run in runs} <= {"FINISHED", "KILLED"}
    of_dask = [
        run for run in runs if run.data.tags.get("credit_ct.dagster_run_id") == result.run_id
    ]
    assert len(of_dask) == len(shared) + 1, "one run per trial, and their parent"
    assert platform.models()["summary.json"]["base_dt"] == BASE_DT


def _kill_in_a_trial(client: Client, process: subprocess.Popen) -> None:
    """Kill a process a moment after the worker `doomed` has begun a trial."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        names = {info["name"]: address for address, info in _workers(client).items()}
        if client.processing().get(names.get("doomed")):
            time.sleep(2)
            break
        time.sleep(0.1)
    process.kill()


def _workers(client: Client) -> dict[str, Any]:
    return client.scheduler_info(n_workers=-1)["workers"]


@pytest.mark.usefixtures("no_waiting")
def test_a_scheduler_that_does_not_answer_is_told(
    platform: Platform, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What to check, and how to go on without it; the step is tried again."""
    from credit_ct_dagster.search import dask_workers

    monkeypatch.setattr(dask_workers, "_CONNECT_SECONDS", 1)
    result = platform.materialize(
        instance, search=HALVING_SEARCH | {"dask_scheduler": "tcp://127.0.0.1:1"}
    )
    assert "The Dask scheduler at tcp://127.0.0.1:1 does not answer" in failure_of(result)
    assert sum(event.is_step_up_for_retry for event in result.all_events) == 4


@pytest.mark.usefixtures("no_waiting")
def test_a_scheduler_that_dies_is_waited_for(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """Killed in a trial; another one takes its place, and the step goes on by itself."""

    def replace_scheduler() -> None:
        with _client(cluster) as client:
            client.wait_for_workers(1, timeout=_START_SECONDS)
            _kill_in_a_trial(client, cluster.processes[0])
        cluster.processes[0].wait()
        cluster.start_scheduler()
        cluster.start_worker("survivor")

    slow = HALVING_SEARCH | {"depth": [6], "rsm": [1.0], "iterations": 300, "pruning": "none",
                             "early_stopping_rounds": 300}  # fmt: skip
    with _cluster(platform) as cluster:
        cluster.start_worker("doomed")
        replaced = threading.Thread(target=replace_scheduler)
        replaced.start()
        result = platform.materialize(instance, search=slow | {"dask_scheduler": cluster.address})
        replaced.join()
    assert result.success, failure_of(result)
    assert any(event.is_step_up_for_retry for event in result.all_events)


def test_a_worker_whose_environment_leads_elsewhere_is_told(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """The run fails with the worker's sentence, not with a model of other rows."""
    with (
        _cluster(platform, OPTUNA_STORAGE_URL="sqlite:///elsewhere.db") as cluster,
        _client(cluster) as client,
    ):
        cluster.start_worker("lost")
        client.wait_for_workers(1, timeout=_START_SECONDS)
        result = platform.materialize(
            instance, search=HALVING_SEARCH | {"dask_scheduler": cluster.address}
        )
    assert "set OPTUNA_STORAGE_URL, ARTIFACTS_PATH and MLFLOW_TRACKING_URI" in failure_of(result)

"""Trials on Dask workers: a real scheduler and worker processes over TCP."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from multiprocessing.process import BaseProcess
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from distributed import Client
from optuna.trial import FrozenTrial

from credit_ct_dagster import dask_scheduler
from credit_ct_dagster.contracts.files import PREPROCESSING_FOLDER, SPLIT_FILES
from credit_ct_dagster.contracts.trial import Trial
from credit_ct_dagster.errors.inputs import RunConfigError
from credit_ct_dagster.errors.models import DaskUnavailableError, ForeignStudyError
from credit_ct_dagster.loading.sample_data import generate
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.rows.preparation import fit_scalers, prepare
from credit_ct_dagster.modeling.rows.splitting import data_fingerprint, split_by_customer
from credit_ct_dagster.modeling.search.search_space import TuningParameters
from credit_ct_dagster.resources.dask_cluster import DaskCluster
from credit_ct_dagster.resources.study_storage import StudyStorage
from credit_ct_dagster.search.search import (
    Machines,
    SearchRequest,
    SearchResult,
    SearchStores,
    search,
)
from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.platform import BASE_DT, SMALL_SEARCH, Platform, failure_of
from credit_ct_dagster_tests.processes import serve_scheduler, serve_worker, started
from credit_ct_dagster_tests.servers import free_port

_LOG = logging.getLogger(__name__)
_PATIENCE = 90  # seconds, on a machine that does much else
_LONG_FITS = TuningParameters(
    depth=[5, 6], rsm=[1.0], l2_leaf_reg=[1.0, 9.0], iterations=120, early_stopping_rounds=120,
    pruning_rungs=[2, 60], pruning_keep=0.5,
)  # fmt: skip
"""Four candidates that can be met half way."""

pytestmark = [
    pytest.mark.integration,
    # distributed 2026.8 leaves sockets and loops to the garbage collector when a client closes.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


class _Cluster:
    """A scheduler and its workers, each a process."""

    def __init__(self, platform: Platform, processes: ExitStack) -> None:
        self._platform = platform
        self._processes = processes
        self._port = free_port()
        self.address = f"tcp://127.0.0.1:{self._port}"
        self.scheduler = self.start_scheduler()

    def start_scheduler(self) -> BaseProcess:
        log = self._platform.folder / "scheduler.log"
        return self._processes.enter_context(started(serve_scheduler, self._port, log))

    def start_worker(self, name: str, **environment: str) -> BaseProcess:
        here = self._platform.environment | environment
        return self._processes.enter_context(
            started(serve_worker, self.address, name, self._platform.folder, here)
        )

    @contextmanager
    def client(self, workers: int) -> Iterator[Client]:
        """A client, once there are so many workers."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                client = Client(self.address, timeout=5, set_as_default=False)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
        with client:
            client.wait_for_workers(workers, timeout=_PATIENCE)
            yield client


@pytest.fixture
def cluster(platform: Platform) -> Iterator[_Cluster]:
    """A scheduler without workers."""
    with ExitStack() as processes:
        yield _Cluster(platform, processes)


@pytest.fixture(scope="module")
def rows() -> dict[str, pd.DataFrame]:
    """Prepared rows."""
    labels, features = generate(2_000, date.fromisoformat(BASE_DT), seed=0)
    raw = split_by_customer(labels.merge(features, on=schema.KEY), 0.7, 0.15)
    scalers = fit_scalers(raw["train"])
    return {name: prepare(part, scalers) for name, part in raw.items()}


_Search = Callable[..., SearchResult]


@pytest.fixture
def run_search(platform: Platform, rows: dict[str, pd.DataFrame]) -> _Search:
    """Searches for the best model of these rows, which are in the artifacts of the platform."""
    files = {SPLIT_FILES[name]: part for name, part in rows.items()}
    platform.artifacts.write(PREPROCESSING_FOLDER, BASE_DT, files)

    def run(scheduler: str | None = None, studies: StudyStorage | None = None) -> SearchResult:
        tracking = platform.tracking
        parent = tracking.client.create_run(tracking.experiment_id()).info.run_id
        request = SearchRequest(
            base_dt=BASE_DT,
            rows=rows,
            fingerprints={name: data_fingerprint(part) for name, part in rows.items()},
            data_fingerprint="f" * 32,
            features=schema.FEATURES,
            parameters=_LONG_FITS,
            machines=Machines(n_jobs=2, thread_count=1, scheduler=scheduler),
            resume=True,
            parent_run_id=parent,
            dagster_run_id=parent,
        )
        stores = SearchStores(tracking, studies or platform.studies, platform.artifacts)
        return search(request, stores, _LOG)

    return run


class _KillInATrial(threading.Thread):
    """Kills a process while a worker is in the middle of a fit."""

    def __init__(
        self, client: Client, worker: str, study: "_Study", doomed: BaseProcess, first: int = 0
    ) -> None:
        """Prepare.

        Args:
            client: Of the scheduler.
            worker: The name of the worker.
            study: The search.
            doomed: The process to kill.
            first: Do so in no trial before this one.
        """
        super().__init__()
        self._client, self._worker, self._study, self._doomed = client, worker, study, doomed
        self._first = first
        self.hit_a_trial = False

    def run(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline and not self.hit_a_trial:
            self.hit_a_trial = self._is_in_a_trial()
        self._doomed.kill()
        self._doomed.join()

    def _is_in_a_trial(self) -> bool:
        """Whether the worker has a trial that has reported its first trees, and not ended."""
        workers = self._client.scheduler_info(n_workers=-1)["workers"].items()
        names = {info["name"]: address for address, info in workers}
        keys = self._client.processing().get(names.get(self._worker)) or ()
        numbers = [int(str(key).split()[1]) for key in keys]
        trials = self._study.trials() if numbers else []
        return any(
            trials[number].intermediate_values and "outcome" not in trials[number].user_attrs
            for number in numbers
            if number >= self._first
        )


@dataclass
class _Study:
    """The study of a search, as another process sees it."""

    storage: StudyStorage
    model_name: str

    def trials(self) -> list[FrozenTrial]:
        [name] = self.storage.names(self.model_name)[BASE_DT]
        return self.storage.join(name).get_trials(deepcopy=False)

    def runs_of_ended(self) -> dict[int, str | None]:
        """The MLflow run per trial that has ended."""
        ended = [Trial.recall(trial, "") for trial in self.trials()]
        return {trial.number: trial.run_id for trial in ended if trial}


def _outcomes(trials: Any) -> list[dict[str, Any]]:
    """What must not depend on machines: all but durations and runs."""
    where = {"seconds", "tracking_seconds", "run_id"}
    return [Trial.model_dump(trial, exclude=where) for trial in trials]


def test_workers_find_what_threads_find_and_one_may_die(
    platform: Platform, cluster: _Cluster, run_search: _Search, mariadb: MariaDB
) -> None:
    """A worker killed in a trial loses only that trial, which another one continues."""
    url = mariadb.new_database()
    doomed = cluster.start_worker("doomed", OPTUNA_STORAGE_URL=url)
    cluster.start_worker("survivor", OPTUNA_STORAGE_URL=url)
    local = run_search()
    with cluster.client(workers=2) as client:
        study = _Study(StudyStorage(url=url), platform.model_name)
        kill = _KillInATrial(client, "doomed", study, doomed)
        kill.start()
        shared = run_search(cluster.address, StudyStorage(url=url))
        kill.join()
    assert kill.hit_a_trial
    assert _outcomes(shared.trials) == _outcomes(local.trials)
    of_dask = {str(trial.run_id) for trial in shared.trials}
    assert of_dask.isdisjoint(trial.run_id for trial in local.trials)
    mlflow = platform.tracking.client
    assert {mlflow.get_run(run).info.status for run in of_dask} == {"FINISHED"}
    runs = mlflow.search_runs([platform.tracking.experiment_id()])
    nested = [run for run in runs if "credit_ct.trial" in run.data.tags]
    assert len(nested) == len(shared.trials) + len(local.trials), "one run per trial"


def test_a_search_continues_after_its_scheduler_died(
    platform: Platform, cluster: _Cluster, run_search: _Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search fails with an outage, which is retried; the next attempt retains ended trials."""
    monkeypatch.setattr(dask_scheduler, "_CONNECT_SECONDS", 1)
    study = _Study(platform.studies, platform.model_name)
    cluster.start_worker("first")
    with cluster.client(workers=1) as client:
        kill = _KillInATrial(client, "first", study, cluster.scheduler, first=1)
        kill.start()
        with pytest.raises(DaskUnavailableError, match="finished trials are retained"):
            run_search(cluster.address)
        kill.join()
    assert kill.hit_a_trial
    retained = study.runs_of_ended()
    assert retained
    cluster.start_scheduler()
    cluster.start_worker("second")
    with cluster.client(workers=1):
        found = {trial.number: trial.run_id for trial in run_search(cluster.address).trials}
    assert retained.items() <= found.items()
    assert len(found) == 4


def test_a_worker_whose_environment_leads_elsewhere_is_reported(
    cluster: _Cluster, run_search: _Search
) -> None:
    """The search fails with the worker's sentence, not with a model of other rows."""
    cluster.start_worker("lost", OPTUNA_STORAGE_URL="sqlite:///elsewhere.db")
    with (
        cluster.client(workers=1),
        pytest.raises(ForeignStudyError, match="set OPTUNA_STORAGE_URL, ARTIFACTS_PATH and MLFLOW"),
    ):
        run_search(cluster.address)


def test_an_address_that_is_none_is_not_retried(run_search: _Search) -> None:
    """No later attempt can reach it."""
    with pytest.raises(RunConfigError, match="such as tcp://host:8786"):
        run_search("tcp://host:many")


@pytest.mark.usefixtures("no_waiting")
def test_a_scheduler_that_does_not_answer_is_retried(
    platform: Platform, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address of the environment reaches the search, and the failure of the step names it."""
    monkeypatch.setattr(dask_scheduler, "_CONNECT_SECONDS", 0.2)
    result = platform.materialize(
        instance,
        selection=dg.AssetSelection.assets(
            "features_target", "preprocessed_splits", "robust_scalers", "tuned_runs"
        ),
        config={"tuned_runs": {"config": SMALL_SEARCH}},
        dask=DaskCluster(scheduler="tcp://127.0.0.1:1"),
    )
    assert "The Dask scheduler at tcp://127.0.0.1:1 does not answer" in failure_of(result)
    assert sum(event.is_step_up_for_retry for event in result.all_events) == 4

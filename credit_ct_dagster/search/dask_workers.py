"""Trials on other machines: Dask workers that share an Optuna study.

A worker is told of a trial and nothing secret: it finds the study, the rows and MLflow by its own
environment. Dask gives the trial of a worker that died to another one.
"""

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from types import TracebackType
from typing import Self

import optuna
from distributed import Client, KilledWorker, get_worker
from distributed import Future as DaskFuture

from credit_ct_dagster import stores
from credit_ct_dagster.errors import UnavailableError
from credit_ct_dagster.io_managers.artifacts import PREPROCESSING_FOLDER
from credit_ct_dagster.modeling.local_workers import record_trial, threads_per_fit
from credit_ct_dagster.modeling.search_space import TuningParameters
from credit_ct_dagster.modeling.splitting import SPLIT_FILES, require_fingerprint
from credit_ct_dagster.modeling.training import TrainingData
from credit_ct_dagster.modeling.trials import (
    FittedTrial,
    Trial,
    TrialState,
    TrialTracker,
    fit_trial,
)
from credit_ct_dagster.resources.mlflow.tracking import Nesting
from credit_ct_dagster.resources.study_storage import StudyStorage
from credit_ct_dagster.settings import get_settings

logger = logging.getLogger(__name__)

_CONNECT_SECONDS = 20
_NO_WORKER_SECONDS = 300
_MAX_UNDER_WAY = 1_000


@dataclass(frozen=True)
class SharedSearch:
    """What a worker needs to know to take part in a search.

    Attributes:
        study: The name of the study.
        base_dt: Whose rows are searched with.
        fingerprints: `data_fingerprint` of the training and of the validation rows.
        parameters: The search.
        thread_count: Threads of a fit; -1: the worker's cores divided among its threads.
        nesting: Where the runs of trials belong.
    """

    study: str
    base_dt: str
    fingerprints: Mapping[str, str]
    parameters: TuningParameters
    thread_count: int
    nesting: Nesting


class DaskWorkers:
    """The workers of a Dask scheduler; a `modeling.tuning.TrialWorkers`."""

    def __init__(self, scheduler: str, search: SharedSearch, tracker: TrialTracker) -> None:
        self._scheduler = scheduler
        self._search = search
        self._tracker = tracker
        self._collect = ThreadPoolExecutor(_MAX_UNDER_WAY, "collect")
        self._under_way: list[DaskFuture] = []
        self._workers_seen = time.monotonic()

    def __enter__(self) -> Self:
        """Connect.

        Raises:
            UnavailableError: The scheduler does not answer.
        """
        try:
            self._client = Client(self._scheduler, timeout=_CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            raise UnavailableError(
                f"The Dask scheduler at {self._scheduler} does not answer: {error}. Check that it"
                " runs and that dask_scheduler (or DASK_SCHEDULER_ADDRESS) is right, or leave it"
                " out to fit trials in this process."
            ) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give up what is under way; a fit that a worker has begun ends unheard."""
        self._client.cancel(self._under_way)
        self._client.close()
        self._collect.shutdown(cancel_futures=True)

    def slots(self) -> int:
        """One trial per thread of a worker.

        None waits in a queue: Dask may begin a later trial first, which then lacks its verdict.

        Raises:
            UnavailableError: There has been no worker for five minutes, or the scheduler is gone.
        """
        with self._loss_told():
            threads = self._client.nthreads()
        if threads:
            self._workers_seen = time.monotonic()
        elif time.monotonic() - self._workers_seen > _NO_WORKER_SECONDS:
            raise UnavailableError(
                f"The Dask scheduler at {self._scheduler} has had no worker for"
                f" {_NO_WORKER_SECONDS} s. Start workers (dask worker {self._scheduler}) and run"
                " this base date again: finished trials are kept."
            )
        return max(1, sum(threads.values()))

    def submit(self, trial: optuna.Trial) -> Future[Trial]:
        """Have a worker fit a trial and record it."""
        fitting = self._client.submit(
            run_shared_trial, self._search, trial._trial_id, pure=False,
            priority=-trial.number,
            key=f"trial {trial.number} of {self._search.study}-{trial._trial_id}",
        )  # fmt: skip
        self._under_way = [each for each in self._under_way if not each.done()] + [fitting]
        return self._collect.submit(self._outcome, trial, fitting)

    @contextmanager
    def _loss_told(self) -> Iterator[None]:
        try:
            yield
        except (OSError, CancelledError) as error:
            raise UnavailableError(
                f"The Dask scheduler at {self._scheduler} was lost: {str(error).splitlines()[0]}."
                " Start it and its workers, then run this base date again: finished trials are"
                " kept."
            ) from error

    def _outcome(self, trial: optuna.Trial, fitting: DaskFuture) -> Trial:
        started = time.time()
        try:
            with self._loss_told():
                return fitting.result()
        except KilledWorker as error:  # one candidate may need more memory than others
            failed = Trial(
                trial.number,
                dict(trial.params),
                TrialState.failed,
                reason=f"Every worker that began it was killed: {error}",
                seconds=time.time() - started,
            )
            return record_trial(trial, FittedTrial(failed, started, [], None), self._tracker)


def run_shared_trial(search: SharedSearch, trial_id: int) -> Trial:
    """Fit and record one trial; runs on a worker.

    Raises:
        CreditCtError: The worker's environment leads to another study, or to other rows.
    """
    trial = optuna.trial.Trial(_study_storage().join(search.study), trial_id)
    data = _training_data(search.base_dt, search.fingerprints["train"], search.fingerprints["val"])
    at_once = get_worker().state.nthreads
    threads = threads_per_fit(search.thread_count, at_once)
    fitted = fit_trial(trial, data, search.parameters, threads, threading.Event())
    return record_trial(trial, fitted, _tracking().tracker(search.nesting))


_reading = threading.Lock()


def _training_data(base_dt: str, train: str, val: str) -> TrainingData:
    with _reading:  # the first trials of a worker with several threads read once
        return _read_training_data(base_dt, train, val)


@lru_cache(maxsize=1)
def _read_training_data(base_dt: str, train: str, val: str) -> TrainingData:
    folder = stores.artifacts().open(PREPROCESSING_FOLDER, base_dt)
    rows = {name: folder[SPLIT_FILES[name]] for name in ("train", "val")}
    for name, fingerprint in (("train", train), ("val", val)):
        require_fingerprint(rows[name], fingerprint, f"{name} rows in {folder.path}")
    return TrainingData.of(rows["train"], rows["val"])


@cache
def _study_storage() -> StudyStorage:
    return StudyStorage(url=get_settings().optuna_storage_url.get_secret_value())


_tracking = cache(stores.tracking)

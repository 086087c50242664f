"""Trials on other machines: Dask workers that share an Optuna study.

A worker receives the number of a trial and no secret: it finds the study, the rows and MLflow by
its own environment. Dask gives the trial of a worker that died to another one.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import Self

import optuna
from distributed import Future as DaskFuture
from distributed import KilledWorker, get_worker

from credit_ct_dagster.contracts.files import PREPROCESSING_FOLDER, SPLIT_FILES
from credit_ct_dagster.contracts.trial import Trial, TrialState
from credit_ct_dagster.dask_scheduler import DaskScheduler, wiring_of_worker
from credit_ct_dagster.modeling.rows.splitting import require_fingerprint
from credit_ct_dagster.modeling.search.local_workers import record_trial, threads_per_fit
from credit_ct_dagster.modeling.search.optuna_internals import continued, storage_id
from credit_ct_dagster.modeling.search.search_space import Text, TuningParameters
from credit_ct_dagster.modeling.search.training import TrainingData
from credit_ct_dagster.modeling.search.trials import FittedTrial, TrialTracker, fit_trial
from credit_ct_dagster.resources.mlflow.trials import Nesting

_MAX_SUBMITTED = 1_000


@dataclass(frozen=True)
class SharedSearch:
    """What a worker needs to know to take part in a search.

    Attributes:
        study: The name of the study.
        base_dt: The base date.
        fingerprints: `data_fingerprint` of the training and of the validation rows.
        features: What models are trained on, in the order of the schema.
        parameters: The search.
        thread_count: Threads of a fit; -1: see `threads_per_fit`.
        nesting: Where the runs of trials belong.
    """

    study: str
    base_dt: str
    fingerprints: Mapping[str, str]
    features: Sequence[str]
    parameters: TuningParameters
    thread_count: int
    nesting: Nesting


class DaskWorkers:
    """The workers of a Dask scheduler; a `modeling.tuning.TrialWorkers`."""

    def __init__(self, scheduler: str, search: SharedSearch, tracker: TrialTracker) -> None:
        self._scheduler = DaskScheduler(
            scheduler, "run this base date again: finished trials are retained."
        )
        self._search = search
        self._tracker = tracker
        self._collect = ThreadPoolExecutor(_MAX_SUBMITTED, "collect")
        self._submitted: list[DaskFuture] = []

    def __enter__(self) -> Self:
        """Connect.

        Raises:
            DaskUnavailableError: The scheduler does not answer.
            RunConfigError: Its address is not valid.
        """
        self._scheduler.connect()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Cancel the trials that have not ended; the result of a fit that is running is dropped."""
        self._scheduler.client.cancel(self._submitted)
        self._scheduler.client.close()
        self._collect.shutdown(cancel_futures=True)

    def slots(self) -> int:
        """One trial per thread of a worker.

        None waits in a queue: Dask may start a later trial first, which then lacks its verdict.

        Raises:
            DaskUnavailableError: There has been no worker for five minutes, or the scheduler does
                not answer any more.
        """
        return self._scheduler.threads()

    def submit(self, trial: optuna.Trial) -> Future[Trial]:
        """Have a worker fit a trial and record it."""
        trial_id = storage_id(trial)
        fitting = self._scheduler.client.submit(
            run_shared_trial, self._search, trial_id, pure=False, priority=-trial.number,
            key=f"trial {trial.number} of {self._search.study}-{trial_id}",
        )  # fmt: skip
        self._submitted = [each for each in self._submitted if not each.done()] + [fitting]
        return self._collect.submit(self._outcome, trial, fitting)

    def _outcome(self, trial: optuna.Trial, fitting: DaskFuture) -> Trial:
        started = time.time()
        try:
            with self._scheduler.translated(f"waiting for trial {trial.number}"):
                return fitting.result()
        except KilledWorker as error:  # one candidate may need more memory than others
            failed = Trial(
                number=trial.number,
                params=dict(trial.params),
                state=TrialState.failed,
                reason=f"Every worker that started it was killed: {error}",
                seconds=time.time() - started,
            )
            return record_trial(trial, FittedTrial(failed, started, [], None), self._tracker)


def run_shared_trial(search: SharedSearch, trial_id: int) -> Trial:
    """Fit and record one trial; runs on a worker.

    Raises:
        CreditCtError: The worker's environment leads to another study, or to other rows.
    """
    wiring = wiring_of_worker()
    trial = continued(wiring.study_storage.join(search.study), trial_id)
    data = _training_data(search)
    at_once = get_worker().state.nthreads
    threads = threads_per_fit(search.thread_count, at_once, data.train_rows)
    fitted = fit_trial(trial, data, search.parameters, threads, threading.Event())
    return record_trial(trial, fitted, wiring.tracking.tracker(search.nesting))


_reading = threading.Lock()


def _training_data(search: SharedSearch) -> TrainingData:
    with _reading:  # only the first trial of a worker reads
        return _read_training_data(
            search.base_dt,
            search.fingerprints["train"],
            search.fingerprints["val"],
            tuple(search.features),
            search.parameters.text,
            search.parameters.monotone,
        )


@lru_cache(maxsize=1)
def _read_training_data(
    base_dt: str, train: str, val: str, features: tuple[str, ...], text: Text, monotone: bool
) -> TrainingData:
    folder = wiring_of_worker().artifacts.open(PREPROCESSING_FOLDER, base_dt)
    rows = {name: folder[SPLIT_FILES[name]] for name in ("train", "val")}
    for name, fingerprint in (("train", train), ("val", val)):
        require_fingerprint(rows[name], fingerprint, f"{name} rows in {folder.path}")
    return TrainingData.of(rows["train"], rows["val"], features, text=text, monotone=monotone)

"""Trials on threads of this process, which share the rows; CatBoost works outside the GIL."""

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

import joblib
import optuna

from credit_ct_dagster.contracts.trial import Trial
from credit_ct_dagster.modeling.search.search_space import TuningParameters
from credit_ct_dagster.modeling.search.training import TrainingData
from credit_ct_dagster.modeling.search.trials import FittedTrial, TrialTracker, fit_trial


def record_trial(trial: optuna.Trial, fitted: FittedTrial, tracker: TrialTracker) -> Trial:
    """Record a trial for people, and its outcome in its study."""
    clock = time.perf_counter()
    run_id = tracker.record(fitted)
    tracked = fitted.trial.model_copy(
        update={"run_id": run_id, "tracking_seconds": time.perf_counter() - clock}
    )
    tracked.remember(trial)
    return tracked


def threads_per_fit(thread_count: int, at_once: int) -> int:
    """Threads for each of several fits: as configured, or (-1) the cores divided among them."""
    return thread_count if thread_count > 0 else max(1, joblib.cpu_count() // at_once)


class LocalWorkers:
    """Fits trials on threads, and records each on another one while the next is fitted."""

    def __init__(
        self,
        data: TrainingData,
        parameters: TuningParameters,
        tracker: TrialTracker,
        n_jobs: int,
        thread_count: int,
    ) -> None:
        """Prepare the threads.

        Args:
            data: The rows, which all trials share.
            parameters: The search.
            tracker: Where trials are recorded.
            n_jobs: Trials at the same time; -1: one per core.
            thread_count: Threads of each fit; -1: the cores divided among the trials.
        """
        self._data = data
        self._parameters = parameters
        self._tracker = tracker
        self._n_jobs = n_jobs if n_jobs > 0 else joblib.cpu_count()
        self._threads = threads_per_fit(thread_count, self._n_jobs)
        self._stop = threading.Event()
        self._fits = ThreadPoolExecutor(self._n_jobs, "fit")
        self._records = ThreadPoolExecutor(self.slots(), "record")

    def slots(self) -> int:
        """One trial per fitting thread, and one that waits for the first free thread."""
        return self._n_jobs + 1

    def submit(self, trial: optuna.Trial) -> Future[Trial]:
        """Fit a trial, then record it."""
        fitting = self._fits.submit(
            fit_trial, trial, self._data, self._parameters, self._threads, self._stop
        )
        return self._records.submit(lambda: record_trial(trial, fitting.result(), self._tracker))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the trials that are running; a later attempt fits them from the start."""
        self._stop.set()
        self._fits.shutdown(cancel_futures=True)
        self._records.shutdown(cancel_futures=True)

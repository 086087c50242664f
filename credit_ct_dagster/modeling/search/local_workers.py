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
from credit_ct_dagster.modeling.search.standings import LocalStandings
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


_MANY_ROWS = 20_000
"""Training rows from which on a second thread halves the time of a fit, or nearly."""


def threads_per_fit(thread_count: int, at_once: int, rows: int) -> int:
    """Threads of a fit, which change how long it takes, and not its result.

    Of many rows, each fit has a thread per core: more threads than cores cost a few percent, and
    the last fits leave no core idle. Of few rows, a fit hardly gains from a second thread, and
    fits at the same time lose a tenth by it: they divide the cores (docs/performance.md).

    Args:
        thread_count: As configured; -1 decides.
        at_once: Fits that are running or waiting, this one included, at most those at a time.
        rows: That are fitted.
    """
    if thread_count > 0:
        return thread_count
    cores = int(joblib.cpu_count())
    return cores if rows >= _MANY_ROWS else max(1, cores // at_once)


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
            thread_count: Threads of each fit; -1: see `threads_per_fit`.
        """
        self._data = data
        self._parameters = parameters
        self._tracker = tracker
        self._n_jobs = n_jobs if n_jobs > 0 else joblib.cpu_count()
        self._thread_count = thread_count
        self._standings = LocalStandings()
        self._stop = threading.Event()
        self._fits = ThreadPoolExecutor(self._n_jobs, "fit")
        self._records = ThreadPoolExecutor(self.slots(), "record")

    def slots(self) -> int:
        """One trial per fitting thread, and one that waits for the first free thread."""
        return self._n_jobs + 1

    def submit(self, trial: optuna.Trial) -> Future[Trial]:
        """Fit a trial, then record it."""
        self._standings.join(trial)
        fitting = self._fits.submit(self._fit, trial)
        return self._records.submit(lambda: self._record(trial, fitting.result()))

    def _fit(self, trial: optuna.Trial) -> FittedTrial:
        at_once = min(self._n_jobs, self._standings.running() + self._to_come(trial))
        threads = threads_per_fit(self._thread_count, at_once, self._data.train_rows)
        fitted = fit_trial(
            trial, self._data, self._parameters, threads, self._stop, self._standings
        )
        self._standings.end(trial)
        return fitted

    def _to_come(self, trial: optuna.Trial) -> int:
        """How many trials follow one; any number where time limits the search."""
        total = self._parameters.total()
        return self._n_jobs if total is None else max(0, total - trial.number - 1)

    def _record(self, trial: optuna.Trial, fitted: FittedTrial) -> Trial:
        self._standings.write(trial)
        return record_trial(trial, fitted, self._tracker)

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

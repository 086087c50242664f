"""One trial of a search: a candidate is fitted, pruned or fails, and is recorded."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import optuna
import pandas as pd
from catboost import CatBoostError

from credit_ct_dagster.contracts.trial import Trial, TrialState
from credit_ct_dagster.modeling.judging.evaluation import evaluate
from credit_ct_dagster.modeling.search.search_space import TuningParameters
from credit_ct_dagster.modeling.search.standings import Standings, StudyStandings
from credit_ct_dagster.modeling.search.training import TrainingData, fit
from credit_ct_dagster.scorer.encoded import trees_of
from credit_ct_dagster.scorer.ordinal import Model

_DIGITS = 12
"""Of a loss that is compared: the last ones depend on the threads that CatBoost sums it up with."""


def trials_table(trials: Sequence[Trial]) -> pd.DataFrame:
    """One row per trial: its number, state, parameters, metrics, times, and run."""
    return pd.DataFrame(
        {
            "trial": trial.number,
            "state": trial.state.value,
            **trial.params,
            "iterations": trial.iterations,
            **{f"val_{name}": value for name, value in trial.metrics.items()},
            "seconds": trial.seconds,
            "tracking_seconds": trial.tracking_seconds,
            "reason": trial.reason,
            "run_id": trial.run_id,
        }
        for trial in trials
    )


@dataclass(frozen=True)
class FittedTrial:
    """A trial that has ended, before it is recorded.

    Attributes:
        trial: Its outcome.
        started: When it started, in seconds since the epoch.
        curve: The loss that is minimised, on validation rows, after each tree.
        model: The fitted model of a completed trial.
    """

    trial: Trial
    started: float
    curve: list[float]
    model: Model | None


class TrialTracker(Protocol):
    """Where trials are recorded for people."""

    def record(self, fitted: FittedTrial) -> str:
        """Record a trial with its parameters, metrics, curve and model; returns its run's id."""
        ...


class SearchStopped(Exception):  # noqa: N818 - nothing is wrong
    """The search was stopped while the trial was fitted; a later attempt fits it from the start."""


class _Watcher:
    """CatBoost's callback: records the minimised loss, and stops a fit that falls behind.

    While the verdict at a rung is pending, the fit continues and reports nothing at later rungs.
    Where a candidate consists of several models, candidates are compared by the first of them.
    """

    def __init__(
        self,
        trial: optuna.Trial,
        parameters: TuningParameters,
        standings: Standings,
        stop: threading.Event,
    ) -> None:
        self.curve: list[float] = []
        self.fell_behind_at: int | None = None
        self.error: Exception | None = None
        self._models = 0
        self._trial = trial
        self._loss_function = parameters.fixed()["loss_function"]
        self._halving = parameters.halving()
        self._ahead = list(self._halving.rungs)
        self._standings = standings
        self._reported = standings.rungs_of(trial)
        self._next_poll = 0.0
        self._stop = stop

    def after_iteration(self, info: Any) -> bool:
        self._models += info.iteration == 1
        if self._models == 1:
            self.curve.append(info.metrics["validation"][self._loss_function][-1])
        try:
            self._compare()
        except Exception as error:  # noqa: BLE001 - CatBoost would replace it by one of its own
            self.error = error
        return not (self.fell_behind_at or self.error or self._stop.is_set())

    def await_verdict(self) -> None:
        """Wait, after the last tree, for pending verdicts, so that the pace decides nothing.

        When an earlier trial does not reach the rung in time, this one counts as completed.
        """
        deadline = time.monotonic() + self._standings.patience_seconds
        while self._is_pending() and not self._stop.is_set() and time.monotonic() < deadline:
            time.sleep(self._standings.poll_seconds)
            self._compare()

    def _is_pending(self) -> bool:
        return not self.fell_behind_at and bool(self._ahead) and self._ahead[0] <= len(self.curve)

    def _compare(self) -> None:
        while self._ahead and self._ahead[0] <= len(self.curve):
            rung = self._ahead[0]
            if rung not in self._reported:
                self._standings.report(self._trial, rung, round(self.curve[rung - 1], _DIGITS))
                self._reported.add(rung)
            elif time.monotonic() < self._next_poll:
                return
            behind = self._halving.falls_behind(self._standings.up_to(self._trial), rung)
            if behind is None:
                self._next_poll = time.monotonic() + self._standings.poll_seconds
                return
            self._ahead.pop(0)
            if behind:
                self.fell_behind_at = rung
                return


def fit_trial(
    trial: optuna.Trial,
    data: TrainingData,
    parameters: TuningParameters,
    thread_count: int,
    stop: threading.Event,
    standings: Standings | None = None,
) -> FittedTrial:
    """Fit the candidate of a trial and measure it.

    Args:
        trial: The trial, with its parameters drawn.
        data: Shared with other trials, and not changed.
        parameters: How candidates are fitted.
        thread_count: Threads of the fit.
        stop: When it is set, the fit ends after the next tree.
        standings: Where it is compared with other trials; by default its study.

    Raises:
        SearchStopped: `stop` was set before the trial had ended.
    """
    started, clock = time.time(), time.perf_counter()
    watcher = _Watcher(trial, parameters, standings or StudyStandings(), stop)
    fixed = parameters.fixed()
    patience = fixed.pop("early_stopping_rounds")

    def ended(state: TrialState, model: Model | None = None, **what: Any) -> FittedTrial:
        seconds = time.perf_counter() - clock
        outcome = Trial(
            number=trial.number, params=dict(trial.params), state=state, seconds=seconds, **what
        )
        return FittedTrial(outcome, started, watcher.curve, model)

    try:
        model = fit(data, {**trial.params, **fixed}, patience, thread_count, [watcher])
    except CatBoostError as error:  # the fault of this candidate: others may succeed
        return ended(TrialState.failed, reason=str(error) or repr(error))
    if watcher.error:
        raise watcher.error
    watcher.await_verdict()
    if watcher.fell_behind_at:
        trees = watcher.fell_behind_at
        del watcher.curve[trees:]
        reason = (
            f"fell behind after {trees} trees, with a minimised loss"
            f" ({fixed['loss_function']}) of {watcher.curve[-1]:.4f} on validation"
        )
        return ended(TrialState.pruned, iterations=trees, reason=reason)
    if stop.is_set():
        raise SearchStopped
    metrics = evaluate(model, data.val_rows)
    of_each = trees_of(model)
    return ended(
        TrialState.completed, model, iterations=sum(of_each), trees=of_each, metrics=metrics
    )

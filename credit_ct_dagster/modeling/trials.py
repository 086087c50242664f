"""One trial of a search: a candidate is fitted, given up or fails, and is recorded."""

import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Protocol, Self

import optuna
import pandas as pd
from catboost import CatBoostClassifier, CatBoostError
from optuna.trial import FrozenTrial

from credit_ct_dagster.modeling.evaluation import evaluate
from credit_ct_dagster.modeling.search_space import Params, TuningParameters
from credit_ct_dagster.modeling.training import TrainingData, fit

_OUTCOME = "outcome"
_LOOK_SECONDS = 0.25
_VERDICT_SECONDS = 60.0  # a worker may have died; its trial may wait for this one's place


class TrialState(StrEnum):
    """What became of a trial."""

    completed = "completed"
    pruned = "pruned"
    failed = "failed"


@dataclass(frozen=True)
class Trial:
    """One candidate and what became of it.

    Attributes:
        number: Its place in the search, from 0.
        params: The searched parameters.
        state: Completed, pruned or failed.
        iterations: Trees in the model that is kept; of a pruned trial, trees when it was given up.
        metrics: Of the model that is kept, on the validation rows; see `evaluation.evaluate`.
        reason: Why it was pruned or failed.
        seconds: Time to fit and measure.
        tracking_seconds: Time to record it.
        run_id: The run it is tracked as.
    """

    number: int
    params: Params
    state: TrialState
    iterations: int | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    reason: str | None = None
    seconds: float = 0.0
    tracking_seconds: float = 0.0
    run_id: str | None = None

    @property
    def rank(self) -> tuple[float, float, int]:
        """Orders completed trials, best first: accuracy, then log-loss, then the earlier trial."""
        return (-self.metrics["accuracy"], self.metrics["log_loss"], self.number)

    def remember(self, storage_trial: optuna.Trial) -> None:
        """Write what became of the trial into the study."""
        storage_trial.set_user_attr(_OUTCOME, asdict(self))

    @classmethod
    def recall(cls, frozen: FrozenTrial) -> Self | None:
        """What `remember` wrote; none if the trial was interrupted before."""
        outcome = frozen.user_attrs.get(_OUTCOME)
        if outcome is None:
            return None
        return cls(**{**outcome, "state": TrialState(outcome["state"])})


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
        trial: What became of it.
        started: When it began, in seconds since the epoch.
        curve: Validation loss after each tree.
        model: The fitted model of a completed trial.
    """

    trial: Trial
    started: float
    curve: list[float]
    model: CatBoostClassifier | None


class TrialTracker(Protocol):
    """Where trials are recorded for people."""

    def record(self, fitted: FittedTrial) -> str:
        """Record a trial with its parameters, metrics, curve and model; returns its run's id."""
        ...


class SearchStopped(Exception):  # noqa: N818 - nothing is wrong
    """The search was ended while the trial was under way; the trial is as if never begun."""


class _Watcher:
    """CatBoost's callback: remembers the curve, and stops a fit that falls behind.

    While the verdict at a rung is open, the fit goes on and reports nothing of later rungs.
    """

    def __init__(
        self, trial: optuna.Trial, parameters: TuningParameters, stop: threading.Event
    ) -> None:
        self.curve: list[float] = []
        self.fell_behind_at: int | None = None
        self.error: Exception | None = None
        self._trial = trial
        self._loss_function = parameters.loss_function
        self._halving = parameters.halving()
        self._ahead = list(self._halving.rungs)
        # A trial that is taken over from a killed process may have reported already.
        known = trial.study.get_trials(deepcopy=False)[trial.number]
        self._reported = set(known.intermediate_values)
        self._next_look = 0.0
        self._stop = stop

    def after_iteration(self, info: Any) -> bool:
        self.curve.append(info.metrics["validation"][self._loss_function][-1])
        try:
            self._compare()
        except Exception as error:  # noqa: BLE001 - CatBoost would replace it by one of its own
            self.error = error
        return not (self.fell_behind_at or self.error or self._stop.is_set())

    def await_verdict(self) -> None:
        """After a fit's own end: wait for the verdicts that are open, so that pace decides nothing.

        When an earlier trial does not come as far within a minute, this one counts as completed.
        """
        deadline = time.monotonic() + _VERDICT_SECONDS
        while self._is_open() and not self._stop.is_set() and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
            self._compare()

    def _is_open(self) -> bool:
        return not self.fell_behind_at and bool(self._ahead) and self._ahead[0] <= len(self.curve)

    def _compare(self) -> None:
        while self._ahead and self._ahead[0] <= len(self.curve):
            rung = self._ahead[0]
            if rung not in self._reported:
                self._trial.report(self.curve[rung - 1], rung)
                self._reported.add(rung)
            elif time.monotonic() < self._next_look:
                return
            behind = self._halving.falls_behind(self._trial.study, self._trial.number, rung)
            if behind is None:
                self._next_look = time.monotonic() + _LOOK_SECONDS
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
) -> FittedTrial:
    """Fit the candidate of a trial and measure it.

    Args:
        trial: The trial, with its parameters drawn.
        data: Shared with other trials, and not changed.
        parameters: How candidates are fitted.
        thread_count: Threads of the fit.
        stop: When it is set, the fit ends after the next tree.

    Raises:
        SearchStopped: `stop` was set before the trial had ended.
    """
    started, clock = time.time(), time.perf_counter()
    watcher = _Watcher(trial, parameters, stop)
    fixed = parameters.fixed()
    patience = fixed.pop("early_stopping_rounds")

    def ended(
        state: TrialState, model: CatBoostClassifier | None = None, **what: Any
    ) -> FittedTrial:
        seconds = time.perf_counter() - clock
        outcome = Trial(trial.number, dict(trial.params), state, seconds=seconds, **what)
        return FittedTrial(outcome, started, watcher.curve, model)

    try:
        model = fit(data, {**trial.params, **fixed}, patience, thread_count, [watcher])
    except CatBoostError as error:  # this candidate's own fault; others may do
        return ended(TrialState.failed, reason=str(error) or repr(error))
    if watcher.error:
        raise watcher.error
    watcher.await_verdict()
    if watcher.fell_behind_at:
        trees = watcher.fell_behind_at
        del watcher.curve[trees:]
        reason = f"fell behind with a validation loss of {watcher.curve[-1]:.4f} at {trees} trees"
        return ended(TrialState.pruned, iterations=trees, reason=reason)
    if stop.is_set():
        raise SearchStopped
    metrics = evaluate(model, data.val_rows)
    return ended(TrialState.completed, model, iterations=model.tree_count_, metrics=metrics)

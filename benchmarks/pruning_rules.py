"""Which pruning rule costs how many trees, and what it loses: replayed on the whole grid."""

import itertools
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import optuna
import pandas as pd

from benchmarks.measure import within
from benchmarks.plan import Plan
from benchmarks.prepared_windows import prepared_windows
from benchmarks.report import Findings
from credit_ct_dagster.contracts.trial import Trial
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.evaluation import evaluate
from credit_ct_dagster.modeling.search.local_workers import LocalWorkers
from credit_ct_dagster.modeling.search.pruning import SuccessiveHalving
from credit_ct_dagster.modeling.search.search_space import Pruning, TuningParameters
from credit_ct_dagster.modeling.search.standings import Standing
from credit_ct_dagster.modeling.search.training import TrainingData
from credit_ct_dagster.modeling.search.trials import FittedTrial
from credit_ct_dagster.modeling.search.tuning import best_of, tune

_ORDERS = 30
_POINTS = 0.5
_RULES: list[tuple[list[int], float]] = [
    ([], 1.0),
    ([6, 30], 1 / 3),
    ([6, 30, 60], 1 / 3),
    ([6, 30, 60], 1 / 2),
    ([6, 15, 30, 60], 1 / 2),
    ([10, 30, 60], 1 / 3),
]


@dataclass(frozen=True)
class _Fit:
    """A candidate that was fitted to its end.

    Attributes:
        trial: Its outcome.
        curve: Its validation loss after each tree.
        holdout: Its metrics on the holdout.
    """

    trial: Trial
    curve: Sequence[float]
    holdout: dict[str, float]


@dataclass(frozen=True)
class _Replay:
    """A search with a rule.

    Attributes:
        trees: Of all fits.
        winner: The fit that it chooses.
    """

    trees: int
    winner: _Fit


class _WholeGrid:
    """Keeps every fit of a search, with its holdout metrics."""

    def __init__(self, holdout: pd.DataFrame) -> None:
        self.fits: dict[int, _Fit] = {}
        self._holdout = holdout

    def record(self, fitted: FittedTrial) -> str:
        assert fitted.model is not None
        found = _Fit(fitted.trial, fitted.curve, evaluate(fitted.model, self._holdout))
        self.fits[fitted.trial.number] = found
        return f"trial {fitted.trial.number}"


def run(plan: Plan) -> Findings:
    """Replay each rule in the platform's own order of candidates, and in others."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    grids = {window.name: _fitted(window.rows, plan) for window in prepared_windows(plan)}
    rows = [_judged(rungs, keep, grids) for rungs, keep in _RULES]
    default = TuningParameters()
    [own] = [
        row for row in rows if row["rungs"] == str(default.pruning_rungs) and
        row["keep"] == default.pruning_keep
    ]  # fmt: skip
    found = within(
        "holdout accuracy lost by the default rule, mean of windows and orders",
        [own["points lost"]], _POINTS, "points",
    )  # fmt: skip
    return Findings([found], {"Pruning rules, against the whole grid (means)": rows})


def _fitted(rows: dict[str, pd.DataFrame], plan: Plan) -> list[_Fit]:
    """All candidates in the order of a search, the centre of the grid first."""
    parameters = TuningParameters(**{**plan.parameters, "pruning": Pruning.none})
    study = optuna.create_study(direction="minimize", sampler=parameters.optuna_sampler(0))
    data = TrainingData.of(rows["train"], rows["val"], schema.FEATURES, text=parameters.text)
    kept = _WholeGrid(rows["holdout"])
    with LocalWorkers(data, parameters, kept, n_jobs=-1, thread_count=-1) as workers:
        tune(study, parameters, workers, [parameters.centre()], lambda progress: None)
    return [kept.fits[number] for number in sorted(kept.fits)]


def _judged(rungs: list[int], keep: float, grids: dict[str, list[_Fit]]) -> dict[str, Any]:
    """A rule in all windows: in the platform's own order, and in random ones, centre first."""
    own, worse = [], []
    lost: list[float] = []
    added: list[float] = []
    for fits in grids.values():
        best = _replayed(fits, [], 1.0).winner
        own.append(_replayed(fits, rungs, keep).trees)
        of_window = []
        for seed in range(_ORDERS):
            others = Random(seed).sample(fits[1:], len(fits) - 1)
            of_window.append(_replayed([fits[0], *others], rungs, keep).winner.holdout)
        points = [100 * (best.holdout["accuracy"] - each["accuracy"]) for each in of_window]
        worse += [each > _POINTS for each in points]
        lost.append(statistics.mean(points))
        added.append(
            statistics.mean(each["log_loss"] - best.holdout["log_loss"] for each in of_window)
        )
    return {
        "rungs": str(rungs),
        "keep": keep,
        "trees per window": statistics.mean(own),
        "points lost": statistics.mean(lost),
        "SE": _error(lost),
        f"lost over {_POINTS}": statistics.mean(worse),
        "log-loss added": statistics.mean(added),
        "SE of that": _error(added),
    }


def _error(per_window: Sequence[float]) -> float:
    """The standard error of a mean of windows; NaN for a single one."""
    if len(per_window) < 2:
        return math.nan
    return statistics.stdev(per_window) / math.sqrt(len(per_window))


def _replayed(fits: Sequence[_Fit], rungs: Sequence[int], keep: float) -> _Replay:
    """One fit after the other: verdicts do not depend on the pace."""
    rule = SuccessiveHalving(rungs, keep)
    standings: list[Standing] = []
    completed, trees = [], 0
    for fit in fits:
        losses: dict[int, float] = {}
        standings.append(Standing(losses, running=False))
        behind = None
        for rung in itertools.takewhile(lambda rung: rung <= len(fit.curve), rungs):  # noqa: B023
            losses[rung] = fit.curve[rung - 1]
            if rule.falls_behind(standings, rung):
                behind = rung
                break
        trees += behind or len(fit.curve)
        if behind is None:
            completed.append(fit)
    best = best_of([fit.trial for fit in completed])
    return _Replay(trees, next(fit for fit in completed if fit.trial is best))


GROUPS: dict[str, Callable[[Plan], Findings]] = {"pruning_rules": run}

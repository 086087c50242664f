"""Models that follow the directions which the schema declares."""

import threading
from typing import Any

import numpy as np
import pandas as pd
import pytest

from credit_ct_dagster.contracts.trial import TrialState
from credit_ct_dagster.errors.inputs import UnusableRowsError
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.answers.calibration import METHODS, UNCALIBRATED, calibrate
from credit_ct_dagster.modeling.judging.evaluation import evaluate, predict_proba
from credit_ct_dagster.modeling.search import trials
from credit_ct_dagster.modeling.search.search_space import Text
from credit_ct_dagster.modeling.search.training import TrainingData, fit
from credit_ct_dagster.modeling.search.trials import SearchStopped, fit_trial
from credit_ct_dagster.modeling.search.tuning import best_of
from credit_ct_dagster.scorer.encoded import trees_of
from credit_ct_dagster.scorer.ordinal import Model, is_ordinal
from credit_ct_dagster_tests.modeling.conftest import (
    Memory,
    model_of,
    new_study,
    run,
    search,
    training_data,
)

_WEIGHTS = [[1, 1, 1], [3, 1, 1], [1, 2, 1], [1, 1, 4]]
_VALUES = 6


@pytest.fixture(scope="module")
def pairs(splits: dict[str, pd.DataFrame]) -> TrainingData:
    """The rows of each pair of neighbouring classes."""
    return training_data(splits["train"], splits["val"], monotone=True)


def _share_better(model: Model, rows: pd.DataFrame) -> float:
    """The share of rows whose class gets better as one declared risk rises, however weighted.

    Of two rows that differ in one value, the riskier one must not get the better class, whatever
    positive weights the probabilities are multiplied by.
    """
    few = rows.head(60)
    order = [list(model.classes_).index(name) for name in schema.CLASSES]
    better = np.zeros(len(few), dtype=bool)
    for name in schema.DIRECTED:
        grid = np.linspace(rows[name].min(), rows[name].max(), _VALUES)
        if schema.COLUMNS[name].risk == schema.Risk.falls:
            grid = grid[::-1]
        along = np.array(
            [predict_proba(model, few.assign(**{name: value}))[:, order] for value in grid]
        )
        for weights in _WEIGHTS:
            classes = (along * weights).argmax(axis=2)
            better |= (np.diff(classes, axis=0) > 0).any(axis=0)
    return float(better.mean())


def test_no_class_gets_better_as_a_risk_rises(
    data: TrainingData, pairs: TrainingData, splits: dict[str, pd.DataFrame]
) -> None:
    """For no row, feature and weight of the classes; a model without constraints shows some."""
    models = {}
    for kind, rows, monotone in (("free", data, False), ("monotone", pairs, True)):
        # With fewer trees allowed, CatBoost combines no categories with numbers by itself: that
        # breaks the constraints of this very model.
        fixed = search(monotone=monotone, iterations=1000).fixed()
        fixed.pop("early_stopping_rounds")
        models[kind] = fit(rows, {"depth": 8, **fixed}, 20, thread_count=1)
    assert _share_better(models["monotone"], splits["holdout"]) == 0
    assert _share_better(models["free"], splits["holdout"]) > 0.05
    assert evaluate(models["monotone"], splits["holdout"])["log_loss"] < 0.8


@pytest.mark.parametrize("text", Text)
def test_it_is_not_calibrated_class_by_class(splits: dict[str, pd.DataFrame], text: Text) -> None:
    """Curves per class would break what the constraints hold; what they cost is on record."""
    fixed = search(monotone=True, iterations=10).fixed()
    fixed.pop("early_stopping_rounds")
    pairs = training_data(splits["train"], splits["val"], text=text, monotone=True)
    model = fit(pairs, {"depth": 3, **fixed}, 10, thread_count=1)
    calibration = calibrate(model, splits["val"])
    assert calibration.method == UNCALIBRATED
    assert set(calibration.log_losses) == set(METHODS)
    probabilities = calibration.model.predict_proba(splits["holdout"])
    assert probabilities == pytest.approx(predict_proba(model, splits["holdout"]))


def test_a_monotone_candidate_is_a_trial_as_any_other(
    pairs: TrainingData, splits: dict[str, pd.DataFrame]
) -> None:
    """Its metrics are those of the two models together, its curve is that of the first."""
    memory = Memory()
    found = run(pairs, search(monotone=True, early_stopping_rounds=3), tracker=memory)
    best, model = best_of(found), model_of(found, memory)
    assert is_ordinal(model)
    assert best is not None
    of_each = trees_of(model)
    assert list(best.trees) == of_each
    assert best.iterations == sum(of_each)
    assert best.metrics == evaluate(model, splits["val"])
    [fitted] = [each for each in memory.recorded if each.trial.number == best.number]
    assert int(np.argmin(fitted.curve)) + 1 == of_each[0]


def test_candidates_that_fall_behind_are_stopped(pairs: TrainingData) -> None:
    """By the loss of the first model, whatever the number of threads."""
    halving = search(
        monotone=True, iterations=10, depth=[6, 4, 2, 1], pruning="successive_halving",
        pruning_rungs=[2, 6], pruning_keep=0.5,
    )  # fmt: skip
    serial, parallel = (run(pairs, halving, n_jobs=n_jobs) for n_jobs in (1, 2))
    states = {trial.state for trial in serial}
    assert states == {TrialState.completed, TrialState.pruned}
    for one, other in zip(serial, parallel, strict=True):
        assert (one.state, one.iterations, one.metrics) == (
            other.state, other.iterations, other.metrics,
        )  # fmt: skip


class _StopsAt:
    """A callback of CatBoost that stops the search at the first tree of a later model."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._models = 0

    def after_iteration(self, info: Any) -> bool:
        self._models += info.iteration == 1
        if self._models == 2:
            self._stop.set()
        return True


def test_a_cancelled_search_stops_the_second_model_too(
    pairs: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its fit would take hours, and ends after its next tree."""
    parameters = search(monotone=True, iterations=30, early_stopping_rounds=30)
    stop = threading.Event()
    trees: list[int] = []

    def fit_and_stop(
        rows: TrainingData, params: Any, patience: int, threads: int, callbacks: list[Any]
    ) -> Model:
        model = fit(rows, params, patience, threads, [*callbacks, _StopsAt(stop)])
        assert is_ordinal(model)
        trees.extend(trees_of(model))
        return model

    monkeypatch.setattr(trials, "fit", fit_and_stop)
    study = new_study(parameters)
    study.enqueue_trial(dict(parameters.candidates()[0]))
    trial = study.ask(parameters.distributions())
    with pytest.raises(SearchStopped):
        fit_trial(trial, pairs, parameters, 1, stop)
    assert trees[1] <= 2


@pytest.mark.parametrize("lacking", schema.CLASSES)
def test_rows_without_a_class_are_refused(splits: dict[str, pd.DataFrame], lacking: str) -> None:
    """A pair cannot be fitted without one of its classes; the sentence names it."""
    train = splits["train"][splits["train"][schema.TARGET] != lacking]
    with pytest.raises(UnusableRowsError, match=f"has the label '{lacking}'.*monotone: false"):
        training_data(train, splits["val"], monotone=True)

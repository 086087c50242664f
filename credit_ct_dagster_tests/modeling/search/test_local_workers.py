"""Trials on threads of this process."""

import threading
from typing import Any

import joblib
import pytest
from catboost import CatBoostClassifier
from optuna.trial import TrialState as StudyState

from credit_ct_dagster.modeling.search import trials
from credit_ct_dagster.modeling.search.local_workers import LocalWorkers, threads_per_fit
from credit_ct_dagster.modeling.search.training import TrainingData, fit
from credit_ct_dagster.modeling.search.trials import SearchStopped
from credit_ct_dagster_tests.modeling.conftest import Memory, new_study, search


class _Signal:
    """A CatBoost callback that reports the first tree."""

    def __init__(self) -> None:
        self.fitting = threading.Event()

    def after_iteration(self, info: Any) -> bool:
        self.fitting.set()
        return True


def test_each_fit_has_all_cores() -> None:
    """So that the last one leaves none idle; a number that is set is obeyed."""
    assert threads_per_fit(-1) == joblib.cpu_count()
    assert threads_per_fit(3) == 3


def test_a_cancelled_search_stops_its_fits(
    data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fit that would take hours ends after its next tree, and is not recorded."""
    parameters = search(iterations=100_000, early_stopping_rounds=100_000, depth=[6])
    study, memory, signal = new_study(parameters), Memory(), _Signal()

    def fit_and_signal(
        rows: TrainingData, params: Any, patience: int, threads: int, callbacks: list[Any]
    ) -> CatBoostClassifier:
        return fit(rows, params, patience, threads, [*callbacks, signal])

    monkeypatch.setattr(trials, "fit", fit_and_signal)
    with LocalWorkers(data, parameters, memory, 1, 1) as workers:
        study.enqueue_trial(dict(parameters.candidates()[0]))
        future = workers.submit(study.ask(parameters.distributions()))
        assert signal.fitting.wait(60), "the fit never started"
        assert not future.done()
    assert isinstance(future.exception(60), SearchStopped)
    assert memory.recorded == []
    assert [trial.state for trial in study.trials] == [StudyState.RUNNING]

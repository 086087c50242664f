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
from credit_ct_dagster.modeling.search.tuning import tune
from credit_ct_dagster_tests.modeling.conftest import Memory, new_study, search


class _Signal:
    """A CatBoost callback that reports the first tree."""

    def __init__(self) -> None:
        self.fitting = threading.Event()

    def after_iteration(self, info: Any) -> bool:
        self.fitting.set()
        return True


def test_cores_are_divided_among_small_fits_and_shared_by_large_ones() -> None:
    """So that no core is idle, and none has more threads than pay; a number that is set counts."""
    cores = joblib.cpu_count()
    assert threads_per_fit(-1, at_once=1, rows=3_000) == cores
    assert threads_per_fit(-1, at_once=cores, rows=3_000) == 1
    assert threads_per_fit(-1, at_once=4 * cores, rows=3_000) == 1
    assert threads_per_fit(-1, at_once=cores, rows=70_000) == cores
    assert threads_per_fit(3, at_once=cores, rows=70_000) == 3


def test_a_lone_fit_has_all_cores(data: TrainingData, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where more could be fitted at the same time: none waits for one of them."""
    threads: list[int] = []

    def noted(
        rows: TrainingData, params: Any, patience: int, count: int, *others: Any
    ) -> CatBoostClassifier:
        threads.append(count)
        return fit(rows, params, patience, count, *others)

    monkeypatch.setattr(trials, "fit", noted)
    parameters = search(l2_leaf_reg=[3.0])
    with LocalWorkers(data, parameters, Memory(), n_jobs=2, thread_count=-1) as workers:
        tune(new_study(parameters), parameters, workers, [], lambda progress: None)
    assert threads == [joblib.cpu_count()]


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

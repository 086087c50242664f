"""The search: what is tried, kept, tried again and chosen."""

import threading
import time
from typing import Any

import optuna
import pandas as pd
import pytest
from catboost import CatBoostClassifier
from optuna.trial import TrialState as StudyState
from sklearn.metrics import accuracy_score, f1_score, log_loss

from credit_ct_dagster.errors import CreditCtError
from credit_ct_dagster.modeling import schema, trials
from credit_ct_dagster.modeling.evaluation import (
    confusion,
    evaluate,
    feature_importances,
    predict,
    predict_proba,
)
from credit_ct_dagster.modeling.local_workers import LocalWorkers
from credit_ct_dagster.modeling.search_space import TuningParameters
from credit_ct_dagster.modeling.training import TrainingData, fit
from credit_ct_dagster.modeling.trials import Trial, TrialState
from credit_ct_dagster.modeling.tuning import Progress, best_of
from credit_ct_dagster_tests.modeling.conftest import Memory, new_study, run, search

_PRUNED: dict[str, Any] = {
    "depth": [2, 6], "rsm": [0.5, 1.0], "l2_leaf_reg": [1.0, 9.0], "iterations": 30,
    "pruning": "successive_halving", "pruning_rungs": [3, 6, 12],
    "pruning_keep": 0.5,
}  # fmt: skip
"""Eight candidates, some of which fall behind."""


def _model_of(trials: list[Trial], memory: Memory) -> CatBoostClassifier:
    best = best_of(trials)
    [fitted] = [each for each in memory.recorded if best and each.trial.number == best.number]
    return fitted.model


def _outcomes(trials: list[Trial]) -> list[tuple[Any, ...]]:
    """What must not depend on threads, machines or interruptions."""
    return [(t.number, t.params, t.state, t.iterations, t.metrics, t.reason) for t in trials]


def _refuse(monkeypatch: pytest.MonkeyPatch, l2_leaf_reg: float) -> None:
    """Have CatBoost refuse one candidate."""

    def refusing(data: TrainingData, params: dict[str, Any], *others: Any) -> CatBoostClassifier:
        refused = {"l2_leaf_reg": -3.0} if params["l2_leaf_reg"] == l2_leaf_reg else {}
        return fit(data, {**params, **refused}, *others)

    monkeypatch.setattr(trials, "fit", refusing)


def test_metrics_are_of_the_model_that_is_kept(
    data: TrainingData, splits: dict[str, pd.DataFrame]
) -> None:
    """Measured again on the kept model by scikit-learn's own functions, they agree."""
    memory = Memory()
    found = run(data, search(), tracker=memory)
    best, val, model = best_of(found), splits["val"], _model_of(found, memory)
    assert best is not None
    assert best.iterations == model.tree_count_
    predicted = model.predict(val[schema.FEATURES]).ravel()
    assert best.metrics["accuracy"] == accuracy_score(val[schema.TARGET], predicted)
    assert best.metrics["macro_f1"] == pytest.approx(
        f1_score(val[schema.TARGET], predicted, average="macro")
    )
    raw = model.predict_proba(val[schema.FEATURES])
    normalised = raw / raw.sum(axis=1, keepdims=True)
    expected = log_loss(val[schema.TARGET], normalised, labels=list(model.classes_))
    assert best.metrics["log_loss"] == pytest.approx(expected)


def test_the_result_does_not_depend_on_the_number_of_jobs(data: TrainingData) -> None:
    """The same trials are given up at the same trees, and the same one wins."""
    parameters = TuningParameters(**_PRUNED)
    alone = run(data, parameters)
    assert {trial.state for trial in alone} == {TrialState.completed, TrialState.pruned}
    for n_jobs in (2, 3, 3):
        assert _outcomes(run(data, parameters, n_jobs=n_jobs)) == _outcomes(alone)


def test_pruning_changes_no_trial_that_is_not_given_up(data: TrainingData) -> None:
    """Without it, every candidate is fitted to its end, with the same metrics and curve."""
    memory, everything = Memory(), Memory()
    pruned = run(data, TuningParameters(**_PRUNED), tracker=memory)
    exhaustive = run(data, TuningParameters(**_PRUNED | {"pruning": "none"}), tracker=everything)
    assert {trial.state for trial in exhaustive} == {TrialState.completed}
    whole = {fitted.trial.number: fitted for fitted in everything.recorded}
    for trial in pruned:
        [fitted] = [each for each in memory.recorded if each.trial.number == trial.number]
        full = whole[trial.number]
        if trial.state == TrialState.completed:
            assert (trial.metrics, fitted.curve) == (full.trial.metrics, full.curve)
        else:
            assert trial.iterations in _PRUNED["pruning_rungs"]
            assert fitted.curve == full.curve[: trial.iterations]
            assert fitted.model is None
            assert f"at {trial.iterations} trees" in (trial.reason or "")


def test_an_interrupted_search_goes_on_where_it_was(data: TrainingData) -> None:
    """Finished trials are not fitted again, and the end is as if nothing had happened."""
    parameters = TuningParameters(**_PRUNED)
    study, memory = new_study(parameters), Memory()

    class _InterruptedError(BaseException): ...

    def interrupt(progress: Progress) -> None:
        if progress.completed + progress.pruned == 3:
            raise _InterruptedError

    with pytest.raises(_InterruptedError):
        run(data, parameters, study, memory, n_jobs=2, on_progress=interrupt)
    finished = {each.trial.number for each in memory.recorded}
    assert len(finished) < 8
    again = Memory()
    resumed = run(data, parameters, study, again, n_jobs=2)
    assert finished.isdisjoint(each.trial.number for each in again.recorded)
    assert len(memory.recorded) + len(again.recorded) == 8
    assert _outcomes(resumed) == _outcomes(run(data, parameters))
    assert run(data, parameters, study, Memory()) == resumed, "nothing is left to do"


def test_a_trial_that_was_taken_over_half_way_ends_as_if_not(data: TrainingData) -> None:
    """Its process was killed after it had reported at a rung."""
    parameters = TuningParameters(**_PRUNED)
    study, undisturbed = new_study(parameters), run(data, parameters)
    study.enqueue_trial(parameters.candidates()[0])
    killed = study.ask(parameters.distributions())
    killed.report(_loss_at(3, data, parameters), 3)
    assert _outcomes(run(data, parameters, study)) == _outcomes(undisturbed)


def _loss_at(trees: int, data: TrainingData, parameters: TuningParameters) -> float:
    memory = Memory()
    run(data, parameters, tracker=memory)
    return memory.recorded[0].curve[trees - 1]


def test_favourites_are_tried_first_and_once(data: TrainingData) -> None:
    """Those that belong to the search; the others of the grid follow in its order."""
    parameters = search(l2_leaf_reg=[1.0, 3.0, 9.0])
    last = {"depth": 3, "rsm": 1.0, "l2_leaf_reg": 9.0}
    outside = {"depth": 3, "rsm": 1.0, "l2_leaf_reg": 4.0}
    found = run(data, parameters, favourites=[last, outside, last])
    assert [trial.params["l2_leaf_reg"] for trial in found] == [9.0, 1.0, 3.0]


def test_max_trials_caps_a_grid_and_can_be_raised(data: TrainingData) -> None:
    """With a higher cap later, the search goes on."""
    study = new_study(search())
    assert len(run(data, search(max_trials=1), study)) == 1
    assert len(run(data, search(max_trials=5), study)) == 2


def test_no_trial_begins_after_max_seconds(data: TrainingData) -> None:
    """Those under way may end."""
    parameters = search(sampler="random", max_seconds=0.2, depth=[2, 4])
    started = time.monotonic()
    found = run(data, parameters)
    assert found
    assert time.monotonic() - started < 30


def test_a_candidate_that_fails_does_not_stop_the_others(
    data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CatBoost refuses one candidate; it is recorded with its reason, and tried again next time."""
    study, memory = new_study(search()), Memory()
    with monkeypatch.context() as patch:
        _refuse(patch, 3.0)
        found = run(data, search(), study, memory)
    assert [trial.state for trial in found] == [TrialState.failed, TrialState.completed]
    assert "L2" in (found[0].reason or "") or "l2_leaf_reg" in (found[0].reason or "")
    assert [each.trial.state for each in memory.recorded] == [trial.state for trial in found]
    assert best_of(found) is found[1]
    mended = run(data, search(), study)
    assert [trial.state for trial in mended] == [TrialState.completed] * 2
    assert {trial.params["l2_leaf_reg"] for trial in mended} == {3.0, 9.0}


def test_all_candidates_failing_gives_the_first_cause(
    data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run fails, and says why."""
    _refuse(monkeypatch, 3.0)
    with pytest.raises(CreditCtError, match=r"All 1 candidates failed. The first, .*3\.0"):
        run(data, search(l2_leaf_reg=[3.0]))


def test_a_failure_that_is_no_candidates_fault_ends_the_search(data: TrainingData) -> None:
    """As when MLflow is down; what had finished is kept for the next attempt."""

    class _Down(Memory):
        def record(self, fitted: Any) -> str:
            if self.recorded:
                raise ConnectionError("down")
            return super().record(fitted)

    parameters = search(l2_leaf_reg=[1.0, 3.0, 9.0])
    study = new_study(parameters)
    with pytest.raises(ConnectionError):
        run(data, parameters, study, _Down())
    assert [t.state for t in study.trials].count(StudyState.COMPLETE) == 1
    again = Memory()
    assert len(run(data, parameters, study, again)) == 3
    assert len(again.recorded) == 2


def test_a_failure_while_comparing_is_not_hidden(
    data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CatBoost would replace an error of its callback by one of its own."""

    def fail(*_args: Any) -> None:
        raise ConnectionError("the study's storage is gone")

    monkeypatch.setattr(optuna.trial.Trial, "report", fail)
    with pytest.raises(ConnectionError, match="storage is gone"):
        run(data, TuningParameters(**_PRUNED))


def test_leaving_ends_the_fits_that_are_under_way(data: TrainingData) -> None:
    """A cancelled run does not go on fitting, and what it leaves is not recorded."""
    parameters = search(iterations=100_000, early_stopping_rounds=100_000, depth=[6])
    study, memory = new_study(parameters), Memory()
    began = threading.Event()
    with LocalWorkers(data, parameters, memory, 1, 1) as workers:
        study.enqueue_trial(parameters.candidates()[0])
        future = workers.submit(study.ask(parameters.distributions()))
        began.wait(0.5)
    assert future.cancelled() or future.exception() is not None
    assert memory.recorded == []
    assert [trial.state for trial in study.trials] == [StudyState.RUNNING]


def test_progress_tells_what_is_done_and_left(data: TrainingData) -> None:
    """One line per trial: done, pruned, best, time left."""
    seen: list[Progress] = []
    run(data, TuningParameters(**_PRUNED), on_progress=seen.append)
    assert [each.left for each in seen] == list(range(7, -1, -1))
    last = seen[-1]
    assert last.best is not None
    assert last.seconds_left == 0
    line = str(last)
    assert f"8/8 done, {last.pruned} pruned; best {last.best.metrics['accuracy']:.4f}" in line
    assert "0 s left" in line


@pytest.mark.parametrize(
    ("metrics", "best"),
    [
        ([(0.7, 0.5), (0.8, 0.9)], 1),
        ([(0.8, 0.9), (0.8, 0.5)], 1),
        ([(0.8, 0.5), (0.8, 0.5)], 0),
    ],
)
def test_ties_go_to_the_lower_log_loss_then_the_earlier(
    metrics: list[tuple[float, float]], best: int
) -> None:
    """Accuracy decides, then log-loss, then the order."""
    found = [
        Trial(number, {}, TrialState.completed, metrics={"accuracy": accuracy, "log_loss": loss})
        for number, (accuracy, loss) in enumerate(metrics)
    ]
    assert best_of(found[::-1]) is found[best]
    assert best_of([]) is None


def test_probabilities_sum_to_one_and_lead_to_the_prediction(
    data: TrainingData, splits: dict[str, pd.DataFrame]
) -> None:
    """One-vs-all scores are normalised; the highest one is the prediction."""
    memory = Memory()
    model = _model_of(run(data, search(), tracker=memory), memory)
    probabilities = predict_proba(model, splits["holdout"])
    assert probabilities.sum(axis=1) == pytest.approx(1)
    highest = model.classes_[probabilities.argmax(axis=1)]
    assert (highest == predict(model, splits["holdout"])).all()


def test_a_class_that_train_never_had_is_measured_as_missed(
    splits: dict[str, pd.DataFrame],
) -> None:
    """Rows of an unknown class count as wrong, and do not break the measures."""
    two = splits["train"][splits["train"][schema.TARGET] != "Good"]
    known = splits["val"][splits["val"][schema.TARGET] != "Good"]
    memory = Memory()
    model = _model_of(run(TrainingData.of(two, known), search(), tracker=memory), memory)
    measured = evaluate(model, splits["holdout"])
    assert measured["f1_good"] == 0
    assert measured["log_loss"] > 1
    counts = confusion(model, splits["holdout"])
    assert counts.sum() == len(splits["holdout"])
    assert counts[:, 2].sum() == 0


def test_importances_cover_every_feature(data: TrainingData) -> None:
    """One value per feature, in percent, highest first."""
    memory = Memory()
    importances = feature_importances(_model_of(run(data, search(), tracker=memory), memory))
    assert set(importances) == set(schema.FEATURES)
    assert sum(importances.values()) == pytest.approx(100)
    assert list(importances.values()) == sorted(importances.values(), reverse=True)

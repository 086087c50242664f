"""The search: which candidates run, which are retained, retried and chosen."""

from concurrent.futures import Future
from typing import Any

import optuna
import pandas as pd
import pytest
from catboost import CatBoostClassifier
from optuna.trial import TrialState as StudyState
from sklearn.metrics import accuracy_score, f1_score, log_loss

from credit_ct_dagster.contracts.trial import Trial, TrialState
from credit_ct_dagster.errors.models import SearchFailedError
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.search import trials, tuning
from credit_ct_dagster.modeling.search.search_space import TuningParameters
from credit_ct_dagster.modeling.search.training import TrainingData, fit
from credit_ct_dagster.modeling.search.tuning import Progress, best_of, tune
from credit_ct_dagster_tests.modeling.conftest import Memory, model_of, new_study, run, search

_PRUNED: dict[str, Any] = {
    "depth": [2, 6], "rsm": [0.5, 1.0], "l2_leaf_reg": [1.0, 9.0], "iterations": 30,
    "pruning": "successive_halving", "pruning_rungs": [3, 6, 12],
    "pruning_keep": 0.5,
}  # fmt: skip
"""Eight candidates, some of which fall behind."""


@pytest.fixture(scope="module")
def serial(data: TrainingData) -> tuple[list[Trial], Memory]:
    """That search, one trial after the other, which nothing disturbed."""
    memory = Memory()
    return run(data, TuningParameters(**_PRUNED), tracker=memory), memory


def _outcomes(trials: list[Trial]) -> list[tuple[Any, ...]]:
    """What must not depend on threads, machines or interruptions."""
    return [(t.number, t.params, t.state, t.iterations, t.metrics, t.reason) for t in trials]


def _refuse(monkeypatch: pytest.MonkeyPatch, l2_leaf_reg: float) -> None:
    """Have CatBoost refuse one candidate."""

    def refusing(data: TrainingData, params: dict[str, Any], *others: Any) -> CatBoostClassifier:
        refused = {"l2_leaf_reg": -3.0} if params["l2_leaf_reg"] == l2_leaf_reg else {}
        return fit(data, {**params, **refused}, *others)

    monkeypatch.setattr(trials, "fit", refusing)


def test_metrics_are_those_of_the_best_model(
    data: TrainingData, splits: dict[str, pd.DataFrame]
) -> None:
    """scikit-learn's own functions, applied to the recorded model, give the same values."""
    memory = Memory()
    found = run(data, search(), tracker=memory)
    best, val, model = best_of(found), splits["val"], model_of(found, memory)
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


def test_the_result_does_not_depend_on_the_number_of_jobs(
    data: TrainingData, serial: tuple[list[Trial], Memory]
) -> None:
    """The same trials are pruned at the same trees, and the same one wins."""
    parameters = TuningParameters(**_PRUNED)
    found, _ = serial
    assert {trial.state for trial in found} == {TrialState.completed, TrialState.pruned}
    for n_jobs in (2, 3):
        assert _outcomes(run(data, parameters, n_jobs=n_jobs)) == _outcomes(found)


def test_pruning_changes_no_trial_that_completes(
    data: TrainingData, serial: tuple[list[Trial], Memory]
) -> None:
    """Without it, every candidate is fitted to its end, with the same metrics and curve."""
    (pruned, memory), everything = serial, Memory()
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
            assert f"after {trial.iterations} trees" in (trial.reason or "")


def test_an_interrupted_search_continues(
    data: TrainingData, serial: tuple[list[Trial], Memory]
) -> None:
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
    assert _outcomes(resumed) == _outcomes(serial[0])
    assert run(data, parameters, study, Memory()) == resumed, "nothing remains to do"


def test_a_trial_of_a_killed_process_ends_as_if_nothing_had_happened(
    data: TrainingData, serial: tuple[list[Trial], Memory]
) -> None:
    """Its process was killed after it had reported at a rung."""
    parameters = TuningParameters(**_PRUNED)
    study, (undisturbed, memory) = new_study(parameters), serial
    study.enqueue_trial(dict(parameters.candidates()[0]))
    killed = study.ask(parameters.distributions())
    killed.report(memory.recorded[0].curve[2], 3)
    assert _outcomes(run(data, parameters, study)) == _outcomes(undisturbed)


def test_favourites_are_tried_first_and_once(data: TrainingData) -> None:
    """Those that belong to the search; the others of the grid follow in its order."""
    parameters = search(l2_leaf_reg=[1.0, 3.0, 9.0])
    last = {"depth": 3, "rsm": 1.0, "l2_leaf_reg": 9.0}
    outside = {"depth": 3, "rsm": 1.0, "l2_leaf_reg": 4.0}
    found = run(data, parameters, favourites=[last, outside, last])
    assert [trial.params["l2_leaf_reg"] for trial in found] == [9.0, 1.0, 3.0]


def test_another_favourite_does_not_change_the_order_of_a_search(data: TrainingData) -> None:
    """As when another base date ends between two attempts."""
    parameters = search(l2_leaf_reg=[1.0, 3.0, 9.0])
    first, other = ({"depth": 3, "rsm": 1.0, "l2_leaf_reg": value} for value in (3.0, 9.0))
    study = new_study(parameters)
    capped = search(l2_leaf_reg=[1.0, 3.0, 9.0], max_trials=1)
    run(data, capped, study, favourites=[first])
    found = run(data, parameters, study, favourites=[other])
    assert [trial.params["l2_leaf_reg"] for trial in found] == [3.0, 1.0, 9.0]


def test_max_trials_caps_a_grid_and_can_be_raised(data: TrainingData) -> None:
    """With a higher cap later, the search continues."""
    study = new_study(search())
    assert len(run(data, search(max_trials=1), study)) == 1
    assert len(run(data, search(max_trials=5), study)) == 2


class _Clockwork:
    """Workers that complete any trial at once, while a clock advances by a second per trial."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.submitted: list[int] = []

    def slots(self) -> int:
        return 1

    def submit(self, trial: optuna.Trial) -> Future[Trial]:
        assert len(self.submitted) < 10, "max_seconds is not obeyed"
        self.submitted.append(trial.number)
        self.now += 1
        ended: Future[Trial] = Future()
        ended.set_result(
            Trial(
                number=trial.number,
                params=trial.params,
                state=TrialState.completed,
                metrics={"accuracy": 0.5, "log_loss": 1.0},
            )
        )
        return ended


def test_no_trial_starts_after_max_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that only time limits ends with the trial that runs when the time is over."""
    workers = _Clockwork()
    monkeypatch.setattr(tuning, "monotonic", lambda: workers.now)
    parameters = search(sampler="random", max_seconds=2.5, depth=[2, 4])
    found = tune(new_study(parameters), parameters, workers, [], lambda progress: None)
    assert [trial.number for trial in found] == [0, 1, 2]


def test_a_search_without_time_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence names the configuration."""
    clock = iter([0.0, 9.0])
    monkeypatch.setattr(tuning, "monotonic", lambda: next(clock))
    parameters = search(max_seconds=2.5)
    with pytest.raises(SearchFailedError, match=r"within max_seconds \(2.5 s\)"):
        tune(new_study(parameters), parameters, _Clockwork(), [], lambda progress: None)


def test_a_candidate_that_fails_does_not_stop_the_others(
    data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CatBoost refuses one candidate; it is recorded with its reason, and retried next time."""
    study, memory = new_study(search()), Memory()
    with monkeypatch.context() as patch:
        _refuse(patch, 3.0)
        found = run(data, search(), study, memory)
    assert [trial.state for trial in found] == [TrialState.failed, TrialState.completed]
    assert "L2" in (found[0].reason or "") or "l2_leaf_reg" in (found[0].reason or "")
    assert [each.trial.state for each in memory.recorded] == [trial.state for trial in found]
    assert best_of(found) is found[1]
    retried = run(data, search(), study)
    assert [trial.state for trial in retried] == [TrialState.completed] * 2
    assert {trial.params["l2_leaf_reg"] for trial in retried} == {3.0, 9.0}


def test_all_candidates_failing_gives_the_first_cause(
    data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run fails with the reason of the first candidate."""
    _refuse(monkeypatch, 3.0)
    with pytest.raises(SearchFailedError, match=r"All 1 candidates failed. The first, .*3\.0"):
        run(data, search(l2_leaf_reg=[3.0]))


def test_a_failure_that_is_no_candidates_fault_ends_the_search(data: TrainingData) -> None:
    """As when MLflow is down; finished trials are retained for the next attempt."""

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
        raise ConnectionError("the study's storage was lost")

    monkeypatch.setattr(optuna.trial.Trial, "report", fail)
    with pytest.raises(ConnectionError, match="storage was lost"):
        run(data, TuningParameters(**_PRUNED))


def test_progress_reports_what_is_done_and_what_remains(data: TrainingData) -> None:
    """One line per trial: done, pruned, best, remaining time."""
    seen: list[Progress] = []
    run(data, TuningParameters(**_PRUNED), on_progress=seen.append)
    assert [each.remaining for each in seen] == list(range(7, -1, -1))
    last = seen[-1]
    assert last.best is not None
    assert last.remaining_seconds == 0
    line = str(last)
    assert f"8/8 done, {last.pruned} pruned; best {last.best.metrics['accuracy']:.4f}" in line
    assert "0 s remaining" in line

"""The search."""

from datetime import date
from typing import Any

import pandas as pd
import pytest
from catboost import CatBoostClassifier
from pydantic import ValidationError
from sklearn.metrics import accuracy_score, f1_score, log_loss

from credit_ct_dagster.errors import CreditCtError
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.evaluation import (
    confusion,
    evaluate,
    feature_importances,
    predict,
    predict_proba,
)
from credit_ct_dagster.modeling.preparation import fit_scalers, prepare
from credit_ct_dagster.modeling.splitting import split_by_customer
from credit_ct_dagster.modeling.tuning import Trial, TuningParameters, best_of, tune
from credit_ct_dagster.sample_data import generate


class _Memory:
    """A tracker that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int]] = []

    def started(self, number: int, params: dict[str, float]) -> str:
        self.told.append(("started", number))
        return f"run-{number}"

    def completed(self, trial: Trial, model: CatBoostClassifier) -> None:
        self.told.append(("completed", trial.number))

    def failed(self, trial: Trial) -> None:
        self.told.append(("failed", trial.number))


@pytest.fixture(scope="module")
def splits() -> dict[str, pd.DataFrame]:
    """Prepared rows."""
    labels, features = generate(2_000, date(2025, 8, 31), seed=0)
    raw = split_by_customer(labels.merge(features, on=schema.KEY), 0.7, 0.15)
    scalers = fit_scalers(raw["train"])
    return {name: prepare(rows, scalers) for name, rows in raw.items()}


def _search(**changes: Any) -> TuningParameters:
    small = {"depth": [3], "rsm": [1.0], "l2_leaf_reg": [3.0, 9.0], "iterations": 20}
    return TuningParameters(**small | changes)


def _tune(splits: dict[str, pd.DataFrame], **changes: Any) -> tuple[list[Trial], _Memory]:
    memory = _Memory()
    parameters = _search(**changes)
    trials = tune(splits["train"], splits["val"], parameters, memory, lambda done, total: None)
    return trials, memory


def _model_of(trials: list[Trial]) -> CatBoostClassifier:
    best = best_of(trials)
    assert best is not None
    return best.model


def test_the_default_search_is_the_seeds_27_candidates() -> None:
    """Depth x rsm x l2_leaf_reg, with the seed's fixed parameters."""
    parameters = TuningParameters()
    candidates = parameters.candidates()
    assert len(candidates) == 27
    assert candidates[0] == {"depth": 7, "rsm": 0.8, "l2_leaf_reg": 3}
    assert candidates[-1] == {"depth": 9, "rsm": 1.0, "l2_leaf_reg": 7}
    assert parameters.fixed() == {
        "loss_function": "MultiClassOneVsAll",
        "learning_rate": 0.3,
        "iterations": 2000,
        "early_stopping_rounds": 50,
        "random_seed": 42,
        "thread_count": -1,
    }


@pytest.mark.parametrize(
    "wrong",
    [{"depth": [17]}, {"depth": []}, {"rsm": [0.5, 0.5]}, {"rsm": [1.5]}, {"learning_rate": 0},
     {"loss_function": "RMSE"}, {"l2_leaf_reg": [-1.0]}, {"iterations": 0}],
)  # fmt: skip
def test_values_outside_their_limits_are_refused(wrong: dict[str, Any]) -> None:
    """Each parameter has limits."""
    with pytest.raises(ValidationError):
        TuningParameters(**wrong)


def test_metrics_are_of_the_model_that_is_kept(splits: dict[str, pd.DataFrame]) -> None:
    """Measured again on the kept model by scikit-learn's own functions, they agree."""
    trials, _ = _tune(splits)
    best = best_of(trials)
    assert best is not None
    val, model = splits["val"], best.model
    assert model is not None
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


def test_two_searches_agree(splits: dict[str, pd.DataFrame]) -> None:
    """The seed makes a search repeatable."""
    first, second = (_tune(splits)[0] for _ in range(2))
    assert [t.metrics for t in first] == [t.metrics for t in second]


def test_only_the_best_trial_keeps_its_model(splits: dict[str, pd.DataFrame]) -> None:
    """Memory does not grow with the number of candidates."""
    trials, memory = _tune(splits, l2_leaf_reg=[1.0, 3.0, 9.0])
    assert [trial for trial in trials if trial.model] == [best_of(trials)]
    assert memory.told == [
        (what, number) for number in range(3) for what in ("started", "completed")
    ]


def test_a_candidate_that_fails_does_not_stop_the_others(
    splits: dict[str, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    """CatBoost refuses one candidate; it is recorded with its reason and the next is fitted."""
    refused = {"depth": 3, "rsm": 1.0, "l2_leaf_reg": -3.0}
    fitted = {"depth": 3, "rsm": 1.0, "l2_leaf_reg": 3.0}
    monkeypatch.setattr(TuningParameters, "candidates", lambda self: [refused, fitted])
    trials, memory = _tune(splits)
    assert [trial.state for trial in trials] == ["failed", "completed"]
    assert "l2_leaf_reg" in (trials[0].error or "") or "L2" in (trials[0].error or "")
    assert ("failed", 0) in memory.told
    assert best_of(trials) is trials[1]


def test_all_candidates_failing_gives_the_first_cause(
    splits: dict[str, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run fails, and says why."""
    refused = {"depth": 3, "rsm": 1.0, "l2_leaf_reg": -3.0}
    monkeypatch.setattr(TuningParameters, "candidates", lambda self: [refused, refused])
    with pytest.raises(CreditCtError, match=r"All 2 candidates failed. The first, .*-3\.0"):
        _tune(splits)


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
    trials = [
        Trial(number, {}, metrics={"accuracy": accuracy, "log_loss": loss})
        for number, (accuracy, loss) in enumerate(metrics)
    ]
    assert best_of(trials[::-1]) is trials[best]
    assert best_of([]) is None


def test_probabilities_sum_to_one_and_lead_to_the_prediction(
    splits: dict[str, pd.DataFrame],
) -> None:
    """One-vs-all scores are normalised; the highest one is the prediction."""
    trials, _ = _tune(splits)
    model = _model_of(trials)
    probabilities = predict_proba(model, splits["holdout"])
    assert probabilities.sum(axis=1) == pytest.approx(1)
    highest = model.classes_[probabilities.argmax(axis=1)]
    assert (highest == predict(model, splits["holdout"])).all()


def test_a_class_that_train_never_had_is_measured_as_missed(
    splits: dict[str, pd.DataFrame],
) -> None:
    """Rows of an unknown class count as wrong, and do not break the measures."""
    two = splits["train"][splits["train"][schema.TARGET] != "Good"]
    memory = _Memory()
    known = splits["val"][splits["val"][schema.TARGET] != "Good"]
    trials = tune(two, known, _search(), memory, lambda done, total: None)
    model = _model_of(trials)
    measured = evaluate(model, splits["holdout"])
    assert measured["f1_good"] == 0
    assert measured["log_loss"] > 1
    counts = confusion(model, splits["holdout"])
    assert counts.sum() == len(splits["holdout"])
    assert counts[:, 2].sum() == 0


def test_importances_cover_every_feature(splits: dict[str, pd.DataFrame]) -> None:
    """One value per feature, in percent, highest first."""
    trials, _ = _tune(splits)
    importances = feature_importances(_model_of(trials))
    assert set(importances) == set(schema.FEATURES)
    assert sum(importances.values()) == pytest.approx(100)
    assert list(importances.values()) == sorted(importances.values(), reverse=True)

"""The class of an answer is chosen for the declared utility, on rows that nothing was fitted to."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedGroupKFold

from credit_ct_dagster.contracts.utility import DEFAULT_COSTS, Metric, RuleData, Utility
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.answers.calibration import (
    FOLDS,
    Calibration,
    aligned,
    calibrate,
    fitted,
)
from credit_ct_dagster.modeling.answers.class_weights import (
    EVEN,
    START,
    TUNED,
    choose_rule,
    start_weights,
    tuned_weights,
)
from credit_ct_dagster.modeling.search.training import TrainingData, fit
from credit_ct_dagster.scorer.class_rule import EXPECTED_UTILITY, HIGHEST_SCORE

_TREES = {"depth": 4, "iterations": 60, "learning_rate": 0.5, "random_seed": 0,
          "loss_function": "MultiClassOneVsAll", "use_best_model": False}  # fmt: skip
_LABELS = {"Poor": 25, "Standard": 100, "Good": 4}


@pytest.fixture(scope="module", params=["sigmoid", "isotonic", "none"])
def calibration(
    request: pytest.FixtureRequest, data: TrainingData, splits: dict[str, pd.DataFrame]
) -> Calibration:
    """A model that was calibrated by each of the methods, as if it had been the best one."""
    model = fit(data, _TREES, 200, thread_count=1)
    losses = {"none": 1.0, "sigmoid": 0.9, "isotonic": 0.8}
    return Calibration(fitted(model, request.param, splits["val"]), request.param, losses)


def _labels(splits: Mapping[str, pd.DataFrame]) -> dict[str, int]:
    return dict(splits["train"][schema.TARGET].value_counts())


def _weights(rule: RuleData) -> np.ndarray:
    gains = np.array(rule.gains)
    assert (gains == np.diag(np.diag(gains))).all()
    return np.diag(gains)


def test_weights_start_at_one_over_the_root_of_the_share() -> None:
    """Worked out by hand; a class without a row weighs as one with a single row."""
    assert start_weights(_LABELS).tolist() == [2.0, 1.0, 5.0]
    assert start_weights({"Standard": 49}).tolist() == [7.0, 1.0, 7.0]


def test_weights_that_separate_the_classes_are_found() -> None:
    """A rare class that is never the likeliest one is told apart by its weight alone."""
    truth = np.array([0] * 10 + [1] * 10 + [2] * 3)
    probabilities = np.array(
        [[0.7, 0.2, 0.1]] * 10 + [[0.2, 0.7, 0.1]] * 10 + [[0.3, 0.45, 0.25]] * 3
    )
    even = np.ones(3)
    assert f1_score(truth, probabilities.argmax(axis=1), average="macro") < 0.7
    weights = tuned_weights(probabilities, truth, even)
    assert ((probabilities * weights).argmax(axis=1) == truth).all()
    # As near to the start as that takes: 0.45 / 0.25 is 1.8, and the next step of a grid is 1.83.
    assert weights.tolist() == [1.0, 1.0, pytest.approx(2 ** (7 / 8))]


def test_tuned_weights_are_at_least_as_good_as_the_start() -> None:
    """On the rows that they were tuned on, whatever these are."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        truth, start = rng.integers(3, size=60), rng.uniform(0.5, 3, size=3)
        probabilities = rng.dirichlet([1, 1, 1], 60)

        def reached(
            weights: np.ndarray, truth: np.ndarray = truth, shares: np.ndarray = probabilities
        ) -> float:
            return float(f1_score(truth, (shares * weights).argmax(axis=1), average="macro"))

        assert reached(tuned_weights(probabilities, truth, start)) >= reached(start)


def test_accuracy_and_costs_need_no_choice(
    calibration: Calibration, splits: dict[str, pd.DataFrame]
) -> None:
    """The likeliest class; the class of the least expected cost; and the seed's highest score."""
    val = splits["val"]
    accuracy = choose_rule(calibration, val, _LABELS, Utility(metric=Metric.accuracy))
    assert accuracy.data.rule == EXPECTED_UTILITY
    assert _weights(accuracy.data).tolist() == [1.0, 1.0, 1.0]
    cost = choose_rule(calibration, val, _LABELS, Utility(metric=Metric.expected_cost))
    assert (np.array(cost.data.gains) == -np.array(DEFAULT_COSTS)).all()
    highest = choose_rule(calibration, val, _LABELS, None)
    assert highest.data == RuleData(rule=HIGHEST_SCORE)
    for rule in (accuracy, cost, highest):
        assert (rule.weights, rule.macro_f1) == ("", {})


def test_the_scores_are_those_of_rows_that_nothing_was_fitted_to(
    calibration: Calibration, splits: dict[str, pd.DataFrame]
) -> None:
    """Computed again with scikit-learn's calibrations of the model itself, fold by fold."""
    val, labels = splits["val"].reset_index(drop=True), _labels(splits)
    rule = choose_rule(calibration, val, labels, Utility())
    assert set(rule.macro_f1) == {HIGHEST_SCORE, EVEN, START, TUNED}
    model, truth = calibration.model.model, val[schema.TARGET].to_numpy(dtype=str)
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    predicted = {EVEN: truth.copy(), START: truth.copy()}
    for fit_rows, test in folds.split(val, val[schema.TARGET], val[schema.CUSTOMER]):
        of_fold = fitted(model, calibration.method, val.iloc[fit_rows])
        shares = aligned(of_fold.predict_proba(val.iloc[test]), of_fold.classes)
        for name, weights in ((EVEN, np.ones(3)), (START, start_weights(labels))):
            predicted[name][test] = np.array(schema.CLASSES)[(shares * weights).argmax(axis=1)]
    predicted[HIGHEST_SCORE] = calibration.model.predict(val)
    for name, classes in predicted.items():
        assert rule.macro_f1[name] == pytest.approx(f1_score(truth, classes, average="macro"))
    assert rule.macro_f1[rule.weights] >= rule.macro_f1[START]
    if rule.weights != TUNED:
        known = {EVEN: np.ones(3), START: start_weights(labels)}
        assert (_weights(rule.data) == known[rule.weights]).all()


class _Told:
    """A model whose scores are columns of the rows."""

    classes = sorted(schema.CLASSES)

    def scores(self, rows: pd.DataFrame) -> np.ndarray:
        return rows[self.classes].to_numpy()


def _told(truth: np.ndarray, shares: np.ndarray) -> tuple[Calibration, pd.DataFrame]:
    """A model without calibration, and rows of as many customers."""
    rows = pd.DataFrame(shares, columns=schema.CLASSES)
    rows[schema.TARGET] = np.array(schema.CLASSES)[truth]
    rows[schema.CUSTOMER] = [str(number) for number in range(len(rows))]
    return Calibration(_Told(), "none", {"none": 1.0}), rows  # type: ignore[arg-type]


def test_the_start_is_left_for_what_is_better_beyond_doubt() -> None:
    """Weights that tell a class apart are taken; luck on a few hundred rows is not."""
    rng = np.random.default_rng(0)
    truth = np.repeat([0, 1, 2], 60)
    clear = np.array([[0.7, 0.2, 0.1], [0.2, 0.7, 0.1], [0.3, 0.45, 0.25]])[truth]
    even_labels = {"Poor": 1, "Standard": 1, "Good": 1}
    rule = choose_rule(*_told(truth, clear), even_labels, Utility())
    assert rule.weights == TUNED
    assert rule.macro_f1[TUNED] == 1.0
    assert rule.macro_f1[START] == rule.macro_f1[EVEN] == rule.macro_f1[HIGHEST_SCORE] < 0.7
    assert ((clear * _weights(rule.data)).argmax(axis=1) == truth).all()
    # A start that is far off is left for even weights, which need no tuning.
    plain = np.array([[0.6, 0.3, 0.1], [0.3, 0.6, 0.1], [0.1, 0.3, 0.6]])[truth]
    labels = {"Poor": 100, "Standard": 1, "Good": 100}
    assert choose_rule(*_told(truth, plain), labels, Utility()).weights in (EVEN, TUNED)
    chosen = [
        choose_rule(
            *_told(rng.permutation(truth), rng.dirichlet([1, 1, 1], len(truth))),
            even_labels, Utility(),
        ).weights
        for _ in range(5)
    ]  # fmt: skip
    assert chosen == [START] * 5


def test_the_score_of_tuned_weights_is_not_optimistic(
    calibration: Calibration, splits: dict[str, pd.DataFrame]
) -> None:
    """Where labels are noise, weights fit the rows they were tuned on, and no other ones."""
    labels, val = _labels(splits), splits["val"].reset_index(drop=True)
    held_out, own = [], []
    for seed in range(4):  # of a single draw, luck may say the opposite
        rng = np.random.default_rng(seed)
        rows = val.assign(credit_score=rng.permutation(val[schema.TARGET]))
        rule = choose_rule(calibration, rows, labels, Utility())
        held_out.append(rule.macro_f1[TUNED])
        shares = aligned(calibration.model.predict_proba(rows), calibration.model.classes)
        truth = rows[schema.TARGET].map(schema.CLASSES.index).to_numpy()
        weights = tuned_weights(shares, truth, start_weights(labels))
        own.append(f1_score(truth, (shares * weights).argmax(axis=1), average="macro"))
    assert np.mean(held_out) < np.mean(own)


def test_too_few_customers_choose_nothing(
    data: TrainingData, splits: dict[str, pd.DataFrame]
) -> None:
    """Then the start is taken: it rests on all training rows."""
    few = splits["val"].groupby(schema.TARGET).head(5)
    few_of_model = calibrate(fit(data, _TREES, 200, thread_count=1), few)
    rule = choose_rule(few_of_model, few, _LABELS, Utility())
    assert (rule.weights, rule.macro_f1) == (START, {})
    assert _weights(rule.data).tolist() == [2.0, 1.0, 5.0]

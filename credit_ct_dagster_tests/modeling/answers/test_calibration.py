"""Probabilities sum to one and are calibrated."""

import numpy as np
import pandas as pd
import pytest
from catboost import CatBoostClassifier
from sklearn.metrics import log_loss

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.answers.calibration import (
    METHODS,
    UNCALIBRATED,
    aligned,
    brier_score,
    calibrate,
    expected_calibration_error,
    probability_log_loss,
    reliability_curve,
)
from credit_ct_dagster.modeling.search.training import TrainingData, fit

_OVERFITTED = {"depth": 6, "iterations": 300, "learning_rate": 0.9, "random_seed": 0,
               "loss_function": "MultiClassOneVsAll", "use_best_model": False}  # fmt: skip


@pytest.fixture(scope="module")
def model(data: TrainingData) -> CatBoostClassifier:
    """An overfitted, hence overconfident model."""
    return fit(data, _OVERFITTED, 200, thread_count=1)


def test_calibration_corrects_an_overconfident_model(
    model: CatBoostClassifier, splits: dict[str, pd.DataFrame]
) -> None:
    """On the holdout, which the calibration has not seen; classes and raw scores stay."""
    calibration = calibrate(model, splits["val"])
    assert calibration.method != UNCALIBRATED
    assert set(calibration.log_losses) == set(METHODS)
    assert calibration.method == min(METHODS, key=lambda name: calibration.log_losses[name])
    holdout, truth = splits["holdout"], splits["holdout"][schema.TARGET]
    calibrated = calibration.model
    np.testing.assert_array_equal(
        calibrated.predict(holdout), model.predict(holdout[schema.FEATURES]).ravel()
    )
    scores = calibrated.scores(holdout)
    np.testing.assert_array_equal(scores, model.predict_proba(holdout[schema.FEATURES]))
    raw = aligned(scores / scores.sum(axis=1, keepdims=True), calibrated.classes)
    corrected = aligned(calibrated.predict_proba(holdout), calibrated.classes)
    np.testing.assert_allclose(corrected.sum(axis=1), 1)
    assert probability_log_loss(truth, corrected) < probability_log_loss(truth, raw)
    assert brier_score(truth, corrected) < brier_score(truth, raw)
    assert expected_calibration_error(truth, corrected) < expected_calibration_error(truth, raw)


def test_too_few_rows_calibrate_nothing(
    model: CatBoostClassifier, splits: dict[str, pd.DataFrame]
) -> None:
    """The raw scores, divided by their sum, are better than a fit to a handful of rows."""
    few = splits["val"].groupby(schema.TARGET).head(5)
    calibration = calibrate(model, few)
    assert (calibration.method, calibration.log_losses) == (UNCALIBRATED, {})
    scores = calibration.model.scores(few)
    np.testing.assert_array_equal(
        calibration.model.predict_proba(few), scores / scores.sum(axis=1, keepdims=True)
    )


def test_scores_of_probabilities_that_are_known() -> None:
    """Worked out by hand, in the order of the classes."""
    truth = pd.Series(["Poor", "Good", "Standard", "Good"])
    sure = np.array([[1, 0, 0], [0, 0, 1], [0, 1, 0], [0, 0, 1]], dtype=float)
    assert brier_score(truth, sure) == expected_calibration_error(truth, sure) == 0
    assert probability_log_loss(truth, sure) == pytest.approx(0, abs=1e-12)
    wrong = sure[:, [1, 2, 0]]
    assert brier_score(truth, wrong) == 2
    assert expected_calibration_error(truth, wrong) == 1
    even = np.full((4, 3), 1 / 3)
    assert probability_log_loss(truth, even) == pytest.approx(np.log(3))
    assert expected_calibration_error(truth, even) == pytest.approx(abs(1 / 4 - 1 / 3))
    expected = log_loss(truth, even, labels=sorted(schema.CLASSES))
    assert probability_log_loss(truth, even) == pytest.approx(expected)


def test_a_reliable_model_lies_on_the_diagonal() -> None:
    """Labels that are drawn by the probabilities are observed as often as predicted."""
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet([1, 1, 1], 20_000)
    drawn = (probabilities.cumsum(axis=1) > rng.random((20_000, 1))).argmax(axis=1)
    curves = reliability_curve(pd.Series(np.array(schema.CLASSES)[drawn]), probabilities)
    for points in curves.values():
        for mean, observed in points:
            assert observed == pytest.approx(mean, abs=0.04)

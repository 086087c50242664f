"""Calibrations of scores that are known: a model predicts its rows once, not once per fold."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

Array = np.ndarray[Any, np.dtype[Any]]


def calibrated_probabilities(
    method: str | None, classes: Sequence[str], fit: Array, labels: Array, of: Array
) -> Array:
    """Calibrate some scores by others, as `calibration.fitted` does with the rows of both.

    Args:
        method: `sigmoid` or `isotonic`; None: scores are divided by their sum.
        classes: What the columns of the scores are.
        fit: Scores to fit the calibration to, shape (rows, classes).
        labels: The true classes of these, shape (rows,).
        of: Scores to calibrate, shape (other rows, classes).

    Returns:
        Probabilities of the same shape as `of`, each row summing to 1.
    """
    if method is None:
        return np.asarray(of / of.sum(axis=1, keepdims=True))
    # Two folds, the least allowed: known scores learn nothing in any of them.
    calibrated = CalibratedClassifierCV(FrozenEstimator(_KnownScores(classes)), method=method, cv=2)
    calibrated.fit(fit, labels)
    return np.asarray(calibrated.predict_proba(of))


class _KnownScores(ClassifierMixin, BaseEstimator):
    """A model whose rows are its scores."""

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = classes
        self.classes_ = np.array(classes)

    def predict_proba(self, rows: Array) -> Array:
        """The rows."""
        return rows

    # scikit-learn requires both of a model that it calibrates, and calls neither.

    def fit(self, rows: Array, labels: Array) -> Self:
        """Learn nothing."""
        return self

    def predict(self, rows: Array) -> "np.ndarray[Any, Any]":
        """The class of the highest score."""
        return self.classes_[rows.argmax(axis=1)]

"""From raw scores to probabilities, by a calibration that is data."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import expit

Array = np.ndarray[Any, np.dtype[np.float64]]


class Calibration:
    """A calibration per class, whose results are divided by their sum.

    The arithmetic is that of scikit-learn's `CalibratedClassifierCV`, in the same order: results
    are equal to the last bit.
    """

    def __init__(self, method: str, curves: Sequence[Mapping[str, Any]]) -> None:
        """Take what a calibration learned.

        Args:
            method: `none`, `sigmoid` or `isotonic`.
            curves: Per class of the model: `slope` and `intercept` of a sigmoid (Platt 1999), or
                `scores` and `probabilities` of an isotonic curve's corners; unused for `none`.
        """
        if method not in ("none", "sigmoid", "isotonic"):
            raise ValueError(f"calibration '{method}' is unknown to this release")
        self.method = method
        self._lines = [(each["slope"], each["intercept"]) for each in curves if "slope" in each]
        self._corners = [
            (np.array(each["scores"], dtype=float), np.array(each["probabilities"], dtype=float))
            for each in curves
            if "scores" in each
        ]

    def probabilities(self, scores: Array) -> Array:
        """Probabilities that sum to 1.

        Args:
            scores: One-vs-all scores in the model's order of classes, shape (rows, classes).
        """
        found = self._per_class(scores)
        # In this order, column by column: a single row adds up like one of a thousand.
        total = found[:, 0]
        for column in range(1, found.shape[1]):
            total = total + found[:, column]
        even = np.full_like(found, 1 / found.shape[1])
        result = np.divide(found, total[:, np.newaxis], out=even, where=total[:, np.newaxis] != 0)
        result[(result > 1.0) & (result <= 1.0 + 1e-5)] = 1.0
        return result

    def _per_class(self, scores: Array) -> Array:
        if self.method == "none":
            return scores
        found = np.empty_like(scores)
        if self.method == "sigmoid":
            for column, (slope, intercept) in enumerate(self._lines):
                found[:, column] = expit(-(slope * scores[:, column] + intercept))
        for column, (corners, values) in enumerate(self._corners):
            inside = np.clip(scores[:, column], corners[0], corners[-1])
            found[:, column] = np.interp(inside, corners, values)
        return found

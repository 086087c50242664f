"""From raw scores to probabilities, by a calibration that is data."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from scipy.special import expit

Array = np.ndarray[Any, np.dtype[np.float64]]


class Calibration:
    """A calibration per class, whose results are divided by their sum.

    Of two classes, one may be calibrated: the other one has the rest. The arithmetic is that of
    scikit-learn's `CalibratedClassifierCV`, in the same order: results are equal to the last bit.
    """

    def __init__(self, method: str, curves: Sequence[Mapping[str, Any]]) -> None:
        """Take what a calibration learned.

        Args:
            method: `none`, `sigmoid` or `isotonic`.
            curves: Per class of the model: `slope` and `intercept` of a sigmoid (Platt 1999), or
                `scores` and `probabilities` of an isotonic curve's corners; empty for the class
                that has the rest. Unused for `none`.
        """
        if method not in ("none", "sigmoid", "isotonic"):
            raise ValueError(f"calibration '{method}' is unknown to this release")
        self.method = method
        self._curves = {column: _curve(each) for column, each in enumerate(curves) if each}

    def probabilities(self, scores: Array) -> Array:
        """Probabilities that sum to 1.

        Args:
            scores: One-vs-all scores in the model's order of classes, shape (rows, classes).
        """
        if self.method == "none":
            found = _divided_by_sum(scores)
        else:
            found = np.empty_like(scores)
            for column, curve in self._curves.items():
                found[:, column] = curve(scores[:, column])
            if len(self._curves) == 1:
                [column] = self._curves
                found[:, 1 - column] = 1 - found[:, column]
            else:
                found = _divided_by_sum(found)
        found[(found > 1.0) & (found <= 1.0 + 1e-5)] = 1.0
        return found


def _divided_by_sum(values: Array) -> Array:
    # In this order, column by column: a single row adds up like one of a thousand.
    total = values[:, 0]
    for column in range(1, values.shape[1]):
        total = total + values[:, column]
    even = np.full_like(values, 1 / values.shape[1])
    return np.divide(values, total[:, np.newaxis], out=even, where=total[:, np.newaxis] != 0)


def _curve(data: Mapping[str, Any]) -> Callable[[Array], Array]:
    if "slope" in data:
        return partial(_sigmoid, slope=data["slope"], intercept=data["intercept"])
    corners, values = (np.array(data[name], dtype=float) for name in ("scores", "probabilities"))
    return partial(_isotonic, corners=corners, values=values)


def _sigmoid(scores: Array, slope: float, intercept: float) -> Array:
    return np.asarray(expit(-(slope * scores + intercept)))


def _isotonic(scores: Array, corners: Array, values: Array) -> Array:
    return np.interp(np.clip(scores, corners[0], corners[-1]), corners, values)

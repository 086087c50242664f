"""Which class an answer gives: the one rule that the gate judges and the service answers by."""

from collections.abc import Sequence
from typing import Any

import numpy as np

HIGHEST_SCORE = "highest_score"
EXPECTED_UTILITY = "expected_utility"
RULES = [HIGHEST_SCORE, EXPECTED_UTILITY]

Array = np.ndarray[Any, np.dtype[np.float64]]


class ClassRule:
    """How the class follows from scores and probabilities."""

    def __init__(self, rule: str, gains: Sequence[Sequence[float]] = ()) -> None:
        """Take a rule as it is stored.

        Args:
            rule: One of `RULES`. The highest raw score is what CatBoost itself decides by. The
                highest expected utility is decided from calibrated probabilities (Elkan 2001, "The
                Foundations of Cost-Sensitive Learning", equation 1).
            gains: For the latter: what it is worth to predict a column's class where a row's is
                true, classes from worst to best; only ratios matter.

        Raises:
            ValueError: A later release made the rule.
        """
        if rule not in RULES:
            raise ValueError(f"class rule '{rule}' is unknown to this release")
        self.rule = rule
        self._gains = [[float(gain) for gain in row] for row in gains]

    def numbers(self, scores: Array, probabilities: Array) -> "np.ndarray[Any, np.dtype[np.int64]]":
        """The class per row.

        Args:
            scores: Raw one-vs-all scores, shape (rows, classes).
            probabilities: Calibrated, of the same shape.

        Returns:
            Column numbers, shape (rows,); of equal values the first.
        """
        if self.rule == HIGHEST_SCORE:
            return scores.argmax(axis=1)
        return self._utilities(probabilities).argmax(axis=1)

    def _utilities(self, probabilities: Array) -> Array:
        """Expected utility of each class, added up class by class.

        In this order a single row gives the same sums as one of a thousand; a matrix product of
        NumPy's does not.
        """
        found = np.zeros_like(probabilities)
        for true, gains in enumerate(self._gains):
            for predicted, gain in enumerate(gains):
                if gain:
                    found[:, predicted] += gain * probabilities[:, true]
        return found

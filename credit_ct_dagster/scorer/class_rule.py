"""Which class an answer gives: the one rule that the gate judges and the service answers by."""

from typing import Any

import numpy as np

HIGHEST_SCORE = "highest_score"
RULES = [HIGHEST_SCORE]


def class_numbers(
    rule: str,
    scores: "np.ndarray[Any, np.dtype[np.float64]]",
    probabilities: "np.ndarray[Any, np.dtype[np.float64]]",
) -> "np.ndarray[Any, np.dtype[np.int64]]":
    """The class per row.

    Args:
        rule: One of `RULES`. The highest raw score is what CatBoost itself decides by; after
            calibration it is not always the most probable class.
        scores: Raw one-vs-all scores, shape (rows, classes).
        probabilities: Calibrated, of the same shape.

    Returns:
        Column numbers, shape (rows,); of equal values the first.

    Raises:
        ValueError: A later release made the rule.
    """
    if rule != HIGHEST_SCORE:
        raise ValueError(f"class rule '{rule}' is unknown to this release")
    return scores.argmax(axis=1)

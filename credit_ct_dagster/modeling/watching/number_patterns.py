"""Numbers as served and as stored: which disagree, and in what way."""

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from credit_ct_dagster.contracts.serving_skew import Pattern
from credit_ct_dagster.modeling.watching.constants import are_same, constants_of
from credit_ct_dagster.modeling.watching.patterns import (
    NAMES_OF_MISSING,
    Cells,
    Difference,
    Group,
    cells_of,
    groups_of,
)

_ROUNDED_TO = 1e-2
"""A number that is rounded is the same, if the last digit is worth at most this share of the
distance of the quartiles, by which models scale it: an amount of money without its pence."""
_STEPS = 12
_LEAST_FILLED = 5
_NEARLY_ALL = 0.9
_IS_MULTIPLE = 1e-6
_NUMBER = re.compile(r"[+-]?(\d[\d,_ ]*(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_BESIDE = "$€£¥₩% "
"""What people write beside a number."""


def number_difference(
    served: pd.Series, stored: pd.Series, others: Mapping[str, np.ndarray]
) -> Difference:
    """Compare the numbers of a feature.

    Args:
        served: As JSON had them: numbers, texts, None, or anything else.
        stored: As the pipeline reads them: float64, NaN where missing.
        others: The other numbers of the stored rows, by feature, each of the same length: what
            another feature holds may have been served for this one.
    """
    cells = cells_of(served)
    theirs = np.full(len(served), np.nan)
    theirs[cells.is_number] = cells.values[cells.is_number].astype(np.float64)
    ours = stored.to_numpy(dtype=np.float64)
    is_absent = np.isnan(ours)
    both = cells.is_number & ~is_absent
    same = both & are_same(theirs, ours)
    rounded = both & ~same
    rounded[rounded] = _are_rounded(theirs[rounded], ours[rounded], _quartile_distance(ours))
    texts, words = _kinds_of_texts(cells)
    missing = cells.is_missing | words
    groups = [
        *groups_of(
            (Pattern.number_as_text, texts),
            (Pattern.other_type, cells.is_other | (cells.is_text & ~texts & ~words)),
            (Pattern.missing_as_word, words & is_absent),
            (Pattern.missing_when_served, missing & ~is_absent),
        ),
        *_filled(theirs, cells.is_number & is_absent),
        *_constants(theirs, ours, np.flatnonzero(both & ~same & ~rounded), others),
    ]
    # A number that single precision made of another one is as good as rounded.
    return Difference(groups, int(rounded.sum() + (same & (theirs != ours)).sum()))


def _are_rounded(theirs: np.ndarray, ours: np.ndarray, distance: float) -> np.ndarray:
    """Whether served numbers are the stored ones, rounded up or down to a digit that is fine.

    Args:
        theirs: Served, finite or not, shape (values,).
        ours: Stored.
        distance: Between the quartiles of the feature; 0 where nothing counts as rounded.
    """
    found = np.zeros(len(theirs), dtype=bool)
    if not (distance > 0 and np.isfinite(distance) and len(theirs)):
        return found
    largest = int(np.floor(np.log10(_ROUNDED_TO * distance)))
    with np.errstate(invalid="ignore", over="ignore"):
        difference = np.abs(theirs - ours)
        for exponent in range(largest, largest - _STEPS, -1):
            step = 10.0**exponent
            multiple = theirs / step
            off = np.abs(multiple - np.rint(multiple))
            is_multiple = off <= _IS_MULTIPLE + 1e-9 * np.abs(multiple)
            found |= is_multiple & (difference < step * (1 - _IS_MULTIPLE))
    return found


def _quartile_distance(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(np.subtract(*np.quantile(finite, [0.75, 0.25]))) if len(finite) else 0.0


def _kinds_of_texts(cells: Cells) -> tuple[np.ndarray, np.ndarray]:
    """Which of the texts are numbers, and which are words for a missing value."""
    numbers, words = np.zeros_like(cells.is_text), np.zeros_like(cells.is_text)
    if cells.is_text.any():
        codes, texts = pd.factorize(cells.values[cells.is_text])
        plain = [str(text).strip(_BESIDE) for text in texts]
        numbers[cells.is_text] = np.array([bool(_NUMBER.fullmatch(text)) for text in plain])[codes]
        is_word = np.array([str(text).casefold() in NAMES_OF_MISSING for text in texts])
        words[cells.is_text] = is_word[codes]
    return numbers, words


def _filled(theirs: np.ndarray, mask: np.ndarray) -> list[Group]:
    """Values that the store does not have; one and the same of them is a default of the caller."""
    rows = np.flatnonzero(mask)
    if not len(rows):
        return []
    _, counts = np.unique(theirs[rows], return_counts=True)
    is_default = counts.max() >= _LEAST_FILLED and counts.max() >= _NEARLY_ALL * len(rows)
    return [Group(Pattern.one_value if is_default else Pattern.missing_in_store, rows)]


def _constants(
    theirs: np.ndarray, ours: np.ndarray, rows: np.ndarray, others: Mapping[str, np.ndarray]
) -> list[Group]:
    """Groups of the numbers that disagree, each with what explains it; the rest is `other`."""
    if not len(rows):
        return []
    of_rows = {name: values[rows] for name, values in others.items()}
    found = constants_of(theirs[rows], ours[rows], of_rows)
    return [Group(each.kind, rows[each.rows], each.detail, each.factor) for each in found]

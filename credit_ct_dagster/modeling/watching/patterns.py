"""Values of one feature as served and as stored: which disagree, and in what way."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from credit_ct_dagster.contracts.serving_skew import Pattern
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.column import WORDS_FOR_MISSING

NAMES_OF_MISSING = frozenset(
    {*(word.casefold() for word in WORDS_FOR_MISSING), schema.MISSING_WORD, "n/a", "na"}
)
"""How programs write a missing value, in lower case: what they serve in its place."""


@dataclass(frozen=True)
class Group:
    """Disagreeing values of one pattern.

    Attributes:
        kind: In what way they disagree.
        rows: Their places, in ascending order, shape (values,).
        detail: As `PatternFound.detail`.
        factor: As `PatternFound.factor`.
    """

    kind: Pattern
    rows: np.ndarray
    detail: str = ""
    factor: float | None = None


@dataclass(frozen=True)
class Difference:
    """How the values of one feature compare; each disagreeing value is in exactly one group.

    Attributes:
        groups: Those that have values.
        rounded: How many values agree but for rounding or single precision.
    """

    groups: Sequence[Group]
    rounded: int = 0

    def rows_but(self, tolerated: set[Pattern]) -> np.ndarray:
        """The places of the disagreeing values, without those of some patterns."""
        counted = [each.rows for each in self.groups if each.kind not in tolerated]
        return np.concatenate(counted) if counted else np.zeros(0, dtype=np.int64)


def groups_of(*found: tuple[Pattern, np.ndarray]) -> Iterator[Group]:
    """Groups without detail, of those masks that have any value."""
    for kind, mask in found:
        if mask.any():
            yield Group(kind, np.flatnonzero(mask))


@dataclass(frozen=True)
class Cells:
    """Values of a feature as they came, by their types; shape (values,) each.

    Attributes:
        values: As they came, but for blanks around texts; None where `is_missing`.
        is_text: A text that is not blank.
        is_number: A number; not NaN.
        is_other: Anything else that is there, such as a list, or true.
    """

    values: np.ndarray
    is_text: np.ndarray
    is_number: np.ndarray
    is_other: np.ndarray

    @property
    def is_missing(self) -> np.ndarray:
        """Nothing, NaN, or a blank text."""
        return ~(self.is_text | self.is_number | self.is_other)


def cells_of(values: pd.Series) -> Cells:
    """The values of a column, which may be of several types.

    The usual columns hold one type, which pandas finds out at once: only others are looked at value
    by value.
    """
    from pandas.api.types import infer_dtype

    none = np.zeros(len(values), dtype=bool)
    kind = infer_dtype(values, skipna=True)
    if kind in ("floating", "integer", "mixed-integer-float", "decimal"):
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
        return Cells(numbers, none, ~np.isnan(numbers), none)
    objects = values.astype(object).to_numpy()
    if kind == "empty":
        return Cells(np.full(len(values), None, dtype=object), none, none, none)
    if kind == "string":
        stripped = stripped_texts(values)
        return Cells(stripped, ~pd.isna(stripped), none, none)
    plain = np.array([_plain(value) for value in objects], dtype=object)
    is_text = np.array([isinstance(value, str) for value in plain], dtype=bool)
    is_number = np.array([isinstance(value, float) for value in plain], dtype=bool)
    is_missing = np.array([value is None for value in plain], dtype=bool)
    return Cells(plain, is_text, is_number, ~(is_text | is_number | is_missing))


def stripped_texts(values: pd.Series) -> np.ndarray:
    """Texts without blanks around them, None where nothing is left; each is looked at once."""
    codes, texts = pd.factorize(values)
    # The last one is that of a missing value, whose code is -1.
    stripped = np.array([*(text.strip() or None for text in texts), None], dtype=object)
    return stripped[codes]


def _plain(value: object) -> object:
    """A text without blanks around it, a number as a float, None for nothing; others as they are.

    A list or a mapping becomes its type, because its values are not looked at.
    """
    if isinstance(value, str):
        return value.strip() or None
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, bool | np.bool_):
        return bool
    try:
        number = float(value)  # type: ignore[arg-type]  # a Decimal, a number of NumPy
    except (TypeError, ValueError, OverflowError):
        return type(value)
    return None if number != number else number

"""Raw values as the model takes them: checked, scaled, and with a word for what is missing."""

from collections.abc import Mapping
from decimal import Decimal
from math import inf, nan
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


class UnusableValuesError(ValueError):
    """Rows that the model cannot score; the sentence names columns and never quotes a value."""


class Columns:
    """The raw columns of a model, and how each is prepared."""

    def __init__(
        self,
        names: list[str],
        scales: Mapping[str, Mapping[str, float | None]],
        missing_word: str,
    ) -> None:
        """Take what the scalers learned.

        Args:
            names: In the order of the model; all that have no scale hold words.
            scales: `center` and `scale` of each number; x becomes (x - center) / scale, which is
                what scikit-learn's RobustScaler computes. None: no training row had a value.
            missing_word: Replaces a word that is absent or blank.
        """
        self.names = names
        self._scales = {
            name: (_or_nan(learned["center"]), _or_nan(learned["scale"]))
            for name, learned in scales.items()
        }
        self._missing_word = missing_word

    def of_row(self, row: Mapping[str, Any]) -> list[float | str]:
        """One prepared row, in the order of the model.

        Raises:
            UnusableValuesError: A column is absent, or holds a value of another kind.
        """
        try:
            return [self._value(name, row[name]) for name in self.names]
        except KeyError:
            raise _absent([name for name in self.names if name not in row]) from None

    def of_frame(self, rows: "pd.DataFrame") -> "pd.DataFrame":
        """Prepared rows, with the columns of the model only.

        Raises:
            UnusableValuesError: A column is absent, or holds a value of another kind.
        """
        import pandas as pd

        absent = [name for name in self.names if name not in rows]
        if absent:
            raise _absent(absent)
        twice = [name for name in self.names if isinstance(rows[name], pd.DataFrame)]
        if twice:
            raise UnusableValuesError(f"there are several columns {', '.join(twice)}")
        return pd.DataFrame(
            {
                name: self._numbers(name, rows[name])
                if name in self._scales
                else self._words(name, rows[name])
                for name in self.names
            },
            index=rows.index,
        )

    def raw(self, row: Mapping[str, Any]) -> dict[str, float | str | None]:
        """The values of a row before they are scaled, each as a number, a word, or None.

        Raises:
            UnusableValuesError: As `of_row`.
        """
        found: dict[str, float | str | None] = {}
        for name in self.names:
            value = row[name]
            if name in self._scales:
                number = _number(name, value)
                found[name] = None if number != number else number
            else:
                found[name] = _word(name, value)
        return found

    def _value(self, name: str, value: Any) -> float | str:
        if name in self._scales:
            center, scale = self._scales[name]
            return (_number(name, value) - center) / scale
        return _word(name, value) or self._missing_word

    def _numbers(self, name: str, values: "pd.Series") -> "np.ndarray[Any, Any]":
        if values.dtype.kind in "iuf":
            numbers = values.to_numpy(dtype=np.float64, na_value=nan)
            if np.isinf(numbers).any():
                raise _infinite(name)
        else:
            numbers = np.array([_number(name, value) for value in values], dtype=np.float64)
        center, scale = self._scales[name]
        return (numbers - center) / scale

    def _words(self, name: str, values: "pd.Series") -> "pd.Series":
        from pandas.api.types import infer_dtype

        if infer_dtype(values.astype(object), skipna=True) not in ("string", "empty"):
            raise _no_words(name)
        # Few words are different ones; each is looked at once.
        found = {value: _word(name, value) for value in values.dropna().unique()}
        words = values.astype(object).map(found)
        return words.where(words.notna(), self._missing_word)


def _number(name: str, value: Any) -> float:
    """A number as a float; NaN for a missing one."""
    if type(value) is not float:
        if _is_missing(value):
            return nan
        if isinstance(value, bool | np.bool_) or not isinstance(value, Real | Decimal):
            raise UnusableValuesError(f"{name} holds something else than numbers")
        try:
            value = float(value)
        except OverflowError:
            raise _infinite(name) from None
    if value in (inf, -inf):
        raise _infinite(name)
    return value


def _word(name: str, value: Any) -> str | None:
    """A word without blanks around it; None for one that is missing or blank."""
    if isinstance(value, str):
        return value.strip() or None
    if _is_missing(value):
        return None
    raise _no_words(name)


def _is_missing(value: Any) -> bool:
    # NaN, pandas' NaT and NA: the last has no truth value.
    return value is None or type(value).__name__ == "NAType" or bool(value != value)


def _or_nan(value: float | None) -> float:
    return nan if value is None else value


def _absent(names: list[str]) -> UnusableValuesError:
    return UnusableValuesError(f"there is no column {', '.join(names)}")


def _no_words(name: str) -> UnusableValuesError:
    return UnusableValuesError(f"{name} holds something else than words")


def _infinite(name: str) -> UnusableValuesError:
    return UnusableValuesError(f"{name} holds a number that is not finite")

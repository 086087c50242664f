"""Groups of customers in which a model is measured separately."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.rows.missing import with_blanks_missing

FAVOURABLE = "Good"
_BANDS = [0, 25, 35, 45, 55, np.inf]
_BAND_NAMES = ["0 to 24", "25 to 34", "35 to 44", "45 to 54", "55 and over"]
_UNKNOWN = "unknown"
_QUARTERS = [0.25, 0.5, 0.75]

SliceOf = Callable[[pd.DataFrame], pd.Series]
"""The group of each raw row, as text."""


def age_band(rows: pd.DataFrame) -> pd.Series:
    """The age band per raw row, as text."""
    bands = pd.cut(rows["age"], _BANDS, right=False, labels=_BAND_NAMES)
    return bands.astype(object).where(bands.notna(), _UNKNOWN).rename("age band")


def occupation(rows: pd.DataFrame) -> pd.Series:
    """The occupation per raw row, as text."""
    return _word("occupation")(rows)


SLICES: dict[str, SliceOf] = {
    "age band": age_band,
    "occupation": occupation,
}
"""The groups that every model is measured in, whether or not it is trained on the feature."""
_ALREADY = {"age", "occupation"}


def slices_by(protected: Sequence[str]) -> dict[str, SliceOf]:
    """The groups of `SLICES`, and those by the features that the bank marks as protected.

    Customers are grouped by a word as it is, and by a number in quarters of the rows. A text that
    lists things has no groups: see `not_grouped`.

    Args:
        protected: Names of features.
    """
    others = [name for name in protected if name not in {*_ALREADY, *not_grouped(protected)}]
    return SLICES | {
        name.replace("_", " "): _quarter(name) if name in schema.NUMERIC else _word(name)
        for name in others
    }


def not_grouped(protected: Sequence[str]) -> list[str]:
    """Those of some features that list things, so that nearly every row has a list of its own."""
    return [name for name in protected if schema.COLUMNS[name].separator is not None]


def _word(name: str) -> SliceOf:
    def groups(rows: pd.DataFrame) -> pd.Series:
        words = with_blanks_missing(rows[[name]])[name]
        return words.astype(object).where(words.notna(), _UNKNOWN)

    return groups


def _quarter(name: str) -> SliceOf:
    def groups(rows: pd.DataFrame) -> pd.Series:
        values = rows[name].astype("float64")
        # Of a number with few values, quarters coincide.
        edges = np.unique(values.quantile(_QUARTERS).dropna())
        shown = _shown(edges)
        names = [
            f"{_from(shown, place)}{_to(shown, place)}".strip() for place in range(len(edges) + 1)
        ]
        place = np.searchsorted(edges, values, side="left")
        found = pd.Series(np.array(names, dtype=object)[place], index=rows.index, name=name)
        return found.where(values.notna(), _UNKNOWN)

    return groups


def _shown(edges: np.ndarray) -> list[str]:
    """Numbers with as few digits as tell them apart, six at least: 17 tell any two apart."""
    for digits in range(6, 17):
        shown = [f"{edge:.{digits}g}" for edge in edges]
        if len(set(shown)) == len(shown):
            return shown
    return [f"{edge:.17g}" for edge in edges]


def _from(edges: Sequence[str], place: int) -> str:
    return f"over {edges[place - 1]}" if place else ""


def _to(edges: Sequence[str], place: int) -> str:
    return f" up to {edges[place]}" if place < len(edges) else ""

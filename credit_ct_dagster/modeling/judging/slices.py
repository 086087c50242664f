"""Groups of customers in which a model is measured separately."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.rows.missing import with_blanks_missing

_UNKNOWN = "unknown"
_QUARTERS = [0.25, 0.5, 0.75]

SliceOf = Callable[[pd.DataFrame], pd.Series]
"""The group of each raw row, as text."""


def listed(names: Sequence[str]) -> str:
    """Names in a sentence: "a, b and c"."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def bands(column: schema.Column) -> SliceOf:
    """The bands of a number, which begin where its column says."""
    assert isinstance(column.groups, tuple)
    begins_at_0 = column.low is not None and column.low >= 0 and column.groups[0] > 0
    starts = [0.0 if begins_at_0 else -np.inf, *column.groups]
    names = [_band_name(*ends) for ends in pairwise([*starts, np.inf])]

    def groups(rows: pd.DataFrame) -> pd.Series:
        cut = pd.cut(rows[column.name], [*starts, np.inf], right=False, labels=names)
        found = cut.astype(object).where(cut.notna(), _UNKNOWN)
        return found.rename(column.group_kind)

    return groups


def _band_name(start: float, end: float) -> str:
    if end == np.inf:
        return f"{_exact(start)} and over"
    if start == -np.inf:
        return f"under {_exact(end)}"
    is_whole = float(start).is_integer() and float(end).is_integer()
    to = _exact(end - 1) if is_whole else f"under {_exact(end)}"
    return f"{_exact(start)} to {to}"


def _exact(number: float) -> str:
    """In as few digits as no other number has: bands need names that differ."""
    return repr(float(number)).removesuffix(".0")


def slices_by(protected: Sequence[str]) -> dict[str, SliceOf]:
    """The groups of `SLICES`, and those by the features that the bank marks as protected.

    Customers are grouped by a word as it is, and by a number in quarters of the rows. A text that
    lists things has no groups: see `not_grouped`.

    Args:
        protected: Names of features.
    """
    already = {*schema.GROUPED, *not_grouped(protected)}
    others = [name for name in protected if name not in already]
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


SLICES: dict[str, SliceOf] = {
    column.group_kind: bands(column) if isinstance(column.groups, tuple) else _word(column.name)
    for column in (schema.COLUMNS[name] for name in schema.GROUPED)
}
"""The groups that every model is measured in, whether or not it is trained on the feature."""

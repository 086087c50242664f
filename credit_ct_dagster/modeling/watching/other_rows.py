"""Other rows of a customer than the one that the store had: what was served may be one of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pandas as pd

from credit_ct_dagster.contracts.serving_skew import Pattern
from credit_ct_dagster.modeling.watching.patterns import Difference, Group

_LEAST_ROWS = 5
_MOST = 0.5
"""Share of the disagreeing values that an older row explains, before it is what was served: fewer
of a feature with few different values are equal by chance."""


@dataclass(frozen=True)
class OlderRows:
    """The rows before those of the store.

    Attributes:
        detail: How many rows before, for a person.
        exist: Which of the requests have one, shape (requests,).
        rows: Features by request; missing where there is no such row.
    """

    detail: str
    exist: np.ndarray
    rows: pd.DataFrame

    @classmethod
    def of(cls, served: pd.DataFrame, older: Sequence[pd.DataFrame]) -> list[Self]:
        """Align rows with the requests.

        Args:
            served: By request.
            older: The rows before, those before these, and so on, of those requests that have one.
        """
        return [
            cls(
                f"{back} row{'s' if back > 1 else ''} before",
                served.index.isin(rows.index),
                rows.reindex(served.index),
            )
            for back, rows in enumerate(older, start=1)
            if len(rows)
        ]

    def only(self, places: np.ndarray) -> Self:
        """Of some requests."""
        return replace(self, exist=self.exist[places], rows=self.rows.iloc[places])


def with_stale_values(
    difference: Difference,
    name: str,
    served: pd.Series,
    older: Sequence[OlderRows],
    compare: Callable[[pd.Series, pd.Series], Difference],
) -> Difference:
    """Set disagreeing values apart that are those of an older row: the feed lags behind.

    Args:
        difference: From the rows of the store.
        name: Of the feature.
        served: Its values as served.
        older: Aligned with them.
        compare: How served values of the feature differ from stored ones.
    """
    for each in older:
        rows = difference.rows_but({Pattern.stale})
        rows = np.sort(rows[each.exist[rows]])
        if len(rows) < _LEAST_ROWS:
            continue
        differs = compare(served.iloc[rows], each.rows[name].iloc[rows]).rows_but(set())
        stale = np.delete(rows, differs)
        if len(stale) < max(_LEAST_ROWS, _MOST * len(rows)):
            continue
        rest = (
            replace(group, rows=np.setdiff1d(group.rows, stale, assume_unique=True))
            for group in difference.groups
        )
        groups = [group for group in rest if len(group.rows)]
        found = Group(Pattern.stale, stale, each.detail)
        difference = replace(difference, groups=[*groups, found])
    return difference

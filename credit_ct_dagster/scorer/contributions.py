"""How much each feature moves the margin between two classes, from predictions alone.

CatBoost's own SHAP values are not used: in a model that has categories and texts, CatBoost 1.2.10
credits the effect of categories to texts (docs/decisions/0017-one-model.md).
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray[Any, np.dtype[np.float64]]
_STACKED_ROWS = 50_000
"""Mixtures that are predicted at once: a few dozen megabytes."""

Margins = Callable[[Any, int], Array]
"""From prepared rows and the number of a class: its margins over the next better one, (rows,)."""


class Contributions:
    """Shapley values of a customer's margin against that of a typical customer.

    A feature's contribution is by how much the margin changes when the typical value is replaced
    by the customer's, on average over orders in which the features are replaced one by one
    (baseline Shapley: Sundararajan and Najmi 2020, "The many Shapley values for model explanation";
    estimated along orders: Strumbelj and Kononenko 2014). Along any order the changes add up to the
    difference between the two margins, and so do their averages.
    """

    def __init__(self, margins: Margins, orders: Sequence[Sequence[int]]) -> None:
        """Take a model and the orders.

        Args:
            margins: Of the model.
            orders: Each has the place of every column once.
        """
        self._margins = margins
        self._orders = [list(order) for order in orders]

    def of_row(self, row: list[float | str], typical: list[float | str], number: int) -> Array:
        """The contributions in one row, shape (columns,), in log-odds.

        Args:
            row: A prepared row.
            typical: The prepared values that it is compared with.
            number: Of the class whose margin over the next better one is explained.
        """
        paths = [
            [place for place in order if not _same(row[place], typical[place])]
            for order in self._orders
        ]
        mixtures = [list(typical)]
        for path in paths:
            mixed = list(typical)
            for place in path:
                mixed[place] = row[place]
                mixtures.append(list(mixed))
        margins = self._margins(mixtures, number)
        found, at = np.zeros(len(row)), 1
        for path in paths:
            along = np.concatenate([margins[:1], margins[at : at + len(path)]])
            found[path] += np.diff(along)
            at += len(path)
        return found / len(self._orders)

    def of_rows(self, rows: "pd.DataFrame", typical: list[float | str], number: int) -> Array:
        """The same for many rows, shape (rows, columns); see `of_row`."""
        if rows.empty:
            return np.zeros(rows.shape)
        block = max(1, _STACKED_ROWS // rows.shape[1])
        blocks = [rows.iloc[at : at + block] for at in range(0, len(rows), block)]
        return np.concatenate([self._of_block(each, typical, number) for each in blocks])

    def _of_block(self, rows: "pd.DataFrame", typical: list[float | str], number: int) -> Array:
        """One prediction per order: of 300 rows, a quarter of the time of one per column."""
        import pandas as pd

        values = [rows.iloc[:, place].to_numpy() for place in range(rows.shape[1])]
        differs = [own != other for own, other in zip(values, typical, strict=True)]
        # The customer's value wherever it has been taken at a step, and else the typical one.
        typical_row = rows.iloc[:1].assign(**dict(zip(rows.columns, typical, strict=True)))
        margin_of_typical = self._margins(typical_row, number)[0]
        found = np.zeros(rows.shape)
        for order in self._orders:
            changed = [np.flatnonzero(differs[place]) for place in order]
            counts = [len(each) for each in changed]
            of_row, of_step = np.concatenate(changed), np.repeat(np.arange(len(order)), counts)
            taken_at = {place: step for step, place in enumerate(order)}
            mixtures = {
                name: np.where(of_step >= taken_at[place], values[place][of_row], typical[place])
                for place, name in enumerate(rows.columns)
            }
            margins = self._margins(pd.DataFrame(mixtures), number) if len(of_row) else of_row
            before, end = np.full(len(rows), margin_of_typical), 0
            for place, at in zip(order, changed, strict=True):
                begin, end = end, end + len(at)
                found[at, place] += margins[begin:end] - before[at]
                before[at] = margins[begin:end]
        return found / len(self._orders)


def _same(value: float | str, other: float | str) -> bool:
    """Whether replacing one by the other changes nothing; NaN is the same as NaN."""
    return value == other or (value != value and other != other)

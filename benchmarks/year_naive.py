"""The monitor that many teams start with: PSI > .2 of a day, and accuracy below last week's."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from benchmarks.year_alarms import Alarm
from benchmarks.year_world import Requests
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.shares import psi_of

PSI, ACCURACY = "PSI > .2", "accuracy < last week's"
MOST_PSI = 0.2
_BINS = 10
_WEEK = 7
_LISTS = [name for name in schema.TEXT if schema.COLUMNS[name].separator is not None]
"""Left out in its favour: hardly a list repeats, and each day would be another population."""


@dataclass
class NaiveMonitor:
    """Compares a day's features with the champion's training rows, and a week's labels.

    Attributes:
        alarms: What it has said so far.
    """

    reference: pd.DataFrame
    alarms: list[Alarm] = field(default_factory=list)

    def __post_init__(self) -> None:
        """No label has come."""
        self._right: dict[int, list[np.ndarray]] = {}
        self.compare_with(self.reference)

    def compare_with(self, reference: pd.DataFrame) -> None:
        """Compare with the training rows of another champion from now on."""
        self.reference = reference
        tenths = np.linspace(0, 1, _BINS + 1)[1:-1]
        self._edges = {name: np.unique(reference[name].quantile(tenths)) for name in schema.NUMERIC}
        self._counts = {
            name: self._binned(name, reference).value_counts()
            for name in schema.FEATURES
            if name not in _LISTS
        }

    def watch(self, number: int, asked: pd.DataFrame) -> None:
        """Look at the features of a day, and every seventh day at the labels of the last weeks."""
        far = {name: value for name in asked if (value := self._psi(name, asked)) > MOST_PSI}
        if far:
            worst = max(far, key=far.__getitem__)
            self.alarms.append(Alarm(number, PSI, f"{worst}: {far[worst]:.2f}"))
        if number % _WEEK:
            return
        before, now = (self._accuracy(number - weeks * _WEEK) for weeks in (1, 0))
        if before is not None and now is not None and now < before:
            self.alarms.append(Alarm(number, ACCURACY, f"{now:.3f} < {before:.3f}"))

    def answered(self, requests: Requests, classes: np.ndarray) -> None:
        """Remember whether the answers of a day are right, for the days their labels arrive on."""
        right = classes == requests.rows[schema.TARGET].to_numpy(dtype=str)
        for arrival in np.unique(requests.arrivals):
            self._right.setdefault(int(arrival), []).append(right[requests.arrivals == arrival])

    def _accuracy(self, number: int) -> float | None:
        """Of the labels that arrived in the week that ends with a day; None without any."""
        week = [
            each
            for day in range(number - _WEEK + 1, number + 1)
            for each in self._right.get(day, ())
        ]
        return float(np.concatenate(week).mean()) if week else None

    def _psi(self, name: str, asked: pd.DataFrame) -> float:
        if name in _LISTS:
            return 0.0
        both = [self._counts[name], self._binned(name, asked).value_counts()]
        return psi_of(pd.concat(both, axis=1).fillna(0).to_numpy().T)

    def _binned(self, name: str, rows: pd.DataFrame) -> pd.Series:
        values = rows[name]
        if name not in self._edges:
            return values.fillna("")
        places = pd.Series(np.searchsorted(self._edges[name], values))
        return places.mask(values.isna().to_numpy(), -1)

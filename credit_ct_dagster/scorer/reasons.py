"""Why a customer is not in the next better class: what moved the margin most."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]

MOST = 4
"""More than four reasons are "not likely to be helpful" (12 CFR 1002, Supplement I, 9(b)(2)-1)."""


@dataclass(frozen=True)
class Reason:
    """One feature, or one kind that a text lists, that moved a customer away from a better class.

    Attributes:
        feature: Its column.
        direction: `higher` or `lower` than the typical value, or count of the kind, of the next
            better class; `other` for a word, or for a number that equals the typical one;
            `missing`.
        contribution: By how much it raised the margin between the two classes, in log-odds.
        sentence: For the customer.
        protected: Whether the bank marks the feature as protected.
    """

    feature: str
    direction: str
    contribution: float
    sentence: str
    protected: bool

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON takes it."""
        # Measured: `dataclasses.asdict` copies deeply, for 40 % of the time of a batch.
        return dict(vars(self))


def protected_features(reasons: Iterable[Reason]) -> list[str]:
    """The features among reasons that a bank marks as protected: they raise a compliance flag."""
    return list(dict.fromkeys(reason.feature for reason in reasons if reason.protected))


class Reasons:
    """Picks the reasons of an answer."""

    def __init__(
        self,
        columns: Sequence[str],
        features: Sequence[str],
        typical: Sequence[Sequence[float | str | None]],
        sentences: Mapping[str, Mapping[str, str]],
        protected: Sequence[str],
    ) -> None:
        """Take what is known of the columns.

        Args:
            columns: Of the model, in its order.
            features: Of each column; those of one feature, the kinds of a text, are neighbours.
            typical: Per class, worst to best, the typical value of each column; None where none is.
            sentences: Per column and direction.
            protected: The features that a bank marks as such.
        """
        self._columns = columns
        self._features = features
        self._typical = typical
        self._sentences = sentences
        self._protected = frozenset(protected)
        starts = [place for place, name in enumerate(features) if features.index(name) == place]
        self._kinds = [
            (start, end)
            for start, end in itertools.pairwise([*starts, len(features)])
            if end > start + 1
        ]

    def of(
        self, values: Sequence[float | str | None], contributions: Array, number: int
    ) -> tuple[Reason, ...]:
        """The reasons of one answer, the strongest first.

        Args:
            values: Per column, the raw value or the count; None for missing ones.
            contributions: Of each column to the margin over the next better class.
            number: Of the class of the answer, 0 for the worst; the best one has no reasons.
        """
        contributions = self._of_missing_texts(values, contributions)
        strongest = np.argsort(-contributions, kind="stable")[:MOST]
        typical = self._typical[number + 1]
        return tuple(
            self._reason(place, values[place], typical[place], float(contributions[place]))
            for place in strongest
            if contributions[place] > 0
        )

    def _of_missing_texts(
        self, values: Sequence[float | str | None], contributions: Array
    ) -> Array:
        """That a text is missing is one reason, and not one per kind."""
        for start, end in self._kinds:
            if values[start] is None:
                contributions = contributions.copy()
                contributions[start] = contributions[start:end].sum()
                contributions[start + 1 : end] = 0
        return contributions

    def _reason(
        self,
        place: int,
        value: float | str | None,
        typical: float | str | None,
        contribution: float,
    ) -> Reason:
        direction = _direction(value, typical)
        feature = self._features[place]
        return Reason(
            feature,
            direction,
            contribution,
            self._sentences[self._columns[place]][direction],
            feature in self._protected,
        )


def _direction(value: float | str | None, typical: float | str | None) -> str:
    if value is None:
        return "missing"
    if isinstance(value, str) or not isinstance(typical, float | int) or value == typical:
        return "other"
    return "higher" if value > typical else "lower"

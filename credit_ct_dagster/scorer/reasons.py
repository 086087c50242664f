"""Why a customer is not in the next better class: what moved the margin most."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

MOST = 4
"""More than four reasons are "not likely to be helpful" (12 CFR 1002, Supplement I, 9(b)(2)-1)."""


@dataclass(frozen=True)
class Reason:
    """One feature that moved a customer away from the next better class.

    Attributes:
        feature: Its column.
        direction: `higher` or `lower` than the typical value of the next better class; `other`
            for a word, or for a number that equals the typical one; `missing`.
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
    return [reason.feature for reason in reasons if reason.protected]


class Reasons:
    """Picks the reasons of an answer."""

    def __init__(
        self,
        features: Sequence[str],
        classes: Sequence[str],
        typical: Mapping[str, Mapping[str, float | str | None]],
        sentences: Mapping[str, Mapping[str, str]],
        protected: Sequence[str],
    ) -> None:
        """Take what is known of the features.

        Args:
            features: In the order of the model.
            classes: Worst to best.
            typical: Per class, the typical value of each feature; None where none is.
            sentences: Per feature and direction.
            protected: The features that a bank marks as such.
        """
        self._features = features
        self._classes = classes
        self._typical = typical
        self._sentences = sentences
        self._protected = frozenset(protected)

    def of(
        self,
        row: Mapping[str, float | str | None],
        contributions: "np.ndarray[Any, np.dtype[np.float64]]",
        number: int,
    ) -> tuple[Reason, ...]:
        """The reasons of one answer, the strongest first.

        Args:
            row: The raw values, None for missing ones.
            contributions: Of each feature to the margin over the next better class.
            number: Of the class of the answer, 0 for the worst; the best one has no reasons.
        """
        strongest = np.argsort(-contributions, kind="stable")[:MOST]
        typical = self._typical[self._classes[number + 1]]
        return tuple(
            self._reason(self._features[place], row, typical, float(contributions[place]))
            for place in strongest
            if contributions[place] > 0
        )

    def _reason(
        self,
        feature: str,
        row: Mapping[str, float | str | None],
        typical: Mapping[str, float | str | None],
        contribution: float,
    ) -> Reason:
        direction = _direction(row[feature], typical.get(feature))
        return Reason(
            feature,
            direction,
            contribution,
            self._sentences[feature][direction],
            feature in self._protected,
        )


def _direction(value: float | str | None, typical: float | str | None) -> str:
    if value is None:
        return "missing"
    if isinstance(value, str) or not isinstance(typical, float | int) or value == typical:
        return "other"
    return "higher" if value > typical else "lower"

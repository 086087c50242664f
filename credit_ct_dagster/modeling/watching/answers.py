"""The answers of a prediction day as numbers, and their sums over customers that are drawn."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from credit_ct_dagster.contracts.decision import Estimate
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging import confusion
from credit_ct_dagster.modeling.watching.columns import (
    LABEL,
    LABEL_DATE,
    MODEL_TAG,
    PREDICTED,
    PROBABILITIES,
    SOURCE,
)
from credit_ct_dagster.modeling.watching.learned import is_evidence
from credit_ct_dagster.modeling.watching.performance_rules import AnswerRules

CONFIDENCE = 0.95
_NEEDED = [SOURCE, schema.CUSTOMER, LABEL, *schema.GROUPED]
"""To copy a million rows of more columns takes longer than to measure them."""
_MOST_DRAWN = 2_000
"""Things that a bootstrap draws. An interval of so many is as wide as it should be to about 2 %."""


@dataclass(frozen=True)
class Answers:
    """The answers of one model as numbers, each array of shape (answers,).

    Attributes:
        frame: What else is looked at: source, customer, label, and what groups are made by.
        customer: The number of each answer's customer, from 0 on; an answer without a customer has
            one of its own.
        predicted: The place of the predicted class in `schema.CLASSES`.
        true: The same of the label; -1 where it is not known, or does not count.
        learned: Whether the label does not count: the model may have learned from it.
        probabilities: Shape (answers, classes), in the order of `schema.CLASSES`.
    """

    frame: pd.DataFrame
    customer: np.ndarray
    predicted: np.ndarray
    true: np.ndarray
    learned: np.ndarray
    probabilities: np.ndarray

    @classmethod
    def of(cls, frame: pd.DataFrame, learned_until: str) -> Self:
        """Read answers.

        Args:
            frame: As they are read: see `resources.feature_store.served`.
            learned_until: Labels up to this day do not count: see `is_evidence`.
        """
        customer, known = pd.factorize(frame[schema.CUSTOMER])
        customer = customer.astype(np.int64)
        unknown = customer < 0
        customer[unknown] = len(known) + np.arange(unknown.sum())
        true = _places(frame[LABEL])
        learned = (true >= 0) & ~is_evidence(frame[LABEL_DATE], learned_until).to_numpy(dtype=bool)
        return cls(
            frame=frame[_NEEDED],
            customer=customer,
            predicted=_places(frame[PREDICTED]),
            true=np.where(learned, -1, true),
            learned=learned,
            probabilities=frame[PROBABILITIES].to_numpy(dtype=np.float64),
        )

    def __len__(self) -> int:
        return len(self.customer)

    @property
    def has_label(self) -> np.ndarray:
        """Whether the label of each is known, and counts."""
        return self.true >= 0

    @property
    def customers(self) -> int:
        """Of how many customers they are."""
        return int(self.customer.max(initial=-1)) + 1

    def where(self, mask: np.ndarray) -> Self:
        """Some of them, shape of `mask`: (answers,)."""
        return type(self)(
            frame=self.frame[mask],
            customer=pd.factorize(self.customer[mask])[0].astype(np.int64),
            predicted=self.predicted[mask],
            true=self.true[mask],
            learned=self.learned[mask],
            probabilities=self.probabilities[mask],
        )


def by_model(
    day: str, frame: pd.DataFrame, learned_until: Mapping[str, str]
) -> Iterator[tuple[str, Answers]]:
    """The answers of each model, those of the one with most answers first.

    Args:
        day: The prediction day.
        frame: Its answers.
        learned_until: Per model, the newest base date that it learned from. Of a model that is not
            named, labels up to the prediction day do not count: it has answered by then, so it
            knows none that is later.
    """
    counts = frame[MODEL_TAG].astype(str).value_counts()
    for tag in sorted(counts.index, key=lambda tag: (-counts[tag], tag)):
        # A day has one model, as a rule: then nothing is copied.
        of = frame if len(counts) == 1 else frame[frame[MODEL_TAG] == tag]
        yield str(tag), Answers.of(of, learned_until.get(str(tag), day))


def _places(classes: pd.Series) -> np.ndarray:
    """The place of each class in `schema.CLASSES`; -1 for anything else."""
    codes = pd.Categorical(classes, categories=schema.CLASSES).codes
    return codes.astype(np.int64)


@dataclass(frozen=True)
class Draws:
    """Customers drawn with replacement, the same ones for all sums of the same answers.

    Of many customers, random groups of them are drawn: sums over random groups of customers vary
    as sums over customers do (Wolter 2007, "Introduction to Variance Estimation", chapter 2). So a
    million answers take no longer than some thousand.

    Attributes:
        of: What is drawn of each answer, from 0 on, shape (answers,): its customer, or a group.
        size: How many of them there are.
        rules: Of the bootstrap.
    """

    of: np.ndarray
    size: int
    rules: AnswerRules

    @classmethod
    def among(cls, customer: np.ndarray, rules: AnswerRules) -> Self:
        """Draw among the customers of some answers.

        Args:
            customer: The number of each answer's customer, from 0 on, shape (answers,).
            rules: Of the bootstrap.
        """
        customers = int(customer.max(initial=-1)) + 1
        if customers <= _MOST_DRAWN:
            return cls(customer, customers, rules)
        group = np.random.default_rng(rules.seed).permutation(customers) % _MOST_DRAWN
        return cls(group[customer], _MOST_DRAWN, rules)

    def sums(
        self, places: np.ndarray, number: int, weights: np.ndarray | None = None
    ) -> np.ndarray:
        """Sums of each thing that is drawn, shape (size, number).

        Args:
            places: To which of the sums each answer belongs, 0 to `number` - 1; shape (answers,).
            number: How many sums there are.
            weights: What is summed; counts without. Shape (answers,).
        """
        counted = np.bincount(self.of * number + places, weights, minlength=self.size * number)
        return counted.reshape(self.size, number).astype(np.float64)

    def drawn(self, sums: np.ndarray) -> np.ndarray:
        """Sums of each draw, shape (draws, …).

        Args:
            sums: Shape (size, …).
        """
        return confusion.resampled(sums, self.rules.draws, self.rules.seed)


def estimate(value: float, drawn: np.ndarray) -> Estimate:
    """A value with its 95 % interval; see `confusion.estimate`."""
    return confusion.estimate(value, drawn, CONFIDENCE)

"""What the bank wants of a class: declared once, and data in every package."""

from collections.abc import Sequence
from enum import StrEnum

from pydantic import Field, field_validator
from pydantic_core import from_json

from credit_ct_dagster.contracts.record import Part

Matrix = Sequence[Sequence[float]]
"""A row per true class of a number per predicted class, from worst to best."""

DEFAULT_COSTS: Matrix = [[0.0, 2.0, 5.0], [1.0, 0.0, 1.0], [2.0, 1.0, 0.0]]
"""Of Poor, Standard and Good, in records that say nothing else: a Poor customer who is taken for
Good weighs the most."""

MOST = 1e6
"""No cost is higher, so that sums and differences of costs stay numbers that can be stored."""


class Metric(StrEnum):
    """What models are compared by, and what the class of an answer is chosen for."""

    macro_f1 = "macro_f1"
    accuracy = "accuracy"
    expected_cost = "expected_cost"


def require_square(matrix: Matrix) -> None:
    """Make sure that a matrix has a finite number per true and predicted class, up to `MOST`."""
    number = len(matrix)
    numbers = [number for row in matrix for number in row]
    # What is not a number is not within bounds.
    within = all(-MOST <= number <= MOST for number in numbers)
    if number < 2 or [len(row) for row in matrix] != [number] * number or not within:
        raise ValueError(
            f"must be a row per class of as many finite numbers, from -{MOST:,.0f} to {MOST:,.0f}"
        )


def require_costs(costs: Matrix, classes: Sequence[str]) -> None:
    """Make sure that costs tell being right on each class from some error on it."""
    require_square(costs)
    if len(costs) != len(classes):
        raise ValueError(f"must have a row for each of {', '.join(classes)}")
    for name, row, right in zip(classes, costs, range(len(costs)), strict=True):
        if min(row) < row[right]:
            raise ValueError(f"to be right on a {name} customer must not cost more than an error")
        # Otherwise every answer would be as good as any other, and the first class be given.
        if max(row) == row[right]:
            raise ValueError(f"some error on a {name} customer must cost more than to be right")


def matrix_of(value: object) -> object:
    """A matrix that is given as JSON; anything but text is returned as it is.

    Raises:
        ValueError: The text is no JSON. The error does not repeat it.
    """
    if not isinstance(value, str):
        return value
    try:
        return from_json(value)
    except ValueError:
        raise ValueError("must be JSON, such as [[0, 2, 5], [1, 0, 1], [2, 1, 0]]") from None


class Utility(Part):
    """What the bank wants of a class.

    Attributes:
        metric: What is made as high, or for `expected_cost` as low, as possible.
        costs: Of each kind of error, for `expected_cost`: rows are true classes.
    """

    metric: Metric = Metric.macro_f1
    costs: Matrix = Field(default=DEFAULT_COSTS)

    @field_validator("costs")
    @classmethod
    def _is_square(cls, costs: Matrix) -> Matrix:
        require_square(costs)
        return costs


class RuleData(Part):
    """How a class follows from scores and probabilities.

    Attributes:
        rule: A name of `scorer.class_rule.RULES`.
        gains: For `expected_utility`: what it is worth to predict a column's class where a row's is
            true; only ratios matter. Empty for `highest_score`.
    """

    rule: str
    gains: Matrix = ()

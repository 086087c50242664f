"""What the scorer inside a package knows, beside the model itself."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import Field

from credit_ct_dagster.contracts.record import Part, Record
from credit_ct_dagster.contracts.splits import Limits, Scale
from credit_ct_dagster.contracts.utility import Matrix, Utility

CLASS_COLUMN = "credit_score"
"""What the code inside packages calls the class, whatever the bank calls it."""


class Sigmoid(Part):
    """A score s becomes 1 / (1 + exp(slope * s + intercept)) (Platt 1999)."""

    slope: float
    intercept: float


class Isotonic(Part):
    """The corners of a curve, which is constant outside and straight in between.

    Attributes:
        scores: In ascending order.
        probabilities: At each of these scores.
    """

    scores: Sequence[float]
    probabilities: Sequence[float]


class CalibrationData(Part):
    """How scores become probabilities.

    Attributes:
        method: `none` divides the scores by their sum.
        curves: Per class; of two classes one, the other has the rest; empty for `none`.
    """

    method: Literal["none", "sigmoid", "isotonic"]
    curves: Mapping[str, Sigmoid | Isotonic] = Field(default_factory=dict)


class ScorerRecord(Record):
    """What the scorer inside a package knows, beside the model itself.

    Attributes:
        features: The raw columns, in the order of the model.
        categorical: Those that the model takes as categories.
        text: Those that it splits into words itself.
        counted: Those of which it takes a count per kind, and one of all others: the kinds that
            training rows had. The columns of the model follow from it; empty before version 3.
        scales: What the scaler of each number learned.
        missing_word: Replaces a word that is absent or blank.
        classes: Worst to best.
        class_rule: How the class follows from scores and probabilities.
        gains: What the rule weighs, see `RuleData`; empty for the highest score.
        utility: What the class was chosen for; None for the highest score.
        calibration: How scores become probabilities.
        typical: Per class, the median or the most frequent word of each feature in the training
            rows; None where no row had a value. Of a counted text, a text with the median of each
            count.
        orders: Orders of the model's columns, along which their contributions are measured.
        sentences: Per column of the model and direction, the sentence of a reason.
        protected: The features that the bank marks as protected.
        limits: Of the numbers, by the rules for rows at training.
        known_words: Per category, the words of the training rows; of a text that is taken as one,
            only where all its words are frequent.
    """

    VERSION: ClassVar[int] = 3
    FILE: ClassVar[str] = "scorer.json"
    REMEDY: ClassVar[str] = (
        "materialize bentoml_model and champion_model for the base date of the package"
    )

    version: int = 3
    features: Sequence[str]
    categorical: Sequence[str]
    text: Sequence[str]
    counted: Mapping[str, Sequence[str]] = Field(default_factory=dict)
    scales: Mapping[str, Scale]
    missing_word: str
    classes: Sequence[str]
    class_rule: Literal["highest_score", "expected_utility"]
    gains: Matrix = ()
    utility: Utility | None = None
    calibration: CalibrationData
    typical: Mapping[str, Mapping[str, float | str | None]]
    orders: Sequence[Sequence[str]]
    sentences: Mapping[str, Mapping[str, str]]
    protected: Sequence[str]
    limits: Mapping[str, Limits]
    known_words: Mapping[str, Sequence[str]] = Field(default_factory=dict)

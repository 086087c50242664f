"""Made-up rows with the answers that the pipeline gives to them, inside every package."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from credit_ct_dagster.contracts.files import GOLDEN_FILE
from credit_ct_dagster.contracts.record import Part, Record


class GoldenRow(Part):
    """A made-up customer, and what the pipeline answers.

    Attributes:
        kind: What the row is there for, such as `all missing`.
        features: Per raw column, a number, a word, or None where it is missing.
        credit_score: The class.
        probabilities: Calibrated, per class from worst to best; they sum to 1.
    """

    kind: str
    features: Mapping[str, float | str | None]
    credit_score: str
    probabilities: Mapping[str, float]


class GoldenRows(Record):
    """What whoever serves a package compares it by, before it is used."""

    FILE: ClassVar[str] = GOLDEN_FILE
    REMEDY: ClassVar[str] = (
        "materialize bentoml_model and champion_model for the base date of the package"
    )

    rows: Sequence[GoldenRow]

"""How far the rows of a base date have moved away from the champion's."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, ClassVar

from pydantic import model_validator

from credit_ct_dagster.contracts.files import DRIFT_FILE
from credit_ct_dagster.contracts.record import Part, Record
from credit_ct_dagster.rounding import told_apart

SOME, MUCH = 0.10, 0.25
"""Thresholds of the PSI that the industry uses (Siddiqi 2006, "Credit Risk Scorecards", chapter 8):
below the first nothing has changed, above the second the population is another one."""
SIGNIFICANCE = 0.05
"""Of all tests of a report together: how often rows of the same population may show any drift."""


class Verdict(StrEnum):
    """What a PSI means, by the thresholds and by the number of rows."""

    stable = "stable"
    uncertain = "too few rows to say"
    some = "some drift"
    much = "much drift"

    @classmethod
    def of(cls, psi: float, p_value: float | None) -> "Verdict":
        """The verdict on a PSI.

        Args:
            psi: How far shares have moved.
            p_value: How likely shares as different are without drift; None if it is not known, so
                that the PSI counts by itself.
        """
        if psi < SOME:
            return cls.stable
        if p_value is not None and p_value >= SIGNIFICANCE:
            return cls.uncertain
        return cls.much if psi >= MUCH else cls.some

    @property
    def is_drift(self) -> bool:
        """Whether it is beyond doubt."""
        return self in (Verdict.some, Verdict.much)


class MissingDrift(Part):
    """How far the share of missing values of a column has moved.

    Attributes:
        reference: Share among the rows that the model was trained on.
        current: Share among the rows that are compared.
        psi: Of the two shares, missing and present.
        p_value: Probability of shares at least as different without drift, adjusted for all tests
            of the report.
    """

    reference: float
    current: float
    psi: float
    p_value: float

    @property
    def verdict(self) -> Verdict:
        """By the same rule as for values."""
        return Verdict.of(self.psi, self.p_value)


class ColumnDrift(Part):
    """How far one column has moved.

    Attributes:
        column: Its name.
        psi: Population stability index of its values, 0 or more; of a text that lists things, the
            highest of their shares of rows. Missing values do not count; earlier releases, which
            recorded no `p_value`, counted them as one more value.
        p_value: Probability of values at least as different without drift, by a chi-square test,
            adjusted for all tests of the report.
        ks: Kolmogorov-Smirnov statistic of two samples, 0 to 1; None for words.
        ks_p_value: How likely a statistic as high is without drift; not adjusted, and it decides
            nothing.
        missing: The share of missing values; None in what earlier releases wrote.
        respelled: Share of the compared rows with a spelling of a known word that no row of the
            reference has, such as another letter case. It is not drift of the values, but a model
            may take it for an unknown word.
        reference_rows: Rows with a value that the model was trained on; None in what earlier
            releases wrote.
        rows: Rows with a value that are compared; None in what earlier releases wrote.
        verdict: The worse one on values and on missing values.
    """

    column: str
    psi: float
    p_value: float | None = None
    ks: float | None = None
    ks_p_value: float | None = None
    missing: MissingDrift | None = None
    respelled: float = 0.0
    reference_rows: int | None = None
    rows: int | None = None
    verdict: Verdict

    @property
    def highest_psi(self) -> float:
        """Of its values, and of its shares of missing ones."""
        return max(self.psi, self.missing.psi if self.missing else 0.0)

    @property
    def sentence(self) -> str:
        """What has moved, with the figures, for a person."""
        moved, psi = [], f"PSI {told_apart('.3f', self.psi, SOME, MUCH)}"
        if Verdict.of(self.psi, self.p_value) != Verdict.stable:
            moved.append(psi)
        if self.missing and self.missing.verdict != Verdict.stable:
            now, before = self.missing.current, self.missing.reference
            moved.append(
                f"missing in {told_apart('.1%', now, before)} of the rows, before in"
                f" {told_apart('.1%', before, now)}"
            )
        return f"{self.column} ({'; '.join(moved) or psi})"


class DriftReport(Record):
    """How far the rows of a base date have moved away from the champion's.

    Attributes:
        columns: The drift of every column; empty when there was no champion to compare with.
        not_computed: Why it could not be computed although there was a champion.
    """

    VERSION: ClassVar[int] = 2
    FILE: ClassVar[str] = DRIFT_FILE
    REMEDY: ClassVar[str] = "materialize champion_model for this base date"

    version: int = 2
    columns: Sequence[ColumnDrift]
    not_computed: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_earlier_release(cls, data: Any) -> Any:
        """It was a list of columns, and then their PSI counted missing values, without a test."""
        if isinstance(data, list):
            return {"columns": data}
        if isinstance(data, dict) and data.get("version") == 1:
            return data | {"version": cls.VERSION}
        return data

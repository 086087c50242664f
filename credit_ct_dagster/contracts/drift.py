"""How far the rows of a base date have moved away from the champion's."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, ClassVar

from pydantic import model_validator

from credit_ct_dagster.contracts.files import DRIFT_FILE
from credit_ct_dagster.contracts.record import Part, Record

SOME, MUCH = 0.10, 0.25
"""Thresholds of the PSI that the industry uses (Siddiqi 2006, "Credit Risk Scorecards", chapter 8):
below the first nothing has changed, above the second the population is another one."""


class Verdict(StrEnum):
    """What a PSI means, by the thresholds."""

    stable = "stable"
    some = "some drift"
    much = "much drift"

    @classmethod
    def of(cls, psi: float) -> "Verdict":
        """The verdict on a PSI."""
        if psi >= MUCH:
            return cls.much
        return cls.some if psi >= SOME else cls.stable


class ColumnDrift(Part):
    """How far one column has moved.

    Attributes:
        column: Its name.
        psi: Population stability index, 0 or more.
        ks: Kolmogorov-Smirnov statistic of two samples, 0 to 1; None for words.
        ks_p_value: How likely a statistic as high is without drift; the months of one customer are
            not independent, so it errs towards drift.
        verdict: By the thresholds of the PSI.
    """

    column: str
    psi: float
    ks: float | None = None
    ks_p_value: float | None = None
    verdict: Verdict


class DriftReport(Record):
    """How far the rows of a base date have moved away from the champion's.

    Attributes:
        columns: The drift of every column; empty when there was no champion to compare with.
        not_computed: Why it could not be computed although there was a champion.
    """

    FILE: ClassVar[str] = DRIFT_FILE
    REMEDY: ClassVar[str] = "materialize champion_model for this base date"

    columns: Sequence[ColumnDrift]
    not_computed: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_release_0_1(cls, data: Any) -> Any:
        """It was a list of columns."""
        return {"columns": data} if isinstance(data, list) else data

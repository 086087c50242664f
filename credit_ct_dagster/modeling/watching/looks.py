"""Evaluations of evidence that grows: an interval for all of them, and how many agree in a row.

Whoever looks every day at a 95 % interval finds two equal models different sooner or later: the
interval holds for one look. These hold for all looks together.
"""

from collections.abc import Sequence
from math import log, sqrt
from statistics import NormalDist

from credit_ct_dagster.contracts.decision import Comparison, Estimate
from credit_ct_dagster.contracts.probation import Look, Verdict

_TIGHTEST_AT = 600
"""Rows at which the interval for all looks is as narrow as it gets: some days of a small bank."""
_RATIO = 12.1
"""By how much they exceed the boundary's parameter; minimises its width at 99 %."""


def for_all_looks(comparison: Comparison, confidence: float) -> Comparison:
    """The same comparison, with an interval that holds for all looks together.

    Args:
        comparison: Its interval holds for one look at this confidence.
        confidence: Such as 0.99.
    """
    wider = width(comparison.rows, confidence)
    found = comparison.difference
    difference = Estimate(
        value=found.value,
        low=found.value - wider * (found.value - found.low),
        high=found.value + wider * (found.high - found.value),
    )
    return comparison.model_copy(update={"difference": difference})


def width(rows: int, confidence: float) -> float:
    """How many times wider an interval for all looks is than one for a single look.

    The boundary of the normal mixture (Robbins 1970, "Statistical methods related to the law of the
    iterated logarithm", Annals of Mathematical Statistics 41), which holds for means of any
    distribution as rows grow (Waudby-Smith et al. 2024, "Time-uniform central limit theory and
    asymptotic confidence sequences", Annals of Statistics 52, theorem 2.2): with `m` rows in units
    of the parameter, in standard errors, sqrt((1 + 1/m) (ln(1 + m) - 2 ln alpha)).

    Args:
        rows: So far, 1 or more.
        confidence: Of all looks together.

    Returns:
        1.4 to 1.7 at 99 % for 60 to 300,000 rows.
    """
    alpha = 1 - confidence
    scaled = rows * _RATIO / _TIGHTEST_AT
    boundary = sqrt((1 + 1 / scaled) * (log(1 + scaled) - 2 * log(alpha)))
    return boundary / NormalDist().inv_cdf(1 - alpha / 2)


def with_look(looks: Sequence[Look], look: Look) -> tuple[Look, ...]:
    """The looks of earlier days, and one more if it counts.

    It counts with more labelled answers than the last one that did: the same evidence, looked at
    twice, is no second opinion. A look of the same day, or of a later one, is replaced.
    """
    before = tuple(each for each in looks if each.day < look.day)
    return (*before, look) if not before or look.rows > before[-1].rows else before


def in_a_row(looks: Sequence[Look], verdict: Verdict) -> int:
    """How many of the last looks gave a verdict."""
    count = 0
    for look in reversed(looks):
        if look.verdict != verdict:
            break
        count += 1
    return count

"""How far a champion's accuracy lies below what its probabilities promise, on several days."""

from collections.abc import Sequence
from math import sqrt
from statistics import NormalDist

from credit_ct_dagster.contracts.decision import Estimate
from credit_ct_dagster.contracts.served_performance import HowFarOff

_OF_A_DAY = 0.95
"""Confidence of the intervals of a day (`HowFarOff`)."""


def shortfall_of(days: Sequence[HowFarOff], confidence: float) -> Estimate:
    """Estimated minus real accuracy of the labelled answers of several days together.

    Where labels come late, the last days that have any have few: each by itself says little. Days
    are weighted by their labelled answers; their errors, which their intervals tell, are taken as
    independent. That is so if other customers are answered every day; of the same customers every
    day, the interval is too narrow.

    Args:
        days: One or more.
        confidence: Of the interval, such as 0.999.
    """
    answers = sum(each.answers for each in days)
    value = sum(each.answers * each.accuracy.value for each in days) / answers
    of_day = NormalDist().inv_cdf((1 + _OF_A_DAY) / 2)
    variance = sum(
        (each.answers * (each.accuracy.high - each.accuracy.low) / (2 * of_day)) ** 2
        for each in days
    )
    wide = NormalDist().inv_cdf((1 + confidence) / 2) * sqrt(variance) / answers
    return Estimate(value=value, low=value - wide, high=value + wide)

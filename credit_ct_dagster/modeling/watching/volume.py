"""Whether there are fewer answers than usual, by more than chance and the day of the week."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from math import pi, sqrt
from statistics import median

_LEAST_DAYS = 7
"""Of fewer days, nobody knows what is usual: some days of the week are missing."""
_LEAST_ALIKE = 3
"""Days of the same weekday, from which on their median is what is usual."""
_MAD_TO_SIGMA = 1.4826
_EFFICIENCY = 0.37
"""Of the median absolute deviation: so many of the residuals tell as much of a normal scale as a
standard deviation does (Rousseeuw and Croux 1993, "Alternatives to the median absolute deviation",
Journal of the American Statistical Association 88)."""


@dataclass(frozen=True)
class Volume:
    """The answers of a day beside the usual ones.

    Attributes:
        rows: Answers of the day.
        usual: What is usual on such a day.
        compared_with: What that is, for a sentence.
        share: Of the usual answers; 1 if none are usual.
        p_value: Probability of so few answers, or fewer, on a usual day.
    """

    rows: int
    usual: float
    compared_with: str
    share: float
    p_value: float


def collapse_of(day: str, rows: int, before: Mapping[str, int]) -> Volume | None:
    """Compare the answers of a day with those of the days before.

    What is usual is the median of the same weekday; before there are three of them, it is the
    lowest day, which may have been a holiday. How far days are apart is taken from the days before,
    each compared with the median of the others: on the scale of Anscombe's transformation, on which
    a Poisson count has the variance 1 (Anscombe 1948, "The transformation of Poisson, binomial and
    negative-binomial data", Biometrika 35), and by the median absolute deviation, which a few odd
    days do not change. Less than Poisson's variance is never assumed.

    Args:
        day: The prediction day, `YYYY-MM-DD`.
        rows: Its answers.
        before: Answers per day of the weeks before.

    Returns:
        None if too few days before are known.
    """
    from scipy.stats import t as student

    if len(before) < _LEAST_DAYS:
        return None
    alike = _same_weekday(day, before)
    if len(alike) >= _LEAST_ALIKE:
        usual = float(median(alike))
        compared_with = f"the median of {len(alike)} {date.fromisoformat(day):%A}s before"
    else:
        usual = float(min(before.values()))
        compared_with = f"the lowest of {len(before)} days before"
    # A median of n values is itself uncertain; residuals of the days before hold that already.
    least = sqrt(1 + pi / (2 * max(1, len(alike))))
    residuals = [abs(_residual(each, before)) for each in before]
    scale = max(least, _MAD_TO_SIGMA * median(residuals))
    distance = (_anscombe(rows) - _anscombe(usual)) / scale
    p_value = float(student.cdf(distance, df=max(1.0, _EFFICIENCY * len(residuals))))
    share = rows / usual if usual else 1.0
    return Volume(rows, usual, compared_with, share, p_value)


def _residual(day: str, volumes: Mapping[str, int]) -> float:
    """How far a day is from the others of its weekday, or from all if there is one at most."""
    others = {each: value for each, value in volumes.items() if each != day}
    alike = _same_weekday(day, others)
    usual = median(alike if len(alike) > 1 else others.values())
    return _anscombe(volumes[day]) - _anscombe(usual)


def _same_weekday(day: str, volumes: Mapping[str, int]) -> list[int]:
    return [value for each, value in volumes.items() if _weekday(each) == _weekday(day)]


def _weekday(day: str) -> int:
    return date.fromisoformat(day).weekday()


def _anscombe(count: float) -> float:
    return 2 * sqrt(count + 3 / 8)

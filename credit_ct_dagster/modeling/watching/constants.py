"""What one constant explains numbers that disagree: a factor, a difference, a value, a feature."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from credit_ct_dagster.contracts.serving_skew import Pattern
from credit_ct_dagster.modeling.watching.patterns import Group

PRECISION = 1e-5
"""Relative difference of two numbers that are the same: one in single precision, or written with
six digits as MariaDB writes a FLOAT, is at most 5e-6 off."""

_LEAST_ROWS = 5
_LEAST_VALUES = 3
"""Different stored values that a constant must explain: of two, too much would explain them."""
_LEAST_SHARE = {
    Pattern.shift: 0.5,
    Pattern.unit: 0.5,
    Pattern.rounding: 0.5,
    Pattern.one_value: 0.8,
    Pattern.another_feature: 0.8,
}
"""Of the numbers that are not explained yet, in the order in which a draw is decided. Small numbers
have the same value, or that of another feature, in many rows by chance."""
_MOST_CONSTANTS = 3
"""Several callers may each have a unit of their own."""
_SAMPLE = 20_000
"""So many numbers are enough to find a constant in; whether it explains them is asked of all."""

_EXACT, _LOOSE = 1e-4, (0.05, 0.2)
"""Widths of the logarithms of ratios that are one factor; rounded down to years, months spread."""
_FAR = 1.5
"""From this factor on a rounded number may be one in another unit. Nearer to 1, a difference of one
would pass for a factor."""
_FINE = 8.0
"""A rounded number tells of a factor only where the quartiles are so many steps apart."""
_MOST_DECIMALS = 3
_NEARLY_ALL = 0.95
_AS_GOOD = 0.98
_SINGLE = 2e-7
"""Relative error of the difference of two numbers in single precision."""


@dataclass(frozen=True)
class _Numbers:
    """Numbers that disagree, with those of the other features in the same rows.

    Attributes:
        theirs: As served, shape (values,).
        ours: As stored.
        others: As stored, of other features.
    """

    theirs: np.ndarray
    ours: np.ndarray
    others: Mapping[str, np.ndarray]

    def at(self, chosen: np.ndarray | slice) -> "_Numbers":
        """Some of them."""
        others = {name: values[chosen] for name, values in self.others.items()}
        return _Numbers(self.theirs[chosen], self.ours[chosen], others)

    @property
    def sample(self) -> "_Numbers":
        """Some of them, evenly spread."""
        return self.at(slice(None, None, -(-len(self.ours) // _SAMPLE)))


@dataclass(frozen=True)
class _Constant:
    """What may explain numbers that disagree.

    Attributes:
        kind: Which pattern it makes.
        explains: Which numbers it explains, shape (values,).
        detail: For a person.
        factor: The factor or the difference.
    """

    kind: Pattern
    explains: Callable[[_Numbers], np.ndarray]
    detail: str = ""
    factor: float | None = None


def constants_of(
    theirs: np.ndarray, ours: np.ndarray, others: Mapping[str, np.ndarray]
) -> list[Group]:
    """Group numbers that disagree by what explains them.

    What explains most is found first; then what explains most of the rest, and so on. A constant is
    found from the data: nobody has to know beforehand that a year has 12 months.

    Args:
        theirs: As served, none of them NaN, shape (values,).
        ours: As stored.
        others: As stored, of other features.

    Returns:
        Each number is in one group; what nothing explains is `Pattern.other`.
    """
    numbers, rows, found = _Numbers(theirs, ours, others), np.arange(len(ours)), list[Group]()
    with np.errstate(all="ignore"):
        while len(rows) >= _LEAST_ROWS and len(found) < _MOST_CONSTANTS:
            remaining = numbers.at(rows)
            constant = _best(remaining)
            if constant is None:
                break
            explained = constant.explains(remaining)
            found.append(Group(constant.kind, rows[explained], constant.detail, constant.factor))
            rows = rows[~explained]
    return [*found, *([Group(Pattern.other, rows)] if len(rows) else [])]


def are_same(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Whether numbers are the same in single precision or with six digits; False with NaN."""
    with np.errstate(invalid="ignore", over="ignore"):
        largest = np.maximum(np.abs(one), np.abs(other))
        is_near = np.abs(one - other) <= PRECISION * largest
        return (one == other) | (is_near & np.isfinite(largest))


def _best(numbers: _Numbers) -> _Constant | None:
    """The constant that explains most, if it explains enough."""
    sample = numbers.sample
    explained = [(each, each.explains(sample)) for each in _candidates(sample)]
    enough = [
        (int(mask.sum()), -list(_LEAST_SHARE).index(each.kind), each)
        for each, mask in explained
        if mask.sum() >= max(_LEAST_ROWS, _LEAST_SHARE[each.kind] * len(mask))
        and len(np.unique(sample.ours[mask])) >= _LEAST_VALUES
    ]
    return max(enough, key=lambda found: found[:2])[2] if enough else None


def _candidates(numbers: _Numbers) -> Iterator[_Constant]:
    yield from _shift(numbers)
    yield from _unit(numbers)
    yield from _rounding(numbers)
    yield _one_value(numbers)
    yield from _another_feature(numbers)


def _shift(numbers: _Numbers) -> Iterator[_Constant]:
    difference = numbers.theirs - numbers.ours
    difference = difference[np.isfinite(difference)]
    if not len(difference):
        return
    width = 2 * _SINGLE * float(np.median(np.abs(numbers.ours))) + 1e-9
    found = _densest(difference, width)
    nearest = float(np.rint(found))
    shift = nearest if nearest and abs(found - nearest) < width else found

    def explains(of: _Numbers) -> np.ndarray:
        allowed = _SINGLE * np.maximum(np.abs(of.theirs), np.abs(of.ours)) + 1e-9
        return np.abs(of.theirs - of.ours - shift) <= allowed

    detail = f"{'+' if shift > 0 else '-'} {abs(shift):,.6g}"
    yield _Constant(Pattern.shift, explains, detail, shift)


def _unit(numbers: _Numbers) -> Iterator[_Constant]:
    """The factor that explains most, the simplest one of those that explain about as much."""
    found = []
    for factor in _factors(numbers):
        constant = _factor(factor, numbers)
        found.append((int(constant.explains(numbers).sum()), constant))
    if not found:
        return
    most = max(count for count, _ in found)
    as_good = [each for count, each in found if count >= _AS_GOOD * most]
    yield min(as_good, key=lambda each: _complexity(each.factor or 1.0))


def _factors(numbers: _Numbers) -> set[float]:
    """Factors around which ratios are densest, and rounder numbers near them."""
    usable = (numbers.theirs != 0) & (numbers.ours != 0)
    ratio = numbers.theirs[usable] / numbers.ours[usable]
    ratio = ratio[np.isfinite(ratio) & (ratio != 0)]
    if not len(ratio):
        return set()
    sign = 1.0 if np.mean(ratio > 0) >= 0.5 else -1.0
    logarithms = np.log(sign * ratio[sign * ratio > 0])
    found = {float(np.exp(_densest(logarithms, width))) for width in (_EXACT, *_LOOSE)}
    exact = {each for each in found if not _is_whole(max(each, 1 / each))}
    rounder = {near for each in found for near in _rounder(each)}
    return {sign * each for each in exact | rounder} - {1.0}


def _rounder(factor: float) -> Iterator[float]:
    """Whole numbers near a factor, or near one over it; numbers of few digits, if it is large."""
    large = max(factor, 1 / factor)
    if large < 60:
        near = set(range(int(np.ceil(large * 0.87)), int(large * 1.15) + 1))
    else:
        near = {int(float(f"{large:.{digits}g}")) for digits in (1, 2, 3)} | {round(large)}
    return (float(each) if factor >= 1 else 1 / each for each in near if each >= 1)


def _complexity(factor: float) -> tuple[bool, int, float]:
    """Whole numbers, and ones over them, are simplest; of these, those of few digits."""
    large = max(abs(factor), 1 / abs(factor))
    return not _is_whole(large), len(str(round(large)).rstrip("0")), large


def _is_whole(number: float) -> bool:
    return abs(number - round(number)) <= 1e-7 * number


def _factor(factor: float, numbers: _Numbers) -> _Constant:
    """A factor, and what it explains: in another unit, a number is often rounded too."""
    step = _step_of(numbers, factor)

    def explains(of: _Numbers) -> np.ndarray:
        expected = factor * of.ours
        difference = np.abs(of.theirs - expected)
        return np.isfinite(expected) & (
            ((difference <= _EXACT * np.abs(expected)) & (expected != 0)) | (difference < step)
        )

    large = abs(factor) >= 1
    detail = f"* {factor:,.6g}" if large else f"/ {1 / factor:,.6g}"
    return _Constant(Pattern.unit, explains, detail, factor)


def _step_of(numbers: _Numbers, factor: float) -> float:
    """What the last digit of nearly all served numbers is worth; 0 where it tells of no factor."""
    if max(abs(factor), 1 / abs(factor)) < _FAR:
        return 0.0
    low, high = np.quantile(factor * numbers.ours, [0.25, 0.75])
    for decimals in range(_MOST_DECIMALS + 1):
        multiple = numbers.theirs * 10.0**decimals
        if np.mean(np.abs(multiple - np.rint(multiple)) <= 1e-6) >= _NEARLY_ALL:
            step = 10.0**-decimals
            return step if step <= (high - low) / _FINE else 0.0
    return 0.0


def _rounding(numbers: _Numbers) -> Iterator[_Constant]:
    """Numbers that are rounded so much that it matters: finer rounding is no disagreement."""
    low, high = np.quantile(numbers.ours, [0.25, 0.75])
    if not (np.isfinite(high - low) and high > low):
        return
    largest = int(np.floor(np.log10(high - low)))
    for exponent in range(largest, largest - _MOST_DECIMALS, -1):
        step = 10.0**exponent
        multiple = numbers.theirs / step
        if np.mean(np.abs(multiple - np.rint(multiple)) <= 1e-6) >= _NEARLY_ALL:
            yield _Constant(
                Pattern.rounding,
                lambda of, step=step: np.abs(of.theirs - of.ours) < step,  # type: ignore[misc]
                f"to {step:,.6g}",
            )
            return


def _one_value(numbers: _Numbers) -> _Constant:
    values, counts = np.unique(numbers.theirs, return_counts=True)
    value = values[np.argmax(counts)]
    return _Constant(Pattern.one_value, lambda of: of.theirs == value)


def _another_feature(numbers: _Numbers) -> Iterator[_Constant]:
    for name in numbers.others:
        yield _Constant(
            Pattern.another_feature,
            lambda of, name=name: are_same(of.theirs, of.others[name]),  # type: ignore[misc]
            name,
        )


def _densest(values: np.ndarray, width: float) -> float:
    """The median of the interval of a width that has most values."""
    ordered = np.sort(values)
    ends = np.searchsorted(ordered, ordered + width, side="right")
    start = int(np.argmax(ends - np.arange(len(ordered))))
    return float(np.median(ordered[start : ends[start]]))

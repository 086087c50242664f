"""Measurements that alternate, and whether they meet a target."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

Way = Callable[[], object]
"""One way to do something; may return a `Turn` when it measures itself."""


@dataclass(frozen=True)
class Turn:
    """One turn of one way.

    Attributes:
        seconds: Its time.
        facts: Its other results.
    """

    seconds: float
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass
class Comparison:
    """Two ways to do the same, measured alternately; or one measurement and its limit.

    Attributes:
        name: The task.
        target: The target, for a person.
        baseline: Each turn of the plain way.
        ours: Each turn of the platform's way.
        ratios: The ratio of each pair of turns; the target says which one.
        ratio: Their median.
        met: Whether the target is met.
        unit: The unit of `baseline` and `ours`.
        notes: Further results, a sentence each.
    """

    name: str
    target: str
    baseline: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)
    ratio: float = 0.0
    met: bool = False
    unit: str = "s"
    notes: list[str] = field(default_factory=list)

    def require(self, holds: bool, note: str) -> None:
        """Add a second condition to the target."""
        self.met = self.met and holds
        self.notes.append(note if holds else f"NOT MET: {note}")


def turn(way: Way) -> Turn:
    """Take a turn: its time is the wall time of the call, unless it measures itself."""
    started = time.perf_counter()
    found = way()
    seconds = time.perf_counter() - started
    return found if isinstance(found, Turn) else Turn(seconds)


def take_turns(ways: Sequence[Way], pairs: int) -> list[list[Turn]]:
    """Alternate between ways, so that a slow minute of the machine affects all of them.

    Returns:
        The turns of each way.
    """
    turns = [[turn(way) for way in ways] for _ in range(pairs)]
    return [list(of_one_way) for of_one_way in zip(*turns, strict=True)]


def compare(
    name: str,
    *,
    baseline: Way,
    ours: Way,
    pairs: int,
    at_most: float | None = None,
    at_least_faster: float | None = None,
) -> Comparison:
    """Measure two ways alternately, after a warm-up turn of each; see `judge`."""
    baseline(), ours()
    plain, mine = take_turns([baseline, ours], pairs)
    return judge(name, plain, mine, at_most=at_most, at_least_faster=at_least_faster)


def judge(
    name: str,
    baseline: Sequence[Turn],
    ours: Sequence[Turn],
    *,
    at_most: float | None = None,
    at_least_faster: float | None = None,
) -> Comparison:
    """Compare turns that were taken.

    Args:
        name: The task.
        baseline: Turns of the plain way.
        ours: Turns of the platform's way, one for each of the plain way.
        at_most: The target: ours takes at most this many times the baseline.
        at_least_faster: The target: the baseline takes at least this many times ours. Without
            either there is no target, and the ratio is how many times faster ours is.
    """
    pairs = [(plain.seconds, mine.seconds) for plain, mine in zip(baseline, ours, strict=True)]
    if at_most is not None:
        target, ratios = f"ours ≤ {at_most:g} × baseline", [mine / plain for plain, mine in pairs]
    else:
        target = "none" if at_least_faster is None else f"≥ {at_least_faster:g} × faster"
        ratios = [plain / mine for plain, mine in pairs]
    ratio = statistics.median(ratios)
    met = ratio <= at_most if at_most is not None else ratio >= (at_least_faster or 0)
    return Comparison(
        name, target, [p for p, _ in pairs], [m for _, m in pairs], ratios, ratio, met
    )


def within(name: str, values: Sequence[float], at_most: float, unit: str = "s") -> Comparison:
    """Compare the median of measured values with a limit."""
    ratios = [value / at_most for value in values]
    ratio = statistics.median(ratios)
    target = f"≤ {at_most:g} {unit}"
    return Comparison(name, target, [], list(values), ratios, ratio, ratio <= 1, unit)


def at_least(name: str, values: Sequence[float], target: float, unit: str) -> Comparison:
    """Compare the median of measured values with a number that they should reach."""
    ratios = [value / target for value in values]
    ratio = statistics.median(ratios)
    return Comparison(
        name, f"≥ {target:g} {unit}", [], list(values), ratios, ratio, ratio >= 1, unit
    )


def limit(name: str, action: Way, at_most_seconds: float) -> Comparison:
    """Compare the best of three measurements with a limit in seconds on two cores."""
    taken = [turn(action).seconds for _ in range(3)]
    found = within(name, taken, at_most_seconds)
    found.ratio = min(found.ratios)
    found.met = found.ratio <= 1
    return found

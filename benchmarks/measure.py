"""Pairs of measurements in one run, and their table."""

import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from rich.console import Console
from rich.table import Table


@dataclass
class Comparison:
    """Two ways to do the same, measured in turns.

    Attributes:
        name: What is done.
        baseline: Seconds of each turn of the plain way.
        ours: Seconds of each turn of the platform's way.
        target: What is promised of the ratio, in words.
        ratio: Median of the ratios of the turns; its meaning stands in the target.
        met: Whether the promise holds.
    """

    name: str
    target: str
    baseline: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)
    ratio: float = 0.0
    met: bool = False


def seconds(action: Callable[[], object]) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def compare(
    name: str,
    *,
    baseline: Callable[[], object],
    ours: Callable[[], object],
    pairs: int,
    at_most: float | None = None,
    at_least_faster: float | None = None,
) -> Comparison:
    """Measure two ways in turns, after one of each that does not count.

    Args:
        name: What is done.
        baseline: The plain way.
        ours: The platform's way.
        pairs: How many turns count.
        at_most: The promise: ours takes at most this many times the baseline.
        at_least_faster: The promise: the baseline takes at least this many times ours.
    """
    baseline(), ours()
    limit = at_most or at_least_faster
    found = Comparison(name, f"ours ≤ {limit} × baseline" if at_most else f"≥ {limit} × faster")
    for _ in range(pairs):
        found.baseline.append(seconds(baseline))
        found.ours.append(seconds(ours))
    ratios = [
        mine / plain if at_most else plain / mine
        for plain, mine in zip(found.baseline, found.ours, strict=True)
    ]
    found.ratio = statistics.median(ratios)
    assert limit is not None
    found.met = found.ratio <= limit if at_most else found.ratio >= limit
    return found


def limit(name: str, action: Callable[[], object], at_most_seconds: float) -> Comparison:
    """Measure one thing against a limit in seconds on two cores; the best of three."""
    taken = [seconds(action) for _ in range(3)]
    best = min(taken)
    return Comparison(
        name, f"≤ {at_most_seconds:g} s", [], taken, best / at_most_seconds, best <= at_most_seconds
    )


def report(found: list[Comparison], json_path: str) -> bool:
    """Print a table, write JSON; returns whether every promise holds."""
    table = Table("what", "baseline, s", "ours, s", "ratio", "target", "met", box=None)
    for each in found:
        table.add_row(each.name, _median(each.baseline), _median(each.ours), f"{each.ratio:.2f}",
                      each.target, "yes" if each.met else "NO")  # fmt: skip
    Console(width=160).print(table)
    machine = {
        "cores": os.cpu_count(),
        "processor": platform.processor() or platform.machine(),
        "python": platform.python_version(),
    }
    with open(json_path, "w") as file:  # noqa: PTH123
        json.dump({"machine": machine, "results": [asdict(each) for each in found]}, file, indent=2)
    return all(each.met for each in found)


def _median(values: list[float]) -> str:
    if not values:
        return ""
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"

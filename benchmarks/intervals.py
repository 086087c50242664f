"""Time in which something was in progress."""

from collections.abc import Iterable


def union_seconds(intervals: Iterable[tuple[float, float]]) -> float:
    """Seconds that lie in at least one of several intervals, each given by its start and end."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(intervals):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total

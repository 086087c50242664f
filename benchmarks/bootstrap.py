"""The bootstrap of the gate, sped up for many comparisons, and one of the benchmark's own."""

from collections.abc import Callable, Sequence
from functools import cache, lru_cache

import numpy as np

from credit_ct_dagster.modeling.judging import confusion

_DRAWS = 4_000


@cache
def draw_once() -> None:
    """Let the bootstrap reuse its draws, in this process.

    They depend on the seed and the number of customers only, so they are the same on every day.
    Drawn once per number, hundreds of thousands of comparisons take minutes instead of hours. The
    numbers are the platform's own: what it draws from the identity says how often each customer is
    in each draw.
    """
    drawn: Callable[[np.ndarray, int, int], np.ndarray] = confusion.resampled

    @lru_cache(maxsize=8)
    def times(customers: int, draws: int, seed: int) -> np.ndarray:
        return drawn(np.eye(customers), draws, seed)

    def resampled(per_customer: np.ndarray, draws: int, seed: int) -> np.ndarray:
        flat = per_customer.reshape(len(per_customer), -1).astype(np.float64)
        sums = times(len(per_customer), draws, seed) @ flat
        return sums.reshape(draws, *per_customer.shape[1:])

    confusion.resampled = resampled


def ratio(
    numerators: np.ndarray, denominators: np.ndarray, scale: float = 1.0
) -> tuple[float, float, float]:
    """A ratio of sums with its 95 % interval, by a bootstrap in two directions.

    Both the models of a month of a stream and the holdout rows of a history are luck, and every
    month meets every history. So months and histories are drawn independently, with replacement
    (the pigeonhole bootstrap: Owen 2007, "The pigeonhole bootstrap", Annals of Applied Statistics
    1), which errs on the side of wide intervals.

    Args:
        numerators: Shape (histories, months of streams).
        denominators: Of the same shape.
        scale: 100 for a percentage.

    Returns:
        The ratio, and the ends of its interval; NaN where nothing is divided.
    """
    rng = np.random.default_rng(0)
    histories, months = numerators.shape
    rows = rng.multinomial(histories, np.full(histories, 1 / histories), _DRAWS)
    columns = rng.multinomial(months, np.full(months, 1 / months), _DRAWS)
    above, below = (
        np.einsum("dh,hm,dm->d", rows, each, columns) for each in (numerators, denominators)
    )
    drawn = above[below > 0] / below[below > 0]
    if not denominators.sum() or not len(drawn):
        return (float("nan"),) * 3
    low, high = np.quantile(drawn, [0.025, 0.975])
    value = numerators.sum() / denominators.sum()
    return tuple(scale * float(each) for each in (value, low, high))  # type: ignore[return-value]


def of_shares(hits: Sequence[Sequence[bool]]) -> tuple[float, float, float]:
    """A percentage with its 95 % interval, drawing whole clusters.

    Args:
        hits: Per cluster, whether each case was one.
    """
    sums = np.array([[sum(each) for each in hits], [len(each) for each in hits]], dtype=float)
    rng = np.random.default_rng(0)
    above, below = sums[:, rng.integers(len(hits), size=(_DRAWS, len(hits)))].sum(axis=2)
    low, high = np.quantile(above / below, [0.025, 0.975])
    return tuple(100 * float(each) for each in (sums[0].sum() / sums[1].sum(), low, high))  # type: ignore[return-value]


def shown(found: tuple[float, float, float], digits: int = 1) -> str:
    """An estimate with its interval, for a table."""
    value, low, high = found
    if np.isnan(value):
        return "–"
    return f"{value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"

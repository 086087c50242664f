"""Metrics as functions of confusion counts, and how uncertain they are.

A count is of shape (…, 3, 3): rows are true classes, columns predicted ones, as `schema.CLASSES`.
"""

import numpy as np
import pandas as pd

from credit_ct_dagster.contracts.decision import Estimate
from credit_ct_dagster.contracts.utility import Metric, Utility
from credit_ct_dagster.modeling import schema

_BATCH_DRAWS = 100
_MOST_DRAWN = 8_000_000
"""Customers of all draws that are in memory together: 64 MB."""
_CLASSES = len(schema.CLASSES)


def counts_per_customer(
    rows: pd.DataFrame, predicted: np.ndarray, counted: np.ndarray | None = None
) -> np.ndarray:
    """Confusion counts of each customer.

    Args:
        rows: Labelled rows, with their customers.
        predicted: Class per row.
        counted: Whether each row counts, shape (rows,); None: all do. A customer of whom none does
            has counts of 0.

    Returns:
        Shape (customers, 3, 3), int64.
    """
    customer, customers = pd.factorize(rows[schema.CUSTOMER])
    place = {name: number for number, name in enumerate(schema.CLASSES)}
    counts = np.zeros((len(customers), _CLASSES, _CLASSES), dtype=np.int64)
    true = rows[schema.TARGET].map(place).to_numpy()
    once = 1 if counted is None else counted.astype(np.int64)
    np.add.at(counts, (customer, true, pd.Series(predicted).map(place).to_numpy()), once)
    return counts


def resampled(per_customer: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Sums of counts over customers drawn with replacement.

    Whole customers are drawn, because the months of one customer resemble each other (the cluster
    bootstrap: Davison and Hinkley 1997, "Bootstrap Methods and their Application", section 3.8).
    With the same seed and number of customers, the same ones are drawn: so two models are paired.

    Args:
        per_customer: Shape (customers, …).
        draws: How often to draw.
        seed: Of the random generator.

    Returns:
        Shape (draws, …).
    """
    rng = np.random.default_rng(seed)
    customers = len(per_customer)
    flat = per_customer.reshape(customers, -1)
    kind = None
    if np.issubdtype(flat.dtype, np.integer):  # few customers differ: those alike are one sum
        kind = _kinds(flat)
        flat = flat[np.unique(kind, return_index=True)[1]]
    flat = flat.astype(np.float64)
    sums = np.empty((draws, flat.shape[1]))
    batch = max(1, min(_BATCH_DRAWS, _MOST_DRAWN // customers))
    for start in range(0, draws, batch):
        drawn = rng.integers(customers, size=(min(batch, draws - start), customers))
        times = np.empty((len(drawn), len(flat)))
        for row, draw in zip(times, drawn, strict=True):
            row[:] = np.bincount(draw if kind is None else kind[draw], minlength=len(flat))
        sums[start : start + len(drawn)] = times @ flat
    return sums.reshape(draws, *per_customer.shape[1:])


def _kinds(counts: np.ndarray) -> np.ndarray:
    """Numbers from 0 on, shape (customers,): equal where all counts of two customers are.

    Args:
        counts: Whole numbers, 0 or more, shape (customers, …).
    """
    kind = np.zeros(len(counts), dtype=np.int64)
    for column in counts.T:
        kind = pd.factorize(kind * (int(column.max()) + 1) + column)[0]
    return kind


def accuracy(counts: np.ndarray) -> np.ndarray:
    """Share of right predictions, shape (…)."""
    return np.trace(counts, axis1=-2, axis2=-1) / np.maximum(counts.sum(axis=(-2, -1)), 1)


def recall(counts: np.ndarray) -> np.ndarray:
    """Share of each true class that is found, shape (…, 3); NaN for a class without rows."""
    right = np.diagonal(counts, axis1=-2, axis2=-1)
    true = counts.sum(axis=-1)
    return np.divide(right, true, out=np.full(true.shape, np.nan), where=true > 0)


def f1(counts: np.ndarray) -> np.ndarray:
    """F1 per class, shape (…, 3); 0 for a class that is neither present nor predicted."""
    right = np.diagonal(counts, axis1=-2, axis2=-1)
    either = counts.sum(axis=-1) + counts.sum(axis=-2)
    return 2 * right / np.maximum(either, 1)


def macro_f1(counts: np.ndarray) -> np.ndarray:
    """Mean of the classes' F1, shape (…)."""
    return f1(counts).mean(axis=-1)


def expected_cost(counts: np.ndarray, costs: np.ndarray) -> np.ndarray:
    """Mean cost of a prediction, shape (…).

    Args:
        counts: Confusion counts.
        costs: Shape (3, 3), of predicting a column's class where a row's is true.
    """
    return (counts * costs).sum(axis=(-2, -1)) / np.maximum(counts.sum(axis=(-2, -1)), 1)


def goodness(counts: np.ndarray, utility: Utility) -> np.ndarray:
    """The declared metric, turned so that more is better, shape (…)."""
    if utility.metric == Metric.expected_cost:
        return -expected_cost(counts, np.array(utility.costs))
    return accuracy(counts) if utility.metric == Metric.accuracy else macro_f1(counts)


def estimate(value: float, drawn: np.ndarray, confidence: float) -> Estimate:
    """A value with its percentile interval.

    The simple percentile method (Efron and Tibshirani 1993, "An Introduction to the Bootstrap",
    chapter 13).

    Args:
        value: Of all rows.
        drawn: The same of each draw.
        confidence: Share of the draws that lies inside, such as 0.95.
    """
    outside = (1 - confidence) / 2
    low, high = np.nanquantile(drawn, [outside, 1 - outside])
    return Estimate(value=float(value), low=float(low), high=float(high))

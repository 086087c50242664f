"""Counts per bin: how far shares have moved, and whether that may be chance."""

import numpy as np

_LEAST_SHARE = 1e-4
LEAST_EXPECTED = 5.0
"""Rows that a bin must be expected to have for the law of chi-square to hold (Cochran 1954)."""


def psi_of(table: np.ndarray) -> float:
    """Population stability index of counts per bin.

    The sum of (q - p) ln(q / p) over bins with shares p and q (Siddiqi 2006; a symmetric
    Kullback-Leibler divergence, Kullback and Leibler 1951). An empty bin counts as 0.01 %.

    Args:
        table: Counts, shape (2, bins): of the rows that a model was trained on, and of those that
            are compared.

    Returns:
        0 or more; 0 where one of the two has no rows.
    """
    totals = table.sum(axis=1, keepdims=True)
    if not totals.all():
        return 0.0
    p, q = np.maximum(table / totals, _LEAST_SHARE)
    return float(np.sum((q - p) * np.log(q / p)))


def chance_of(table: np.ndarray) -> float:
    """How likely counts as different are if both rows are of one population.

    Pearson's chi-square test of homogeneity; Fisher's exact test of two bins. Bins in which fewer
    than five rows are expected are pooled before.

    Args:
        table: Counts, shape (2, bins).

    Returns:
        0 to 1; 1 where there is nothing to compare.
    """
    from scipy.stats import chi2_contingency, fisher_exact

    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] > 2:
        table = _with_rare_pooled(table)
    if table.shape[1] < 2 or not table.sum(axis=1).all():
        return 1.0
    if table.shape[1] == 2:
        return float(fisher_exact(table).pvalue)
    return float(chi2_contingency(table, correction=False).pvalue)


def _with_rare_pooled(table: np.ndarray) -> np.ndarray:
    totals = table.sum(axis=1)
    expected = table.sum(axis=0) * totals.min() / max(totals.sum(), 1)
    rare = expected < LEAST_EXPECTED
    if not rare.any():
        return table
    kept, pooled = table[:, ~rare], table[:, rare].sum(axis=1, keepdims=True)
    if expected[rare].sum() >= LEAST_EXPECTED or kept.shape[1] == 0:
        return np.hstack([kept, pooled])
    # Together they are still rare: they are counted with the smallest of the others.
    kept[:, [np.argmin(kept.sum(axis=0))]] += pooled
    return kept

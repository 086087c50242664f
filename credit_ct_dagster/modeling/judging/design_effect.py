"""How much less the rows of few customers tell than those of many."""

import numpy as np


def design_effect(
    hits: np.ndarray, customers: np.ndarray, groups: np.ndarray | None = None
) -> float:
    """How many rows tell as much about a share as one row of a customer of its own; at least 1.

    The variance of the share between customers, divided by the variance that independent rows would
    have (Kish 1965, "Survey Sampling", section 8.2). Of several groups, each with a share of its
    own, one effect is estimated from all together (Rao and Scott 1992, "A simple method for the
    analysis of clustered binary data").

    Args:
        hits: Whether each row counts, such as: is predicted rightly. Shape (rows,).
        customers: The customer of each row, of the same shape.
        groups: The group of each row, of the same shape; None: all are one group.

    Returns:
        1 without rows, and when each customer has one row in a group. Where every group's share is
        0 or 1, or every group is one customer, nothing tells how alike a customer's rows are: they
        count as if they were all alike.
    """
    _, group = np.unique(np.zeros(len(hits)) if groups is None else groups, return_inverse=True)
    _, customer = np.unique(customers, return_inverse=True)
    cluster = np.unique(group * len(hits) + customer, return_inverse=True)[1]
    sizes = np.bincount(cluster)
    if sizes.max(initial=1) == 1:
        return 1.0
    share = (np.bincount(group, weights=hits) / np.bincount(group))[group]
    independent = float((share * (1 - share)).sum())
    if independent == 0 or len(sizes) == len(np.unique(group)):
        return float((sizes**2).sum() / len(hits))
    deviations = np.bincount(cluster, weights=hits - share)
    return max(1.0, float((deviations**2).sum()) / independent)

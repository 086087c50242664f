"""Least values that a challenger must reach, and whether it misses one by more than chance."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import betainc

from credit_ct_dagster.contracts.decision import Floor, FloorVerdict
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.gate_rules import GateRules
from credit_ct_dagster.modeling.judging.slices import SLICES


def floors(
    rows: pd.DataFrame,
    challenger: np.ndarray,
    champion: np.ndarray | None,
    rules: GateRules,
) -> list[Floor]:
    """What a challenger and the champion reach per class and slice, and what is required.

    Some 20 floors are examined, and a model that lies exactly at each of them misses half of them
    by chance. So a value counts as below its floor only if it is improbable for a model that lies
    at the floor. The probability is divided among all floors that have rows (Bonferroni): such a
    model is taken for a failure in at most `1 - floor_confidence` of cases.

    Args:
        rows: Labelled rows, raw.
        challenger: Predicted classes, shape (rows,).
        champion: The same, of the model in service; None without one.
        rules: The least values, and the confidence.
    """
    required = list(_required(rows, rules))
    judged = sum(each.rows.any() for each in required)
    level = (1 - rules.floor_confidence) / max(judged, 1)
    customer, _ = pd.factorize(rows[schema.CUSTOMER])
    truth = rows[schema.TARGET].to_numpy(dtype=str)

    def reached(predicted: np.ndarray, floor: _Required) -> _Reached:
        right = (predicted == truth)[floor.rows]
        return _reached(right, customer[floor.rows], floor.least, level)

    found = []
    for each in required:
        ours = reached(challenger, each)
        theirs = None if champion is None else reached(champion, each)
        found.append(
            Floor(
                what=each.what,
                value=ours.value,
                least=each.least,
                rows=int(each.rows.sum()),
                verdict=ours.verdict,
                p_value=ours.p_value,
                champion=theirs.value if theirs else None,
                champion_verdict=theirs.verdict if theirs else None,
            )
        )
    return found


def p_value(right: np.ndarray, customer: np.ndarray, least: float) -> float:
    """Probability that a model at the floor is right as rarely as this, or more rarely.

    The lower tail of the binomial distribution, exact when each customer has one row. Several rows
    of one customer count for less than as many customers: then it is the tail for the effective
    number of rows, which is their number divided by the design effect (Korn and Graubard 1998,
    "Confidence intervals for proportions with small expected number of positive counts estimated
    from survey data", Survey Methodology 24).

    Args:
        right: Whether each row is predicted rightly, shape (rows,).
        customer: The number of each row's customer, of the same shape.
        least: The floor, 0 to 1.

    Returns:
        1 without rows, because nothing contradicts the floor.
    """
    if right.all():
        return 1.0
    effective = len(right) / design_effect(right, customer)
    hits = effective * right.mean()
    # The binomial distribution function, continued to numbers that are not whole.
    return float(betainc(effective - hits, hits + 1, 1 - least))


def design_effect(right: np.ndarray, customer: np.ndarray) -> float:
    """How many times larger the variance of a share is than that of independent rows.

    1 when each customer has one row; never less than 1 (Kish 1965, "Survey Sampling", section 8.2).

    Args:
        right: Whether each row is predicted rightly, shape (rows,), not empty.
        customer: The number of each row's customer, of the same shape.
    """
    sizes = np.bincount(customer)
    if sizes.max() == 1:
        return 1.0
    share = right.mean()
    if share in (0, 1):  # nothing tells how alike a customer's rows are: as alike as can be
        return float((sizes**2).sum() / len(right))
    deviations = np.bincount(customer, weights=right - share)
    return max(1.0, float((deviations**2).sum() / (len(right) * share * (1 - share))))


@dataclass(frozen=True)
class _Required:
    """A floor, and which rows it is measured on, shape (rows,)."""

    what: str
    least: float
    rows: np.ndarray


@dataclass(frozen=True)
class _Reached:
    """What one model reaches at a floor."""

    value: float
    p_value: float
    verdict: FloorVerdict


def _required(rows: pd.DataFrame, rules: GateRules) -> Iterator[_Required]:
    truth = rows[schema.TARGET].to_numpy(dtype=str)
    for name in schema.CLASSES:
        yield _Required(f"recall of {name}", rules.min_recall, truth == name)
    for kind, slice_of in SLICES.items():
        group = slice_of(rows).to_numpy(dtype=str)
        for name, size in zip(*np.unique(group, return_counts=True), strict=True):
            if size >= rules.min_slice_rows:
                what = f"accuracy of {kind} {name}"
                yield _Required(what, rules.min_slice_accuracy, group == name)


def _reached(right: np.ndarray, customer: np.ndarray, least: float, level: float) -> _Reached:
    """Compare a share with its floor, at a level of significance."""
    if not len(right):
        return _Reached(0.0, 1.0, FloorVerdict.uncertain)
    value, by_chance = float(right.mean()), p_value(right, customer, least)
    if value >= least:
        return _Reached(value, by_chance, FloorVerdict.met)
    below = by_chance < level
    return _Reached(value, by_chance, FloorVerdict.below if below else FloorVerdict.uncertain)

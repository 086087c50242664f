"""Least values that a challenger must reach, and whether it misses one by more than chance."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import betainc

from credit_ct_dagster.contracts.decision import Floor, FloorVerdict
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.design_effect import design_effect
from credit_ct_dagster.modeling.judging.gate_rules import GateRules
from credit_ct_dagster.modeling.judging.slices import SLICES

_LEAST_CUSTOMERS = 10
"""Of fewer customers with several rows, nothing reliable is known of how alike their rows are."""


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

    Where both models lie below a floor, a paired test says whether the challenger is lower than the
    champion. Its level is not divided: what chance refuses here waits for a day, whereas a group
    that is served worse than before is a loss.

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
    models = np.stack([each == truth for each in (challenger, champion) if each is not None])
    return [
        _floor(each, models[:, each.rows], customer[each.rows], level, 1 - rules.floor_confidence)
        for each in required
    ]


def p_value(right: np.ndarray, least: float, effect: float = 1.0) -> float:
    """Probability that a model at the floor is right as rarely as this, or more rarely.

    The lower tail of the binomial distribution, exact when each customer has one row. Several rows
    of one customer count for less than as many customers: then it is the tail for the effective
    number of rows, which is their number divided by the design effect (Korn and Graubard 1998,
    "Confidence intervals for proportions with small expected number of positive counts estimated
    from survey data", Survey Methodology 24).

    Args:
        right: Whether each row is predicted rightly, shape (rows,).
        least: The floor, 0 to 1.
        effect: The design effect, 1 or more.

    Returns:
        1 without rows, because nothing contradicts the floor.
    """
    if right.all():
        return 1.0
    effective = len(right) / effect
    hits = effective * right.mean()
    # The binomial distribution function, continued to numbers that are not whole.
    return float(betainc(effective - hits, hits + 1, 1 - least))


def lower_than_champion(
    challenger: np.ndarray, champion: np.ndarray, customers: np.ndarray
) -> float:
    """Probability that chance alone puts a challenger so far below a champion of the same share.

    The exact sign test of customers, one-sided: of those on whom the models are not right equally
    often, how many favour the champion. With one row per customer it is McNemar's exact test.

    Args:
        challenger: Whether it predicts each row rightly, shape (rows,).
        champion: The same.
        customers: The number of each row's customer, of the same shape.

    Returns:
        1 where no customer favours the champion.
    """
    net = np.bincount(customers, weights=champion.astype(float) - challenger)
    favours, differing = int((net > 0).sum()), int((net != 0).sum())
    return float(betainc(favours, differing - favours + 1, 0.5)) if favours else 1.0


@dataclass(frozen=True)
class _Required:
    """A floor, and which rows it is measured on, shape (rows,)."""

    what: str
    least: float
    rows: np.ndarray


def _required(rows: pd.DataFrame, rules: GateRules) -> Iterator[_Required]:
    truth = rows[schema.TARGET].to_numpy(dtype=str)
    for name in schema.CLASSES:
        yield _Required(f"recall of {name}", rules.min_recall, truth == name)
    for kind, slice_of in SLICES.items():
        # Of a million rows, texts take seconds to sort, and a moment to number.
        group, names = pd.factorize(slice_of(rows), sort=True)
        for place, (name, size) in enumerate(zip(names, np.bincount(group), strict=True)):
            if size >= rules.min_slice_rows:
                what = f"accuracy of {kind} {name}"
                yield _Required(what, rules.min_slice_accuracy, group == place)


def _floor(
    required: _Required, right: np.ndarray, customer: np.ndarray, level: float, paired: float
) -> Floor:
    """Compare what models reach with a floor.

    Args:
        required: The floor.
        right: Whether each model predicts each of its rows rightly, shape (models, rows): the
            challenger, and then the champion, if there is one.
        customer: The number of each row's customer, shape (rows,).
        level: Of significance, of a value below the floor.
        paired: Of a challenger below the champion.
    """
    count = len(customer)
    # One effect for both, estimated together: of equal shares, one must not be below beyond doubt
    # and the other not.
    model = np.repeat(np.arange(len(right)), count)
    effect = design_effect(right.ravel(), np.tile(customer, len(right)), model)
    customers = len(np.unique(customer))
    is_known = customers == count or customers >= _LEAST_CUSTOMERS
    values = [float(each.mean()) if count else 0.0 for each in right]
    chances = [p_value(each, required.least, effect) for each in right]
    verdicts = [
        _verdict(value, required.least, is_known and chance < level)
        for value, chance in zip(values, chances, strict=True)
    ]
    lower = None
    if len(right) > 1 and count and max(values) < required.least:
        lower = lower_than_champion(right[0], right[1], customer)
    return Floor(
        what=required.what,
        value=values[0],
        least=required.least,
        rows=count,
        verdict=verdicts[0],
        p_value=chances[0],
        champion=values[1] if len(right) > 1 else None,
        champion_verdict=verdicts[1] if len(right) > 1 else None,
        paired_p_value=lower,
        lower_than_champion=None if lower is None else lower < paired,
    )


def _verdict(value: float, least: float, is_improbable: bool) -> FloorVerdict:
    if value >= least:
        return FloorVerdict.met
    return FloorVerdict.below if is_improbable else FloorVerdict.uncertain

"""Whether windows may be pooled: after a drift, the newest contradicts those before it.

What windows say together is evidence of how two models compare only if they agree. Where they do
not, most of the pooled rows are of a world that has passed.
"""

from statistics import NormalDist

import numpy as np
import pandas as pd

from credit_ct_dagster.contracts.decision import Comparison, Estimate
from credit_ct_dagster.contracts.utility import Utility
from credit_ct_dagster.contracts.window_contrast import WindowContrast
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging import confusion
from credit_ct_dagster.modeling.judging.gate_rules import GateRules


def contrast(
    rows: pd.DataFrame,
    is_newest: np.ndarray,
    challenger: np.ndarray,
    champion: np.ndarray,
    utility: Utility,
    rules: GateRules,
) -> WindowContrast | None:
    """Compare what the newest rows say of two models with what the older ones say.

    A test of interaction (Altman and Bland 2003, "Interaction revisited: the difference between two
    estimates", BMJ 326): by the paired bootstrap of the gate, in which each draw takes the same
    customers for both models and for all windows.

    Args:
        rows: Labelled rows of customers that neither model saw.
        is_newest: Whether each row is of the newest window, shape (rows,).
        challenger: Predicted classes, shape (rows,).
        champion: The same.
        utility: What the bank wants of a class.
        rules: The level, and the bootstrap.

    Returns:
        None where one of the two sides has too few customers, or too few rows on which the models
        differ: the bootstrap of these gives no valid interval.
    """
    parts = is_newest, ~is_newest
    for part in parts:
        customers = rows[schema.CUSTOMER].to_numpy()[part]
        differing = int((challenger != champion)[part].sum())
        if differing < rules.min_differing_rows or pd.unique(customers).size < rules.min_customers:
            return None
    models = challenger, champion
    counts = np.stack(
        [
            np.stack([confusion.counts_per_customer(rows, each, part) for each in models], axis=1)
            for part in parts
        ],
        axis=1,
    )
    newest, older = _gains(counts.sum(axis=0), utility)
    drawn = _gains(confusion.resampled(counts, rules.draws, rules.seed), utility)
    found = confusion.estimate(newest - older, drawn[:, 0] - drawn[:, 1], rules.window_confidence)
    return WindowContrast(
        newest=float(newest),
        older=float(older),
        pooled=float(_gains(counts.sum(axis=(0, 1)), utility)),
        low=found.low,
        high=found.high,
        confidence=rules.window_confidence,
    )


def for_newest(comparison: Comparison, rules: GateRules) -> Comparison:
    """The comparison on the newest window, with the interval by which it decides.

    Whoever may be promoted by all windows where they agree, and by the newest where they do not,
    has two chances to win by luck. With equally uncertain rows, what windows say together is
    independent of how they differ, so luck wins by all of them in `a (1 - w)` of cases instead of
    `a`, where `a` is the level of the gate and `w` that of the contradiction. The newest gets the
    remaining `a w`; the interval is as much wider as a normal distribution's.

    Args:
        comparison: On the newest window, at the level of the gate.
        rules: The levels.
    """
    wider = _deviations(rules.newest_confidence) / _deviations(rules.confidence)
    found = comparison.difference
    difference = Estimate(
        value=found.value,
        low=found.value - wider * (found.value - found.low),
        high=found.value + wider * (found.high - found.value),
    )
    return comparison.model_copy(
        update={"difference": difference, "confidence": rules.newest_confidence}
    )


def _gains(counts: np.ndarray, utility: Utility) -> np.ndarray:
    """How much better the first of two models is, of shape (…) for counts (…, 2, 3, 3)."""
    goodness = confusion.goodness(counts, utility)
    return goodness[..., 0] - goodness[..., 1]


def _deviations(confidence: float) -> float:
    """Half the width of a normal distribution's interval, in standard deviations."""
    return NormalDist().inv_cdf((1 + confidence) / 2)

"""Whether a model predicts the favourable class less often for a group, beyond chance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from credit_ct_dagster.contracts.decision import Estimate
from credit_ct_dagster.contracts.fairness import Fairness, GroupFairness
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.design_effect import design_effect
from credit_ct_dagster.modeling.judging.slices import not_grouped, slices_by

_Z = 1.959964
"""The 97.5 % quantile of the normal distribution, for intervals of 95 %."""


def fairness_of(
    rows: pd.DataFrame,
    predicted: np.ndarray,
    protected: Sequence[str] = (),
    base_dts: Sequence[str] = (),
) -> Fairness:
    """Compare every group of customers with all others of its kind.

    Fisher's exact test on the rows that are predicted as the favourable class, two-sided, and
    Holm's adjustment (1979) over all groups. Rows of one customer resemble each other, so where
    customers have several, counts are divided by the design effect before (Rao and Scott 1992, "A
    simple method for the analysis of clustered binary data").

    Args:
        rows: Labelled raw rows of customers that the model has not seen; pooled holdouts.
        predicted: Classes, shape (rows,).
        protected: Features by which customers are grouped as well as by those of the schema.
        base_dts: The base dates whose holdouts were pooled, newest first.
    """
    favourable = predicted == schema.FAVOURABLE
    truth = rows[schema.TARGET].to_numpy(dtype=str)
    customers = rows[schema.CUSTOMER].to_numpy(dtype=str)
    kinds = {kind: of(rows).to_numpy(dtype=str) for kind, of in slices_by(protected).items()}
    groups = [(kind, name, of == name) for kind, of in kinds.items() for name in np.unique(of)]
    effect = max((design_effect(favourable, customers, of) for of in kinds.values()), default=1.0)
    tables = [
        TwoByTwo(
            favourable[inside].sum() / effect,
            inside.sum() / effect,
            favourable[~inside].sum() / effect,
            (~inside).sum() / effect,
        )
        for _, _, inside in groups
    ]
    adjusted = holm([each.fisher() for each in tables])
    good = truth == schema.FAVOURABLE
    return Fairness(
        groups=[
            GroupFairness(
                kind=kind,
                name=name,
                rows=int(inside.sum()),
                accuracy=float((predicted == truth)[inside].mean()),
                favourable=table.share,
                rest=table.rest,
                ratio=table.ratio(),
                p_value=p_value,
                truly_good=int((inside & good).sum()),
                recall_good=wilson(
                    (inside & good & favourable).sum() / effect, (inside & good).sum() / effect
                ),
            )
            for (kind, name, inside), table, p_value in zip(groups, tables, adjusted, strict=True)
        ],
        rows=len(rows),
        customers=len(np.unique(customers)),
        base_dts=list(base_dts),
        design_effect=effect,
        not_grouped=not_grouped(protected),
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for their number, in their order (Holm 1979): 0 to 1."""
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.maximum.accumulate(np.asarray(p_values, dtype=float)[order] * factors)
    return [float(each) for each in np.minimum(adjusted, 1.0)]


def wilson(hits: float, of: float) -> Estimate | None:
    """A share with its 95 % interval (Wilson 1927); None of nothing.

    Args:
        hits: How many have it.
        of: How many there are.
    """
    if of == 0:
        return None
    share, z2 = hits / of, _Z**2
    centre = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = _Z / (1 + z2 / of) * np.sqrt(share * (1 - share) / of + z2 / (4 * of**2))
    # Rounding must not put the share outside its interval.
    low, high = min(share, max(0.0, centre - half)), max(share, min(1.0, centre + half))
    return Estimate(value=float(share), low=float(low), high=float(high))


@dataclass(frozen=True)
class TwoByTwo:
    """A group and the rest, with how many of each are predicted as the favourable class.

    Attributes:
        good: Of the group.
        rows: Of the group.
        others_good: Of the rest.
        others: Rows of the rest.
    """

    good: float
    rows: float
    others_good: float
    others: float

    @property
    def share(self) -> float:
        """Of the group."""
        return float(self.good / self.rows)

    @property
    def rest(self) -> float:
        """The share of the rest; 0 without rows."""
        return float(self.others_good / self.others) if self.others else 0.0

    def ratio(self) -> Estimate | None:
        """The ratio of the shares with its 95 % interval; None when the rest has no favourable one.

        The logarithm of the ratio is about normal (Katz et al. 1978). Where the group has no
        favourable one, half a row is added to each count (Walter 1975), and the interval begins at
        0.
        """
        if not self.others_good:
            return None
        ratio = self.share / self.rest
        good, others_good, half = self.good, self.others_good, 0.0
        if not good:
            good, others_good, half = 0.5, others_good + 0.5, 0.5
        rows, others = self.rows + half, self.others + half
        error = np.sqrt(max(0.0, 1 / good - 1 / rows + 1 / others_good - 1 / others))
        centre = np.log((good / rows) / (others_good / others))
        low, high = np.exp(centre - _Z * error), np.exp(centre + _Z * error)
        return Estimate(value=ratio, low=float(low) if self.good else 0.0, high=float(high))

    def fisher(self) -> float:
        """Fisher's exact test, two-sided; 1 for a group without others."""
        # SciPy's statistics take half a second to import.
        from scipy.stats import fisher_exact

        good, others_good = round(self.good), round(self.others_good)
        rows, others = max(good, round(self.rows)), max(others_good, round(self.others))
        table = [[good, rows - good], [others_good, others - others_good]]
        return float(fisher_exact(table).pvalue)

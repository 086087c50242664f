"""Whether a model predicts "Good" less often for a group of customers than for all others."""

from collections.abc import Sequence
from enum import StrEnum

from credit_ct_dagster.contracts.decision import Estimate
from credit_ct_dagster.contracts.record import Part

LEAST_RATIO = 0.8
"""Below it, a ratio of shares is commonly taken as adverse impact: the four-fifths rule
(29 CFR 1607.4 D), which names statistical significance as a condition, too."""
SIGNIFICANCE = 0.05
"""Of all groups of a page together: how often a fair model may have any group flagged."""


class Impact(StrEnum):
    """What the shares of a group mean."""

    none = "no sign of adverse impact"
    uncertain = "too few rows to say"
    adverse = "adverse impact"


class GroupFairness(Part):
    """How a model treats one group of customers, compared with all others.

    Attributes:
        kind: What the groups are made by, such as `age band`.
        name: The group.
        rows: In it.
        accuracy: Share of right predictions.
        favourable: Share that is predicted "Good".
        rest: The same share of all other rows.
        ratio: The first share divided by the second, with a 95 % interval; None when none of the
            other rows is predicted "Good".
        p_value: Probability of shares at least as different if the group made no difference,
            adjusted for all groups of the page.
        truly_good: Rows of the group whose label is "Good".
        recall_good: Share of these that is predicted "Good", with a 95 % interval: the same in
            every group where opportunity is equal. None without such a row.
    """

    kind: str
    name: str
    rows: int
    accuracy: float
    favourable: float
    rest: float
    ratio: Estimate | None
    p_value: float
    truly_good: int
    recall_good: Estimate | None

    @property
    def impact(self) -> Impact:
        """Whether the ratio lies below four fifths, and whether that may be chance."""
        if self.ratio is None or self.ratio.value >= LEAST_RATIO:
            return Impact.none
        return Impact.adverse if self.p_value < SIGNIFICANCE else Impact.uncertain


class Fairness(Part):
    """How a model treats groups of customers.

    Attributes:
        groups: Of every kind, compared with all others of the kind.
        rows: How many rows.
        customers: Of how many customers.
        base_dts: The base dates whose holdouts were pooled, newest first.
        design_effect: How many rows tell as much as one row of a customer of its own: 1 if no
            customer has two.
        not_grouped: Protected features by whose values customers cannot be grouped.
    """

    groups: Sequence[GroupFairness]
    rows: int
    customers: int
    base_dts: Sequence[str] = ()
    design_effect: float = 1.0
    not_grouped: Sequence[str] = ()

    @property
    def adverse(self) -> Sequence[GroupFairness]:
        """The groups that are flagged."""
        return [each for each in self.groups if each.impact == Impact.adverse]

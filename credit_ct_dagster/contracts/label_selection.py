"""Which customers have labels: whether those who have one are a fair sample of all."""

from collections.abc import Sequence

from credit_ct_dagster.contracts.record import Part

SIGNIFICANCE = 0.05
"""Of all comparisons of a model's labelled answers with its others: how often equal shares may be
taken for different ones."""


class GroupCoverage(Part):
    """The customers of one group whose answers have a label.

    Attributes:
        name: The group.
        customers: In it.
        labelled: Customers with a label.
    """

    name: str
    customers: int
    labelled: int

    @property
    def coverage(self) -> float:
        """Share of the customers with a label, 0 to 1."""
        return self.labelled / self.customers if self.customers else 0.0


class Selection(Part):
    """Whether customers of some groups have labels more often than others.

    Attributes:
        kind: What the groups are made by: `predicted class`, `source`, `age band`, `occupation`.
        groups: The share of each with a label.
        p_value: Probability of shares at least as different if the group made no difference,
            adjusted for all kinds of the model.
    """

    kind: str
    groups: Sequence[GroupCoverage]
    p_value: float

    @property
    def differs(self) -> bool:
        """Whether chance is excluded."""
        return self.p_value < SIGNIFICANCE

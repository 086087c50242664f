"""The configuration of the rules for rows; `quarantine` applies them."""

from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, Field, model_validator

from credit_ct_dagster.contracts.splits import Limits
from credit_ct_dagster.modeling import schema


class Bounds(BaseModel):
    """Between which values a number must lie, both included."""

    low: float | None = Field(
        default=None,
        allow_inf_nan=False,
        description="Quarantines rows with a lower value; none: no lower bound",
    )
    high: float | None = Field(
        default=None,
        allow_inf_nan=False,
        description="Quarantines rows with a higher value; none: no upper bound",
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"low, {self.low:g}, must not lie above high, {self.high:g}")
        return self

    def __str__(self) -> str:
        if self.low is None and self.high is None:
            return "any number"
        if self.high is None:
            return f"{self.low:,.12g} or more"
        return (
            f"at most {self.high:,.12g}"
            if self.low is None
            else f"{self.low:,.12g} to {self.high:,.12g}"
        )


BOUNDS = {
    column.name: Bounds(low=column.low, high=column.high)
    for column in schema.COLUMNS.values()
    if (column.low, column.high) != (None, None)
}
"""The platform's own, as the schema declares them."""


class RowRules(BaseModel):
    """Which rows may be trained on, and how many others there may be."""

    bounds: Mapping[str, Bounds] = Field(
        default_factory=dict,
        description="Replaces the platform's own bounds of numeric features, by column. Rows with a"
        " value outside are quarantined.",
    )
    max_quarantined_share: float = Field(
        default=0.02,
        ge=0,
        lt=1,
        description="Fails the base date when a larger share of its rows is in quarantine, 0 to 1."
        " Single bad rows are normal; more than 2 % point to a fault in the source.",
    )

    @model_validator(mode="after")
    def _known_columns(self) -> Self:
        unknown = set(self.bounds) - set(schema.NUMERIC)
        if unknown:
            raise ValueError(f"bounds name {', '.join(sorted(unknown))}: not a numeric feature")
        return self

    def bounds_of(self, column: str) -> Bounds:
        """The bounds of a number; those of a number without any accept every finite value."""
        return self.bounds.get(column) or BOUNDS.get(column) or Bounds()


def rules_of(limits: Mapping[str, Limits]) -> RowRules:
    """The rules for rows of a packaged model, for whoever scores: one customer, or a table.

    Args:
        limits: By which its training rows were chosen. A number that they do not name has the
            platform's own bounds.
    """
    return RowRules(
        bounds={
            name: Bounds(low=each.low, high=each.high)
            for name, each in limits.items()
            if name in schema.NUMERIC  # an earlier release may have had other features
        }
    )

"""The configuration of the rules for rows; `quarantine` applies them."""

from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, Field, model_validator

from credit_ct_dagster.contracts.splits import Limits
from credit_ct_dagster.modeling import schema


class Bounds(BaseModel):
    """Between which values a number must lie, both included."""

    low: float | None = Field(
        default=None, description="Quarantines rows with a lower value; none: no lower bound"
    )
    high: float | None = Field(
        default=None, description="Quarantines rows with a higher value; none: no upper bound"
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
    # The youngest account holder of the data is 14; nobody is known to have lived past 122.
    "age": Bounds(low=14, high=120),
    # Amounts that are received, owed, paid or put aside are not negative, and a private customer's
    # are below a billion: more than that is a slipped decimal point or a placeholder.
    "annual_income": Bounds(low=0, high=1e9),
    "monthly_inhand_salary": Bounds(low=0, high=1e9),
    "outstanding_debt": Bounds(low=0, high=1e9),
    "total_emi_per_month": Bounds(low=0, high=1e9),
    "amount_invested_monthly": Bounds(low=0, high=1e9),
    # An overdrawn account is below zero.
    "monthly_balance": Bounds(low=-1e9, high=1e9),
    # Counts are not negative; a hundred accounts, cards or loans of one customer are an error.
    "num_bank_accounts": Bounds(low=0, high=100),
    "num_credit_card": Bounds(low=0, high=100),
    "num_of_loan": Bounds(low=0, high=100),
    # One a day, over a year.
    "num_of_delayed_payment": Bounds(low=0, high=366),
    "num_credit_inquiries": Bounds(low=0, high=366),
    # Percent per year; usury laws end far below.
    "interest_rate": Bounds(low=0, high=100),
    # A year too early, or a year too late: what is later has been written off.
    "delay_from_due_date": Bounds(low=-366, high=366),
    # A limit cannot fall by more than all of it; more than tenfold is a new contract.
    "changed_credit_limit": Bounds(low=-100, high=1000),
    # Above 100 percent a limit is exceeded, which happens; ten times the limit does not.
    "credit_utilization_ratio": Bounds(low=0, high=1000),
    # Months: not longer than a life.
    "credit_history_age": Bounds(low=0, high=1440),
}


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

"""What a row must be like to be trained on, and the quarantine of those that are not.

The rules are a pandera schema made from the columns of `schema` and the bounds below.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
import pandera.pandas as pa
from pydantic import BaseModel, Field, model_validator

from credit_ct_dagster.errors import DataError
from credit_ct_dagster.modeling import schema

REASONS = "reasons"
"""Column of quarantined rows: the rules that a row breaks, separated by semicolons."""

_CLOSED_SETS = {
    "credit_mix": ["Bad", "Standard", "Good"],
    "payment_of_min_amount": ["Yes", "No", "NM"],
    schema.TARGET: schema.CLASSES,
}
_ONCE = ["id", schema.CUSTOMER]


class Bounds(BaseModel):
    """Between which values a number must lie, both included; none: no bound on that side."""

    low: float | None = None
    high: float | None = None

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
    """Which rows are fit to train on, and how many may not be."""

    bounds: Mapping[str, Bounds] = Field(
        default_factory=dict,
        description="Bounds of numeric features in the place of the platform's own",
    )
    max_quarantined_share: float = Field(
        default=0.02, ge=0, lt=1, description="With more rows in quarantine the base date fails"
    )

    @model_validator(mode="after")
    def _known_columns(self) -> Self:
        unknown = set(self.bounds) - set(schema.NUMERIC)
        if unknown:
            raise ValueError(f"bounds name {', '.join(sorted(unknown))}: not a numeric feature")
        return self

    def as_schema(self) -> pa.DataFrameSchema:
        """The rules for merged rows."""
        return pa.DataFrameSchema(
            {name: self._column(schema.COLUMNS[name]) for name in schema.MERGED_COLUMNS},
            unique=_ONCE,
        )

    def _column(self, column: schema.Column) -> pa.Column:
        name = column.name
        checks = []
        if column.kind == schema.Kind.number:
            bounds = self.bounds.get(name, BOUNDS[name])
            low = -np.inf if bounds.low is None else bounds.low
            high = np.inf if bounds.high is None else bounds.high
            checks.append(
                pa.Check(
                    lambda values: np.isfinite(values) & values.between(low, high),
                    error=f"{name} must be {bounds}",
                )
            )
        if name in ("date", schema.BASE_DATE):
            checks.append(pa.Check(_is_day, error=f"{name} must be a day that exists, YYYY-MM-DD"))
        if name in _CLOSED_SETS:
            allowed = _CLOSED_SETS[name]
            checks.append(pa.Check.isin(allowed, error=f"{name} must be {_listed(allowed)}"))
        if column.length is not None:
            checks.append(
                pa.Check.str_length(
                    max_value=column.length,
                    error=f"{name} must have at most {column.length} characters",
                )
            )
        return pa.Column(
            "float64" if column.kind == schema.Kind.number else None,
            checks,
            nullable=name in schema.FEATURES,
        )


@dataclass(frozen=True)
class SortedRows:
    """Rows, by whether they may be trained on.

    Attributes:
        kept: Those that break no rule.
        quarantined: The others, with their `REASONS`.
        per_rule: How many rows break each rule; a row may break several.
    """

    kept: pd.DataFrame
    quarantined: pd.DataFrame
    per_rule: Mapping[str, int]

    @property
    def quarantined_share(self) -> float:
        """Of all rows, 0 to 1."""
        return len(self.quarantined) / max(1, len(self.kept) + len(self.quarantined))

    def sentence(self) -> str:
        """What is in quarantine, for a person; alerts carry it away, so it shows nothing of a row.

        A row may break several rules; the most broken one stands first.
        """
        if self.quarantined.empty:
            return f"All {len(self.kept):,} rows keep every rule."
        rules = "; ".join(f"{rule} ({rows:,} rows)" for rule, rows in self.per_rule.items())
        total = len(self.kept) + len(self.quarantined)
        return (
            f"{len(self.quarantined):,} of {total:,} rows ({self.quarantined_share:.2%}) break a"
            f" rule: {rules}."
        )


def sort_out(rows: pd.DataFrame, rules: RowRules) -> SortedRows:
    """Divide merged rows into those that may be trained on and those that may not.

    Args:
        rows: Columns `schema.MERGED_COLUMNS`.
        rules: What a row must be like.

    Raises:
        DataError: A column is missing, or holds another type of value than its kind.
    """
    rows = rows.reset_index(drop=True)
    try:
        rules.as_schema().validate(rows, lazy=True)
    except pa.errors.SchemaErrors as error:
        broken = _broken(error.failure_cases)
        bad = rows.loc[broken.index].assign(**{REASONS: broken})
        counts = broken.str.split("; ").explode().value_counts()
        kept = rows.drop(index=broken.index).reset_index(drop=True)
        return SortedRows(
            kept, bad.reset_index(drop=True), {str(rule): int(n) for rule, n in counts.items()}
        )
    return SortedRows(rows, rows.iloc[:0].assign(**{REASONS: pd.Series(dtype=object)}), {})


def _broken(failures: pd.DataFrame) -> pd.Series:
    """The rules that are broken per row, joined."""
    of_table = failures[failures["index"].isna()]
    if len(of_table):
        names = of_table["column"].fillna(of_table["failure_case"]).astype(str).unique()
        raise DataError(
            f"Columns of the merged rows are missing or of another type: {', '.join(names)}."
            " Correct the tables of the feature store."
        )
    rules = failures["check"].replace(
        {"multiple_fields_uniqueness": f"{' and '.join(_ONCE)} must occur once"}
    )
    absent = rules == "not_nullable"
    rules = rules.mask(absent, failures["column"].astype(str) + " must not be NULL")
    return rules.groupby(failures["index"].astype(int)).agg(
        lambda each: "; ".join(dict.fromkeys(each))
    )


def _is_day(values: pd.Series) -> pd.Series:
    days = pd.to_datetime(values, format="%Y-%m-%d", errors="coerce")
    return days.dt.strftime("%Y-%m-%d") == values


def _listed(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"

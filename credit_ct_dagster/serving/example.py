"""A realistic customer, for documentation."""

from typing import Any

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.rows.row_rules import BOUNDS, Bounds

_EXAMPLE: dict[str, float | str] = {
    "age": 33,
    "occupation": "Engineer",
    "annual_income": 37_550.74,
    "monthly_inhand_salary": 3_093.75,
    "num_bank_accounts": 5,
    "num_credit_card": 5,
    "interest_rate": 13,
    "num_of_loan": 3,
    "type_of_loan": "personal loan, auto loan, student loan",
    "delay_from_due_date": 18,
    "num_of_delayed_payment": 14,
    "changed_credit_limit": 9.4,
    "num_credit_inquiries": 5,
    "credit_mix": "Standard",
    "outstanding_debt": 1_166.37,
    "credit_utilization_ratio": 32.41,
    "credit_history_age": 222,
    "payment_of_min_amount": "Yes",
    "total_emi_per_month": 69.25,
    "amount_invested_monthly": 132.71,
    "payment_behaviour": "Low_spent_Small_value_payments",
    "monthly_balance": 336.73,
}

CUSTOMER_ID = "CUS_0x1f4"


def example() -> dict[str, Any]:
    """The features of a realistic customer, in the order of the schema."""
    return {name: _EXAMPLE.get(name, _any_value(name)) for name in schema.FEATURES}


def example_with_id() -> dict[str, Any]:
    """The same customer, with an identifier."""
    return {schema.CUSTOMER: CUSTOMER_ID} | example()


def _any_value(name: str) -> float | str:
    """For a feature that has been added to the schema, and not to the example."""
    column = schema.COLUMNS[name]
    if column.kind != schema.Kind.number:
        return column.words[0] if column.words else "first"
    bounds = BOUNDS.get(name) or Bounds()
    return next(each for each in (bounds.low, bounds.high, 0.0) if each is not None)

"""A realistic customer, for documentation."""

from typing import Any

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.rows.row_rules import BOUNDS, Bounds

CUSTOMER_ID = "CUS_0x1f4"[: schema.COLUMNS[schema.CUSTOMER].length]


def example() -> dict[str, Any]:
    """The features of a realistic customer, in the order of the schema."""
    return {name: _value(name) for name in schema.FEATURES}


def example_with_id() -> dict[str, Any]:
    """The same customer, with an identifier."""
    return {schema.CUSTOMER: CUSTOMER_ID} | example()


def _value(name: str) -> float | str:
    column = schema.COLUMNS[name]
    if column.example is not None:
        return column.example
    if column.kind != schema.Kind.number:
        return column.words[0] if column.words else "first"[: column.length]
    bounds = BOUNDS.get(name) or Bounds()
    return next(each for each in (bounds.low, bounds.high, 0.0) if each is not None)

"""Splitting by customer."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from credit_ct_dagster.errors import DataError
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.splitting import (
    SPLITS,
    customer_position,
    data_fingerprint,
    split_by_customer,
)

_ids = st.lists(st.text("0123456789", min_size=1, max_size=10), min_size=1, max_size=40)


def _rows(customers: list[str]) -> pd.DataFrame:
    classes = [schema.CLASSES[n % 3] for n in range(len(customers))]
    return pd.DataFrame({schema.CUSTOMER: customers, schema.TARGET: classes})


def _sides(rows: pd.DataFrame) -> dict[str, str]:
    splits = split_by_customer(rows, 0.7, 0.15)
    return {customer: name for name in SPLITS for customer in splits[name][schema.CUSTOMER]}


@given(_ids, _ids)
def test_a_customers_position_depends_on_nothing_else(some: list[str], others: list[str]) -> None:
    """Whatever other rows there are, a customer lies where it lies."""
    alone = dict(zip(some, customer_position(pd.Series(some)), strict=True))
    together = dict(zip(others + some, customer_position(pd.Series(others + some)), strict=True))
    assert all(together[customer] == position for customer, position in alone.items())
    assert all(0 <= position < 1 for position in together.values())


def test_positions_are_the_same_on_every_machine() -> None:
    """The hash is fixed: a change would move customers into models that saw them."""
    positions = customer_position(pd.Series(["1", "38195", "c"])).round(6).tolist()
    assert positions == [0.964787, 0.301663, 0.215811]


@given(st.integers(0, 400))
def test_no_customer_is_on_two_sides_on_any_two_base_dates(shift: int) -> None:
    """Two overlapping windows put the customers they share on the same side."""
    today = _rows([str(n) for n in range(600)] * 2)
    later = _rows([str(n) for n in range(shift, shift + 600)])
    sides_today, sides_later = _sides(today), _sides(later)
    assert len(sides_today) == 600
    assert all(
        sides_later[customer] == side
        for customer, side in sides_today.items()
        if customer in sides_later
    )


def test_shares_are_met_and_every_row_is_kept() -> None:
    """70 / 15 / 15 of many customers, and no row lost."""
    rows = _rows([str(n) for n in range(20_000)])
    splits = split_by_customer(rows, 0.7, 0.15)
    assert sum(map(len, splits.values())) == len(rows)
    assert len(splits["train"]) / len(rows) == pytest.approx(0.70, abs=0.01)
    assert len(splits["val"]) / len(rows) == pytest.approx(0.15, abs=0.01)


def test_too_few_customers_are_refused() -> None:
    """A split without a row is named."""
    with pytest.raises(DataError, match=r"3 rows of 1 customers leave no row for train and val"):
        split_by_customer(_rows(["1", "1", "1"]), 0.7, 0.15)


def test_one_class_alone_is_refused() -> None:
    """A classifier needs two classes."""
    rows = _rows([str(n) for n in range(100)]).assign(**{schema.TARGET: "Poor"})
    with pytest.raises(DataError, match="All training rows are 'Poor'"):
        split_by_customer(rows, 0.7, 0.15)


@pytest.mark.parametrize("label", ["Great", None])
def test_labels_that_are_no_class_are_refused(label: str | None) -> None:
    """Neither an unknown word nor NULL becomes a fourth class."""
    rows = _rows([str(n) for n in range(100)])
    rows.loc[3, schema.TARGET] = label
    with pytest.raises(DataError, match="1 labels are none of Poor, Standard, Good"):
        split_by_customer(rows, 0.7, 0.15)


def test_a_class_that_only_validation_has_is_refused() -> None:
    """CatBoost would refuse every candidate; this says why, and what to do."""
    rows = _rows([str(n) for n in range(300)])
    train = customer_position(rows[schema.CUSTOMER]) < 0.7
    rows.loc[train & (rows[schema.TARGET] == "Good"), schema.TARGET] = "Poor"
    with pytest.raises(DataError, match="Validation rows are 'Good', but no training row is"):
        split_by_customer(rows, 0.7, 0.15)


def test_the_fingerprint_sees_every_change() -> None:
    """A value, the order of rows, and a column's name all count; a copy does not."""
    rows = _rows(["1", "2", "3"])
    same = data_fingerprint(rows.copy())
    assert same == data_fingerprint(rows)
    assert len(same) == 32
    assert data_fingerprint(rows.iloc[::-1].reset_index(drop=True)) != same
    assert data_fingerprint(rows.replace("1", "9")) != same
    assert data_fingerprint(rows.rename(columns={schema.TARGET: "label"})) != same

"""Splitting by customer."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from credit_ct_dagster.contracts.files import SPLITS
from credit_ct_dagster.errors.inputs import UnusableRowsError
from credit_ct_dagster.errors.stores import MixedArtifactsError
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.rows.splitting import (
    customer_position,
    data_fingerprint,
    pooled_holdout,
    pooled_with_places,
    require_fingerprint,
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
    """Other rows do not change a customer's position."""
    separately = dict(zip(some, customer_position(pd.Series(some)), strict=True))
    together = dict(zip(others + some, customer_position(pd.Series(others + some)), strict=True))
    assert all(together[customer] == position for customer, position in separately.items())
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


_shares = st.tuples(st.floats(0.3, 0.7), st.floats(0.1, 0.25))


@given(
    windows=st.lists(st.tuples(st.integers(0, 300), st.integers(0, 80)), min_size=1, max_size=4),
    trained=st.lists(
        st.tuples(st.integers(0, 300), st.integers(0, 80), _shares), min_size=1, max_size=3
    ),
    shares=_shares,
)
def test_no_model_is_scored_on_a_customer_it_has_seen(
    windows: list[tuple[int, int]],
    trained: list[tuple[int, int, tuple[float, float]]],
    shares: tuple[float, float],
) -> None:
    """Whatever base dates models come from, were split how, and which of their rows expired.

    A window is a range of customers from a first one; the models' own splits may be by other shares
    than those of the base dates whose holdouts are pooled.
    """

    def window(first: int, length: int) -> pd.DataFrame:
        rows = _rows([str(n) for n in range(first, first + 200 + length)])
        return rows.assign(id=rows[schema.CUSTOMER] + "m")

    seen: set[str] = set()
    for first, length, (train, val) in trained:
        splits = split_by_customer(window(first, length), train, val)
        seen |= {*splits["train"][schema.CUSTOMER], *splits["val"][schema.CUSTOMER]}
    holdouts = [split_by_customer(window(*each), *shares)["holdout"] for each in windows]
    pooled = pooled_holdout(holdouts, [train + val for _, _, (train, val) in trained])
    assert not seen & set(pooled[schema.CUSTOMER])
    assert not pooled.duplicated(["id", schema.CUSTOMER]).any()


def test_pooling_loses_no_row_that_nobody_saw() -> None:
    """With the same shares, all holdout rows of all base dates count, each customer-month once."""
    rows = _rows([str(n) for n in range(900)]).assign(id="m")
    holdouts = [
        split_by_customer(rows.iloc[start : start + 600], 0.7, 0.15)["holdout"]
        for start in (300, 0)
    ]
    pooled = pooled_holdout(holdouts, [0.85, 0.85])
    everyone = split_by_customer(rows, 0.7, 0.15)["holdout"]
    assert set(pooled[schema.CUSTOMER]) == set(everyone[schema.CUSTOMER])
    assert len(pooled) == len(everyone)
    same, places = pooled_with_places(holdouts, [0.85, 0.85])
    pd.testing.assert_frame_equal(same, pooled)
    assert (places == 0).sum() == len(holdouts[0])
    for place, holdout in enumerate(holdouts):
        customers = set(pooled[schema.CUSTOMER][places == place])
        assert customers <= set(holdout[schema.CUSTOMER])


def test_shares_are_met_and_no_row_is_lost() -> None:
    """70 / 15 / 15 of many customers."""
    rows = _rows([str(n) for n in range(20_000)])
    splits = split_by_customer(rows, 0.7, 0.15)
    assert sum(map(len, splits.values())) == len(rows)
    assert len(splits["train"]) / len(rows) == pytest.approx(0.70, abs=0.01)
    assert len(splits["val"]) / len(rows) == pytest.approx(0.15, abs=0.01)


def test_too_few_customers_are_refused() -> None:
    """A split without a row is named."""
    with pytest.raises(UnusableRowsError, match=r"3 rows of 1 .* left for train and val"):
        split_by_customer(_rows(["1", "1", "1"]), 0.7, 0.15)


def test_a_single_class_is_refused() -> None:
    """A classifier needs two classes."""
    rows = _rows([str(n) for n in range(100)]).assign(**{schema.TARGET: "Poor"})
    with pytest.raises(UnusableRowsError, match="All training rows have the label 'Poor'"):
        split_by_customer(rows, 0.7, 0.15)


def test_a_class_that_only_validation_has_is_refused() -> None:
    """CatBoost would refuse every candidate; the message has the reason and what to do."""
    rows = _rows([str(n) for n in range(300)])
    train = customer_position(rows[schema.CUSTOMER]) < 0.7
    rows.loc[train & (rows[schema.TARGET] == "Good"), schema.TARGET] = "Poor"
    with pytest.raises(UnusableRowsError, match="Validation rows have the label 'Good', but"):
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


def test_fingerprints_on_record_stay_valid() -> None:
    """Another value for the same rows would make every earlier base date look damaged."""
    rows = pd.DataFrame(
        {
            "id": ["1", "2", "3"],
            "age": [31.0, float("nan"), -0.5],
            "occupation": ["Lawyer", None, "Ärztin"],
        }
    )
    assert data_fingerprint(rows) == "bc077155b45ea098c6ad2206a4825db3"


def test_rows_of_another_run_are_refused() -> None:
    """The message names the rows and what to materialize again."""
    rows = _rows(["1", "2"])
    require_fingerprint(rows, data_fingerprint(rows), "train rows")
    with pytest.raises(MixedArtifactsError, match="The train rows do not match the fingerprint"):
        require_fingerprint(rows.head(1), data_fingerprint(rows), "train rows")


def test_ids_are_one_customer_if_they_are_equal_byte_by_byte() -> None:
    """Neither case, accents nor trailing blanks are ignored, as in the tables they come from."""
    alike = pd.Series(["CUS_ab", "CUS_AB", "CUS_\u00e9", "CUS_e", "CUS_e ", "CUS_ab"])
    positions = customer_position(alike)
    assert positions.nunique() == 5
    assert positions.iloc[0] == positions.iloc[-1]

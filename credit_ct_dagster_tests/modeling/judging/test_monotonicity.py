"""Monotonicity: how often a class gets better where risk rises."""

import itertools
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.monotonicity import (
    MOST_ROWS,
    gets_better,
    monotonicity_of,
    values_of,
)
from credit_ct_dagster.scorer.scorer import Scored, Scorer


class ByFormula(Scorer):
    """A model whose class is a formula of the raw rows."""

    def __init__(self, number_of: Callable[[pd.DataFrame], pd.Series], columns: list[str]) -> None:
        self.classes = schema.CLASSES
        self.number_of = number_of
        self.of_model = columns

    @property
    def columns(self) -> list[str]:
        return self.of_model

    def score_rows(self, rows: pd.DataFrame) -> Scored:
        numbers = self.number_of(rows).to_numpy(dtype=int)
        nothing = np.zeros((len(rows), 3))
        return Scored(np.array(self.classes)[numbers], nothing, nothing)


def _rows() -> pd.DataFrame:
    """Ten rows; delays and months of credit history are 0 to 9."""
    return pd.DataFrame(
        {
            "num_of_delayed_payment": np.arange(10.0),
            "credit_history_age": np.arange(10.0),
            "age": np.arange(20.0, 30.0),
        }
    )


def test_a_class_that_falls_as_risk_rises_never_gets_better() -> None:
    """For a feature that raises the risk, and for one that lowers it."""
    model = ByFormula(
        lambda rows: (
            (rows["num_of_delayed_payment"] < 5).astype(int)
            + (rows["credit_history_age"] >= 5).astype(int)
        ),
        ["num_of_delayed_payment", "credit_history_age"],
    )
    found = {each.feature: each for each in monotonicity_of(model, _rows())}
    assert {name: each.better for name, each in found.items()} == {
        "num_of_delayed_payment": 0.0,
        "credit_history_age": 0.0,
    }
    assert found["num_of_delayed_payment"].risk == "rises"
    assert found["credit_history_age"].risk == "falls"
    assert {(each.rows, each.values) for each in found.values()} == {(10, 10)}


def test_rows_whose_class_gets_better_anywhere_are_counted() -> None:
    """Three of ten rows are taken for Good from the seventh delay on: a share of 0.3."""
    model = ByFormula(
        lambda rows: 2 * ((rows["num_of_delayed_payment"] >= 7) & (rows["age"] >= 27)).astype(int),
        ["num_of_delayed_payment", "age"],
    )
    [found] = monotonicity_of(model, _rows())
    assert (found.feature, found.better, found.between) == ("num_of_delayed_payment", 0.3, 0.3)


def test_rare_values_are_told_apart() -> None:
    """What happens only at the highest one of a hundred values is not between the common ones."""
    rows = pd.DataFrame({"outstanding_debt": np.arange(100.0)})
    model = ByFormula(lambda each: (each["outstanding_debt"] >= 99).astype(int), list(rows))
    [found] = monotonicity_of(model, rows)
    assert (found.better, found.between) == (1.0, 0.0)


def test_features_that_the_model_does_not_use_are_left_out() -> None:
    """Excluded ones, those without a declared direction, and those with a single value."""
    rows = _rows().assign(interest_rate=3.0)
    model = ByFormula(
        lambda each: each["age"] * 0, ["age", "interest_rate", "num_of_delayed_payment"]
    )
    assert [each.feature for each in monotonicity_of(model, rows)] == ["num_of_delayed_payment"]


def test_a_class_may_get_better_where_a_value_is_missing() -> None:
    """Rows without the value are looked at as well: they take every value in turn."""
    rows = _rows()
    rows.loc[:4, "num_of_delayed_payment"] = np.nan
    model = ByFormula(
        lambda each: (each["num_of_delayed_payment"] >= 8).astype(int), ["num_of_delayed_payment"]
    )
    [found] = monotonicity_of(model, rows)
    assert (found.rows, found.values, found.better) == (10, 5, 1.0)


def test_the_rows_looked_at_are_limited_and_the_same_each_time() -> None:
    """On many rows, a sample with a seed of its own gives the same figures twice."""
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"interest_rate": rng.normal(size=MOST_ROWS + 100), "age": 1.0})
    rows["age"] = rng.random(len(rows))
    model = ByFormula(
        lambda each: ((each["interest_rate"] > 0) & (each["age"] < 0.3)).astype(int), list(rows)
    )
    [found], [again] = monotonicity_of(model, rows), monotonicity_of(model, rows)
    assert found == again
    assert found.rows == MOST_ROWS
    assert found.better == pytest.approx(0.3, abs=0.05)


@given(st.lists(st.lists(st.integers(0, 2), min_size=4, max_size=4), min_size=1, max_size=8))
def test_a_class_gets_better_exactly_where_a_next_one_is_higher(curves: list[list[int]]) -> None:
    """The same as in a loop over every pair of neighbours."""
    expected = [any(after > before for before, after in itertools.pairwise(c)) for c in curves]
    assert gets_better(np.array(curves).T).tolist() == expected


@given(st.lists(st.floats(-1e6, 1e6), max_size=60))
def test_only_values_that_occur_are_tried(numbers: list[float]) -> None:
    """At most 20, in ascending order, from the lowest to the highest."""
    grid, is_common = values_of(pd.Series(numbers, dtype="float64"))
    assert set(grid) <= set(numbers)
    assert len(grid) == len(is_common) <= 20
    assert (np.diff(grid) > 0).all()
    if numbers:
        assert (grid[0], grid[-1]) == (min(numbers), max(numbers))

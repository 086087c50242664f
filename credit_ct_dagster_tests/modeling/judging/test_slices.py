"""Groups of customers."""

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from credit_ct_dagster.modeling.judging.slices import slices_by

_COLUMN = "annual_income"


def _groups(values: list[float]) -> pd.Series:
    return slices_by([_COLUMN])["annual income"](pd.DataFrame({_COLUMN: values}))


def test_quarters_of_large_numbers_are_told_apart() -> None:
    """Their edges are written with as many digits as they need."""
    groups = _groups([10_000_000.0 + n for n in range(8)])
    assert groups.nunique() == 4
    assert groups.iloc[0] == "up to 10000002"


def test_quarters_of_usual_numbers_are_short() -> None:
    """Six digits, as long as they tell the edges apart."""
    assert set(_groups([0.1234567, 1.0, 2.0, 3.0])) == {
        "up to 0.780864",
        "over 0.780864 up to 1.5",
        "over 1.5 up to 2.25",
        "over 2.25",
    }


@given(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=30))
def test_rows_of_several_quarters_never_share_a_name(values: list[float]) -> None:
    """Whatever the numbers: names follow the order of the values, and missing ones have their own.

    Rows of one name form an interval: none of another name lies between them.
    """
    groups = _groups([*values, float("nan")])
    assert groups.iloc[-1] == "unknown"
    named = pd.DataFrame({"value": values, "group": groups.iloc[:-1]}).sort_values("value")
    changes = (named["group"] != named["group"].shift()).sum()
    assert changes == named["group"].nunique()

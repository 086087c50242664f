"""Groups of customers."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from credit_ct_dagster.modeling.column import Column, Kind
from credit_ct_dagster.modeling.judging.slices import bands, slices_by

_COLUMN = "annual_income"


def _groups(values: list[float]) -> pd.Series:
    return slices_by([_COLUMN])["annual income"](pd.DataFrame({_COLUMN: values}))


def _bands(starts: list[float], low: float | None, values: list[float]) -> list[str]:
    column = Column(name="x", kind=Kind.number, description="x", low=low, groups=tuple(starts))
    return list(bands(column)(pd.DataFrame({"x": values})))


@pytest.mark.parametrize(
    ("starts", "low", "names"),
    [
        ([25, 35], 14, ["0 to 24", "25 to 34", "35 and over"]),
        ([25, 35], None, ["under 25", "25 to 34", "35 and over"]),
        ([0, 25], 0, ["0 to 24", "0 to 24", "25 and over"]),
        ([-5, 25], -10, ["-5 to 24", "-5 to 24", "25 and over"]),
        ([0.5], 0, ["0 to under 0.5", "0.5 and over", "0.5 and over"]),
        ([-1e6, -999_999], None, ["-999999 and over"] * 3),
    ],
)
def test_bands_begin_where_the_column_says(
    starts: list[float], low: float | None, names: list[str]
) -> None:
    """The lowest one may begin at the lowest value."""
    assert _bands(starts, low, [0, 24.9, 30] if 35 not in starts else [0, 25, 35]) == names


def test_bands_of_large_numbers_are_told_apart() -> None:
    """Their names have as many digits as they need, which is also exact for people."""
    starts = [1_000_000, 1_000_001, 2_000_000, 1e17]
    assert _bands(starts, 0, [3, *starts]) == [
        "0 to 999999",
        "1000000 to 1000000",
        "1000001 to 1999999",
        "2000000 to 1e+17",
        "1e+17 and over",
    ]


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

"""Figures that are compared in a sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credit_ct_dagster.rounding import against, signed, told_apart


@pytest.mark.parametrize(
    ("spec", "figure", "others", "written"),
    [
        (".3f", 0.0642, [0.0513], "0.064"),
        (".3f", 0.06431, [0.06412], "0.0643"),
        (".3f", 0.5496, [0.55], "0.5496"),
        (".1%", 0.05004, [0.05], "5.004%"),
        (".3f", 0.55, [0.55], "0.550"),
        (".3f", 0.1 + 0.2, [0.3], "0.300"),
        (".3f", 0.5, [0.50004, 0.9], "0.50000"),
        (",.0f", 12_000.4, [12_000.0], "12,000.4"),
        (".3g", 0.04996, [0.05], "0.04996"),
    ],
)
def test_a_figure_has_the_digits_that_tell_it_apart(
    spec: str, figure: float, others: list[float], written: str
) -> None:
    """As few as can be; what is equal looks equal."""
    assert told_apart(spec, figure, *others) == written


def test_two_figures_have_equally_many_digits() -> None:
    """Otherwise one seems to be more exact."""
    assert against(".4f", 0.61234, 0.61231) == "0.61234 against 0.61231"


def test_a_difference_shows_on_which_side_of_zero_it_lies() -> None:
    """And of a margin; one of 0 has a sign, too."""
    assert signed(-0.00003) == "-0.00003"
    assert signed(0.01002, 0.01) == "+0.01002"
    assert signed(0.0) == "+0.0000"


@given(st.floats(0, 1), st.floats(0, 1))
def test_figures_look_different_if_they_differ(one: float, other: float) -> None:
    """By more than a hundred-millionth."""
    if abs(one - other) > 1e-8:
        assert told_apart(".3f", one, other) != told_apart(".3f", other, one)

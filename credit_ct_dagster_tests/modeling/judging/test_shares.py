"""Counts per bin: how far they have moved, and what chance explains."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2, fisher_exact

from credit_ct_dagster.modeling.judging.shares import chance_of, psi_of

_counts = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=6).map(
    lambda pairs: np.array(pairs).T
)


def test_psi_of_known_shares() -> None:
    """Half and half against nine tenths and one: worked out by hand."""
    expected = (0.9 - 0.5) * np.log(0.9 / 0.5) + (0.1 - 0.5) * np.log(0.1 / 0.5)
    assert psi_of(np.array([[50, 50], [90, 10]])) == pytest.approx(expected)


@given(_counts)
def test_psi_is_symmetric_and_zero_only_without_change(table: np.ndarray) -> None:
    """Whatever the bins, and in whatever shares; without rows, nothing has moved."""
    assert psi_of(table) == pytest.approx(psi_of(table[::-1]))
    assert psi_of(table) >= 0
    assert psi_of(np.stack([table[0], table[0]])) == 0
    assert psi_of(table * np.array([[1], [0]])) == 0


@given(_counts)
def test_chance_is_symmetric_and_certain_without_change(table: np.ndarray) -> None:
    """A probability, whatever the counts."""
    assert 0 <= chance_of(table) <= 1
    assert chance_of(table) == pytest.approx(chance_of(table[::-1]))
    assert chance_of(np.stack([table[0], table[0]])) == pytest.approx(1)


def test_chance_of_a_known_table() -> None:
    """Pearson's statistic, worked out by its formula, with 2 degrees of freedom."""
    table = np.array([[30, 30, 40], [10, 40, 50]])
    expected = np.array([20, 35, 45])
    statistic = (2 * (table[0] - expected) ** 2 / expected).sum()
    assert chance_of(table) == pytest.approx(chi2.sf(statistic, 2))


def test_two_bins_are_tested_exactly() -> None:
    """However few rows."""
    table = np.array([[3, 1], [1, 3]])
    assert chance_of(table) == pytest.approx(34 / 70)


def test_rare_bins_are_pooled() -> None:
    """A bin in which fewer than five rows are expected counts with the other rare ones."""
    table = np.array([[40, 50, 4, 3, 3], [50, 40, 3, 4, 3]])
    pooled = np.array([[40, 50, 10], [50, 40, 10]])
    assert chance_of(table) == pytest.approx(chance_of(pooled))
    # Three on each side are still rare together: they count with the smallest of the others.
    few = np.array([[40, 50, 2, 1], [50, 42, 1, 2]])
    assert chance_of(few) == pytest.approx(fisher_exact([[43, 50], [53, 42]]).pvalue)


def test_the_law_holds_where_all_bins_are_rare() -> None:
    """One bin is left: there is nothing to compare."""
    assert chance_of(np.array([[1, 1, 1, 0], [0, 1, 1, 1]])) == 1.0
    assert chance_of(np.array([[5, 5], [0, 0]])) == 1.0

"""The gate where the newest window contradicts those before it, as after a drift."""

from typing import Any

import numpy as np
import pytest

from credit_ct_dagster.contracts.decision import Decision, FloorVerdict, Ground
from credit_ct_dagster.contracts.utility import Metric, Utility
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.evidence import Evidence, compare, examine
from credit_ct_dagster.modeling.judging.gate import decide, why_worse
from credit_ct_dagster.modeling.judging.gate_rules import GateRules
from credit_ct_dagster.modeling.judging.windows import contrast, for_newest
from credit_ct_dagster_tests.modeling.judging.drifted import CHAMPION, Windows, scored

_DRAWS = 300
_RULES = GateRules(draws=_DRAWS)
_DRIFTED = Windows([0.15, -0.15, -0.15], one_right=0.33)
"""Models of before and after a drift: the challenger is better now, and was worse."""


def _decided(windows: Windows, seed: int = 1, **rules: Any) -> Decision:
    return windows.decided(seed, GateRules(draws=_DRAWS, **rules))


def _examined(windows: Windows, seed: int = 1) -> Evidence:
    rows, places, challenger, champion = windows.drawn(seed)
    return examine(rows, scored(challenger, champion), Utility(), _RULES, windows=places)


def test_a_challenger_that_is_better_since_a_drift_is_promoted_by_the_newest_window() -> None:
    """All windows together would call it no better; the record says which decided, and why."""
    decision = _decided(_DRIFTED)
    assert (decision.promoted, decision.ground) == (True, Ground.better)
    assert decision.comparison
    assert (decision.comparison.rows, decision.comparison.confidence) == (390, 0.9975)
    assert decision.windows
    assert decision.windows.contradict
    assert decision.windows.newest == decision.comparison.difference.value
    assert decision.windows.newest > 0.1 > 0 > decision.windows.pooled > decision.windows.older
    assert "99.75% interval" in decision.sentence
    assert decision.sentence.endswith("Only the newest decides.")
    assert f"better by {decision.windows.newest:+.4f} in the newest" in decision.sentence


def test_a_challenger_that_was_better_only_before_a_drift_is_not_promoted() -> None:
    """The older windows would have promoted it; the newest says that it is no better now."""
    decision = _decided(Windows([-0.05, 0.12, 0.12], one_right=0.33))
    assert not decision.promoted
    assert decision.windows
    assert decision.windows.contradict
    assert decision.windows.pooled > 0.05


def test_windows_that_agree_are_pooled_as_before() -> None:
    """Neither rows, interval nor level change; the record says that they were compared."""
    windows = Windows([0.05, 0.05, 0.05])
    rows, _, challenger, champion = windows.drawn(1)
    decision = _decided(windows)
    assert decision.comparison == compare(rows, challenger, champion, Utility(), _RULES)
    assert decision.comparison.confidence == 0.95
    assert decision.windows
    assert not decision.windows.contradict
    assert "contradict" not in decision.sentence


def test_a_newest_window_of_few_rows_is_insufficient_evidence() -> None:
    """Contradicted windows are not pooled to reach the minimum; the shadow has to find more."""
    decision = _decided(Windows([0.33, -0.2, -0.2], (90, 390, 390), one_right=0.33))
    assert decision.ground == Ground.insufficient_evidence
    assert decision.comparison
    assert decision.comparison.rows == 90
    assert "only 90 holdout rows are of customers that neither" in decision.sentence
    assert "The windows contradict each other" in decision.sentence


def test_a_newest_window_that_is_undecided_is_insufficient_evidence() -> None:
    """And not "not better", which would keep the challenger out of the shadow."""
    decision = _decided(Windows([0.03, -0.15, -0.15], one_right=0.33))
    assert decision.ground == Ground.insufficient_evidence
    assert decision.windows
    assert decision.windows.contradict


def test_floors_are_those_of_the_window_that_decides() -> None:
    """A model of after the drift fails the customers of before it, who are no longer asked for."""
    rows, places, challenger, champion = _DRIFTED.drawn(1)
    former = places > 0
    swapped = {"Poor": "Good", "Good": "Poor", "Standard": "Standard"}
    truth = rows[schema.TARGET].to_numpy(dtype=str)
    turned = np.array([swapped[each] for each in truth])
    challenger = np.where(former, turned, challenger)
    evidence = examine(rows, scored(challenger, champion), Utility(), _RULES, windows=places)
    assert evidence.rows == 390
    assert not [each for each in evidence.floors if each.verdict == FloorVerdict.below]
    assert decide("2025-03-10", CHAMPION, evidence, [], _RULES).promoted


@pytest.mark.parametrize("metric", list(Metric))
def test_the_contrast_is_that_of_the_two_differences(metric: Metric) -> None:
    """By every metric, more being better; it is the same whichever order the rows have."""
    rows, places, challenger, champion = Windows([0.15, -0.1], (300, 300), one_right=0.33).drawn(2)
    utility, newest = Utility(metric=metric), places == 0
    found = contrast(rows, newest, challenger, champion, utility, _RULES)
    assert found
    for value, part in ((found.newest, newest), (found.older, ~newest)):
        compared = compare(rows[part], challenger[part], champion[part], utility, _RULES)
        assert value == pytest.approx(compared.difference.value)
    assert found.low < found.newest - found.older < found.high
    order = np.random.default_rng(0).permutation(len(rows))
    again = contrast(
        rows.iloc[order], newest[order], challenger[order], champion[order], utility, _RULES
    )
    assert again
    assert (again.newest, again.older, again.pooled) == pytest.approx(
        (found.newest, found.older, found.pooled)
    )


def test_windows_are_not_compared_where_the_bootstrap_says_nothing() -> None:
    """One window, few customers, or few rows on which the models differ: pooled, as before."""
    for windows in (
        Windows([0.15], (390,), one_right=0.33),
        Windows([0.33, -0.33], (29, 390), one_right=0.33),
        Windows([0.0, 0.0], (390, 30), one_right=0.02),
    ):
        assert _examined(windows).windows is None


def test_returning_customers_are_no_more_evidence_than_they_are() -> None:
    """Whoever is the same in all windows tells nothing about how these differ: the interval of the
    contrast is narrower, since chance favours the same model in all of them.
    """
    width = {}
    for again in (0.0, 1.0):
        found = _examined(Windows([0.0, 0.0, 0.0], one_right=0.3, again=again)).windows
        assert found
        width[again] = found.high - found.low
    assert width[1.0] < 0.8 * width[0.0]


def test_both_ways_to_be_promoted_are_wrong_as_rarely_as_one() -> None:
    """A million pairs of equal models, as normal distributions have them: at most 2.5 %.

    Three windows of as many rows: what they say together, and how the newest differs from the
    others, in standard errors of one window.
    """
    newest, *others = np.random.default_rng(0).standard_normal((3, 1_000_000))
    older = np.mean(others, axis=0)
    differ = np.abs(newest - older) > 1.959964 * np.sqrt(1.5)
    together = (newest + 2 * older) / 3 > 1.959964 / np.sqrt(3)
    rows, _, challenger, champion = Windows([0.05], (390,)).drawn(0)
    unit = compare(rows, challenger, champion, Utility(), _RULES)
    wider = for_newest(unit, _RULES)
    deviations = 1.959964 * (
        (wider.difference.value - wider.difference.low)
        / (unit.difference.value - unit.difference.low)
    )
    by_newest = newest > deviations
    assert np.where(differ, newest > 1.959964, together).mean() > 0.027, "without a higher level"
    assert np.where(differ, by_newest, together).mean() < 0.0252
    worse_before = (newest + 2 * (older - 1)) / 3 > 1.959964 / np.sqrt(3)
    drifted = np.abs(newest - older + 1) > 1.959964 * np.sqrt(1.5)
    assert np.where(drifted, by_newest, worse_before).mean() < 0.0252


def test_a_gate_of_real_bootstraps_keeps_its_level_and_finds_what_a_drift_brought() -> None:
    """Ten samples each: equal models are not promoted, one better by 15 points is.

    Of many samples, the rates are in docs/decisions/0029-contradicting-windows.md.
    """
    rules = GateRules(draws=100)
    for better, promoted in ((0.0, 0), (0.15, 10)):
        windows = Windows([better, -0.1, -0.1], one_right=0.33)
        assert sum(windows.decided(seed, rules).promoted for seed in range(10)) == promoted


def test_a_package_that_is_better_now_is_not_refused_for_the_past() -> None:
    """A champion that is calibrated anew after a drift is worse on the months before it."""
    assert not why_worse(_examined(_DRIFTED))
    assert why_worse(_examined(Windows([-0.15, 0.1, 0.1], one_right=0.33)))

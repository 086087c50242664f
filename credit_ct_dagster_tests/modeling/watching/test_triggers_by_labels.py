"""What labels of what was served find wrong beyond doubt, and what they do not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from credit_ct_dagster.contracts.triggers import TriggerKind
from credit_ct_dagster.modeling.watching.promise import shortfall_of
from credit_ct_dagster.modeling.watching.watch_rules import Watched, WatchRules
from credit_ct_dagster_tests.modeling.watching.watched_days import (
    CHAMPION,
    DAY,
    OTHER,
    before,
    by_labels,
    estimated,
    performance,
    trigger_of,
)

_FLOOR, _ESTIMATE = TriggerKind.below_floor, TriggerKind.below_estimate


def test_three_days_of_seven_below_a_floor_are_a_trigger() -> None:
    """Weeks ago, since labels come late; its sentence names floor, days and figures."""
    assert trigger_of(by_labels([True, False, False, True]), _FLOOR) is None
    found = trigger_of(by_labels([True, False, True, False, True]), _FLOOR)
    assert found is not None
    assert found.days == (before(34), before(32), before(30))
    assert (found.needed, found.champion) == (3, CHAMPION)
    assert found.sentence == (
        f"{CHAMPION} was below a floor beyond doubt on 3 of the last 5 days with enough labels,"
        f" {before(34)} to {before(30)}: recall of Poor on 3 days, last 0.210 of at least 0.4."
    )


def test_days_without_enough_labels_do_not_count() -> None:
    """They take no place among the last seven, and are no day below a floor."""
    watched = by_labels([True, True, True])
    few = {
        before(n): performance(before(n), "recall of Poor", enough_labels=False) for n in range(29)
    }
    found = trigger_of(Watched(DAY, CHAMPION, performance={**watched.performance, **few}), _FLOOR)
    assert found is not None
    assert found.until == before(30)


def test_another_model_is_not_the_champion() -> None:
    """What its predecessor answered badly is no evidence against a new champion."""
    days = [before(n) for n in range(30, 37)]
    answered = {day: performance(day, "recall of Poor", tag=OTHER) for day in days}
    assert trigger_of(Watched(DAY, CHAMPION, performance=answered), _FLOOR) is None
    assert trigger_of(Watched(DAY, OTHER, performance=answered), _FLOOR) is not None


def test_days_beyond_the_window_and_days_to_come_do_not_count() -> None:
    """Of a day that is looked at again, only what lies before it."""
    assert trigger_of(by_labels([True] * 3, first=59), _FLOOR) is not None
    assert trigger_of(by_labels([True] * 3, first=60), _FLOOR) is None
    assert trigger_of(by_labels([True] * 3, first=-3), _FLOOR) is None


@given(st.lists(st.booleans(), max_size=30), st.integers(1, 7), st.integers(1, 14))
def test_n_of_the_last_m_days(below: list[bool], n: int, m: int) -> None:
    """Exactly then, for every N and M, and the evidence is exactly these days."""
    if n > m:
        with pytest.raises(ValidationError, match="floor_days must not exceed of_days"):
            WatchRules(floor_days=n, of_days=m, drift_days=1)
        return
    found = trigger_of(by_labels(below), _FLOOR, WatchRules(floor_days=n, of_days=m, drift_days=1))
    last = sum(below[-m:])
    assert (found is not None) == (last >= n)
    if found:
        assert len(found.days) == last


@given(st.lists(st.booleans(), min_size=3, max_size=20))
def test_a_day_that_is_below_as_well_never_ends_a_trigger(below: list[bool]) -> None:
    """More evidence is not less."""
    if trigger_of(by_labels(below), _FLOOR):
        assert trigger_of(by_labels([*below[:-1], True]), _FLOOR)


def test_evidence_is_the_same_when_more_of_its_labels_arrive() -> None:
    """Other days, or another model, are other evidence."""

    def fingerprint(watched: Watched) -> str:
        found = trigger_of(watched, _FLOOR)
        assert found is not None
        return found.fingerprint

    watched = by_labels([True] * 3)
    more = {
        day: performance(day, "recall of Poor", "accuracy of age band 30")
        for day in watched.performance
    }
    assert fingerprint(watched) == fingerprint(Watched(DAY, CHAMPION, performance=more))
    assert fingerprint(watched) != fingerprint(by_labels([True] * 4))
    others = {day: performance(day, "recall of Poor", tag=OTHER) for day in more}
    assert fingerprint(watched) != fingerprint(Watched(DAY, OTHER, performance=others))


def test_a_window_holds_the_days_that_are_judged() -> None:
    """Seven days cannot be found among the last three."""
    with pytest.raises(ValidationError, match="of_days must not exceed look_back_days"):
        WatchRules(look_back_days=3)


@pytest.mark.parametrize(("low", "is_wrong"), [(0.031, True), (0.02, False), (-0.2, False)])
def test_estimates_that_promise_too_much_are_a_trigger(low: float, is_wrong: bool) -> None:
    """Beyond the margin, beyond doubt; that they promise too little is none."""
    days = [before(n) for n in range(20, 23)]
    watched = Watched(DAY, CHAMPION, estimated={day: estimated(day, low) for day in days})
    found = trigger_of(watched, _ESTIMATE)
    assert (found is not None) == is_wrong
    if found:
        assert "0.650 instead of 0.750, on 270 answers together" in found.sentence


def test_few_labels_a_day_are_judged_together() -> None:
    """Where none of the days is beyond doubt by itself, all of them may be; one or two are not."""
    judged = {before(n): estimated(before(n), 0.02, half_width=0.08) for n in range(20, 27)}
    found = trigger_of(Watched(DAY, CHAMPION, estimated=judged), _ESTIMATE)
    assert found is not None
    assert found.days == tuple(sorted(judged))
    assert "on 7 of the last 7 days with enough labels" in found.sentence
    few = dict(list(judged.items())[:2])
    assert trigger_of(Watched(DAY, CHAMPION, estimated=few), _ESTIMATE) is None
    strict = WatchRules(estimate_confidence=0.999999)
    assert trigger_of(Watched(DAY, CHAMPION, estimated=judged), _ESTIMATE, strict) is None


def test_days_together_have_the_interval_of_all_their_answers() -> None:
    """Seven alike days: narrower by the root of seven than one of them, at the same level."""
    one = estimated(DAY, 0.02).models[0].how_far_off
    assert one is not None
    found = shortfall_of([one] * 7, 0.95)
    assert found.value == pytest.approx(one.accuracy.value)
    narrower = (one.accuracy.high - one.accuracy.low) / (found.high - found.low)
    assert narrower == pytest.approx(7**0.5)
    assert shortfall_of([one], 0.95).low == pytest.approx(one.accuracy.low)

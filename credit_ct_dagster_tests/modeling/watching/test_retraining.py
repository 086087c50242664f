"""A trigger starts a training once per evidence, and not too soon after the last one."""

from collections.abc import Sequence
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credit_ct_dagster.contracts.triggers import (
    Retrain,
    Retraining,
    Trigger,
    TriggerKind,
    Watch,
    fingerprint_of,
)
from credit_ct_dagster.modeling.watching.retraining import retraining_for
from credit_ct_dagster_tests.modeling.watching.watched_days import CHAMPION, DAY, OTHER, before

_FLOOR, _DRIFT = TriggerKind.below_floor, TriggerKind.drift


def _trigger(
    kind: TriggerKind, days: Sequence[str], champion: str = CHAMPION, needed: int = 3
) -> Trigger:
    return Trigger(
        kind=kind,
        code="CT-X",
        sentence="It is.",
        action="Do it.",
        champion=champion,
        days=tuple(sorted(days)),
        needed=needed,
        fingerprint=fingerprint_of(kind, champion, tuple(sorted(days))),
    )


def _watch(*triggers: Trigger, retrain: Retrain = Retrain.bank, cool_down_days: int = 14) -> Watch:
    return Watch(triggers=triggers, retrain=retrain, cool_down_days=cool_down_days)


def _days(first: int, count: int = 3) -> list[str]:
    return [before(first + n) for n in range(count)]


@pytest.mark.parametrize("kind", TriggerKind)
def test_only_performance_and_drift_call_for_a_training(kind: TriggerKind) -> None:
    """No model corrects a faulty feed, and a champion on probation has a predecessor."""
    trigger = _trigger(kind, _days(30))
    starts = retraining_for(_watch(trigger), DAY, []) == trigger
    assert starts == (kind in (_FLOOR, _DRIFT, TriggerKind.below_estimate))


def test_it_is_off_unless_a_preset_is_named() -> None:
    """By default, triggers only alert."""
    found = retraining_for(_watch(_trigger(_FLOOR, _days(30)), retrain=Retrain.off), DAY, [])
    assert "retrain: off" in str(found)


def test_nothing_is_trained_while_features_are_served_wrongly() -> None:
    """The days may be below a floor because of it."""
    skew = _trigger(TriggerKind.skew, [DAY], champion="", needed=1)
    found = retraining_for(_watch(skew, _trigger(_FLOOR, _days(30))), DAY, [])
    assert "correct that first" in str(found)


@pytest.mark.parametrize(("days", "starts"), [(13, False), (14, True)])
def test_the_cool_down_counts_days(days: int, starts: bool) -> None:
    """Of whatever kind, and about whichever model the last training was."""
    last = Retraining.of(_trigger(_DRIFT, _days(days), OTHER), before(days))
    found = retraining_for(_watch(_trigger(_FLOOR, _days(1))), DAY, [last])
    assert isinstance(found, Trigger) == starts


def test_the_same_evidence_starts_no_second_training() -> None:
    """However long ago: the champion stayed, and so did the days that say it is bad."""
    trigger = _trigger(_FLOOR, _days(30))
    last = Retraining.of(trigger, before(20))
    found = retraining_for(_watch(trigger), DAY, [last])
    assert str(found).startswith("The same evidence has started a training already")


@pytest.mark.parametrize(("newer", "starts"), [(2, False), (3, True)])
def test_evidence_is_new_if_its_newer_days_suffice(newer: int, starts: bool) -> None:
    """As many as the rule needs, after the last day of what has started the last one."""
    last = Retraining.of(_trigger(_FLOOR, _days(30)), before(20))
    days = [*_days(30, 4), *(before(29 - n) for n in range(newer))]
    found = retraining_for(_watch(_trigger(_FLOOR, days)), DAY, [last])
    assert isinstance(found, Trigger) == starts


def test_floors_and_estimates_are_the_same_labels() -> None:
    """Drift is other evidence, of rows without labels; another champion's is other evidence."""
    days = _days(30)
    last = Retraining.of(_trigger(_FLOOR, days), before(20))
    estimate = _trigger(TriggerKind.below_estimate, days)
    assert isinstance(retraining_for(_watch(estimate), DAY, [last]), str)
    drift = _trigger(_DRIFT, days)
    assert retraining_for(_watch(estimate, drift), DAY, [last]) == drift
    other = _trigger(_FLOOR, days, OTHER)
    assert retraining_for(_watch(other), DAY, [last]) == other


@given(
    st.lists(st.sets(st.integers(0, 60), min_size=3, max_size=7), min_size=1, max_size=60),
    st.integers(1, 20),
)
def test_there_is_never_a_loop(evidence: list[set[int]], cool_down_days: int) -> None:
    """Day by day, whatever is found: a cool-down lies between two, and no day counts twice."""
    past: list[Retraining] = []
    used: set[str] = set()
    for number, offsets in enumerate(evidence):
        day = before(-number)
        trigger = _trigger(_FLOOR, [before(offset, day) for offset in offsets])
        found = retraining_for(_watch(trigger, cool_down_days=cool_down_days), day, past)
        if isinstance(found, str):
            continue
        if past:
            apart = date.fromisoformat(day) - date.fromisoformat(past[-1].day)
            assert apart.days >= cool_down_days
        assert len(set(found.days) - used) >= found.needed
        used |= set(found.days)
        past.append(Retraining.of(found, day))
    assert past, "the first evidence of all is new"

"""What is wrong beyond doubt on a prediction day, and what is not."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from credit_ct_dagster.contracts.probation import Verdict
from credit_ct_dagster.contracts.triggers import Retrain, Trigger, TriggerKind, Watch
from credit_ct_dagster.modeling.watching.promise import shortfall_of
from credit_ct_dagster.modeling.watching.triggers import CODES, watch
from credit_ct_dagster.modeling.watching.watch_rules import Watched, WatchRules
from credit_ct_dagster_tests.modeling.watching.watched_days import (
    CHAMPION,
    DAY,
    OTHER,
    before,
    estimated,
    performance,
    probation,
    skew,
)

_RULES = WatchRules()
_FLOOR, _ESTIMATE = TriggerKind.below_floor, TriggerKind.below_estimate


def _found(watched: Watched, kind: TriggerKind, rules: WatchRules = _RULES) -> Trigger | None:
    return watch(watched, rules).of(kind)


def _by_labels(below: Sequence[bool], first: int = 30) -> Watched:
    """Days in a row, oldest first, the newest so many days ago; below a floor on some."""
    days = [before(first + n) for n in reversed(range(len(below)))]
    return Watched(
        day=DAY,
        champion=CHAMPION,
        performance={
            day: performance(day, *(["recall of Poor"] if each else []))
            for day, each in zip(days, below, strict=True)
        },
    )


def test_nothing_is_wrong_where_nothing_is_known() -> None:
    """What could not be judged is said, each kind with its reason."""
    found = watch(Watched(day=DAY, champion=CHAMPION), _RULES)
    assert found.triggers == ()
    assert found.unknown[_FLOOR] == f"No day has enough labels of answers by {CHAMPION} yet."
    assert set(found.unknown) == set(TriggerKind) - {TriggerKind.volume}
    without = watch(Watched(day=DAY, champion=None), _RULES)
    assert without.unknown[_FLOOR] == "No model was promoted yet."


def test_three_days_of_seven_below_a_floor_are_a_trigger() -> None:
    """Weeks ago, since labels come late; its sentence names floor, days and figures."""
    assert _found(_by_labels([True, False, False, True]), _FLOOR) is None
    found = _found(_by_labels([True, False, True, False, True]), _FLOOR)
    assert found is not None
    assert found.days == (before(34), before(32), before(30))
    assert (found.needed, found.champion) == (3, CHAMPION)
    assert found.sentence == (
        f"{CHAMPION} was below a floor beyond doubt on 3 of the last 5 days with enough labels,"
        f" {before(34)} to {before(30)}: recall of Poor on 3 days, last 0.210 of at least 0.4."
    )


def test_days_without_enough_labels_do_not_count() -> None:
    """They take no place among the last seven, and are no day below a floor."""
    watched = _by_labels([True, True, True])
    few = {
        before(n): performance(before(n), "recall of Poor", enough_labels=False) for n in range(29)
    }
    found = _found(Watched(DAY, CHAMPION, performance={**watched.performance, **few}), _FLOOR)
    assert found is not None
    assert found.until == before(30)


def test_another_model_is_not_the_champion() -> None:
    """What its predecessor answered badly is no evidence against a new champion."""
    days = [before(n) for n in range(30, 37)]
    answered = {day: performance(day, "recall of Poor", tag=OTHER) for day in days}
    assert _found(Watched(DAY, CHAMPION, performance=answered), _FLOOR) is None
    assert _found(Watched(DAY, OTHER, performance=answered), _FLOOR) is not None


def test_days_beyond_the_window_and_days_to_come_do_not_count() -> None:
    """Of a day that is looked at again, only what lies before it."""
    assert _found(_by_labels([True] * 3, first=59), _FLOOR) is not None
    assert _found(_by_labels([True] * 3, first=60), _FLOOR) is None
    assert _found(_by_labels([True] * 3, first=-3), _FLOOR) is None


@given(st.lists(st.booleans(), max_size=30), st.integers(1, 7), st.integers(1, 14))
def test_n_of_the_last_m_days(below: list[bool], n: int, m: int) -> None:
    """Exactly then, for every N and M, and the evidence is exactly these days."""
    if n > m:
        with pytest.raises(ValidationError, match="floor_days must not exceed of_days"):
            WatchRules(floor_days=n, of_days=m, drift_days=1)
        return
    found = _found(_by_labels(below), _FLOOR, WatchRules(floor_days=n, of_days=m, drift_days=1))
    last = sum(below[-m:])
    assert (found is not None) == (last >= n)
    if found:
        assert len(found.days) == last


@given(st.lists(st.booleans(), min_size=3, max_size=20))
def test_a_day_that_is_below_as_well_never_ends_a_trigger(below: list[bool]) -> None:
    """More evidence is not less."""
    if _found(_by_labels(below), _FLOOR):
        assert _found(_by_labels([*below[:-1], True]), _FLOOR)


@pytest.mark.parametrize(("low", "is_wrong"), [(0.031, True), (0.02, False), (-0.2, False)])
def test_estimates_that_promise_too_much_are_a_trigger(low: float, is_wrong: bool) -> None:
    """Beyond the margin, beyond doubt; that they promise too little is none."""
    days = [before(n) for n in range(20, 23)]
    watched = Watched(DAY, CHAMPION, estimated={day: estimated(day, low) for day in days})
    found = _found(watched, _ESTIMATE)
    assert (found is not None) == is_wrong
    if found:
        assert "0.650 instead of 0.750, on 270 answers together" in found.sentence


def test_skew_is_a_trigger_on_its_first_day() -> None:
    """And only of the day itself: that of the day before was reported."""
    yesterday = Watched(DAY, CHAMPION, skew={before(1): skew(before(1), disagrees="income")})
    assert _found(yesterday, TriggerKind.skew) is None
    found = _found(
        Watched(DAY, CHAMPION, skew={DAY: skew(DAY, disagrees="income")}), TriggerKind.skew
    )
    assert found is not None
    assert found.days == (DAY,)
    assert f"On {DAY}, " in found.sentence
    assert "income" in found.sentence


def test_requests_that_could_not_be_compared_are_no_agreement() -> None:
    """It is said that nobody knows."""
    found = watch(Watched(DAY, CHAMPION, skew={DAY: skew(DAY, compared=0)}), _RULES)
    assert TriggerKind.skew in found.unknown


def _drifting(*columns: Sequence[str], trained_on: str = "2025-03-31") -> Watched:
    """Per day, oldest first, the newest today: the features that have drifted."""
    days = [before(n) for n in reversed(range(len(columns)))]
    return Watched(
        DAY,
        CHAMPION,
        skew={
            day: skew(day, *each, trained_on=trained_on)
            for day, each in zip(days, columns, strict=True)
        },
    )


def test_a_feature_must_drift_on_several_days() -> None:
    """The same one: on a single day, other customers may have asked."""
    assert _found(_drifting(["income"], ["debt"], ["rate"]), TriggerKind.drift) is None
    assert _found(_drifting(["income"], ["income"]), TriggerKind.drift) is None
    found = _found(_drifting(["income"], ["income", "debt"], [], ["income"]), TriggerKind.drift)
    assert found is not None
    assert found.days == (before(3), before(2), DAY)
    assert "income (request, 3 days)" in found.sentence
    assert "debt" not in found.sentence


def test_drift_from_the_rows_of_an_earlier_champion_does_not_count() -> None:
    """The new one was trained on others."""
    old = _drifting(["income"], ["income"], ["income"], ["income"]).skew
    new = {DAY: skew(DAY, trained_on="2025-05-01")}
    assert _found(Watched(DAY, CHAMPION, skew={**old, **new}), TriggerKind.drift) is None


def test_a_source_without_answers_has_collapsed() -> None:
    """From the day on which it had none; the other source goes on."""
    usual = {before(n): 1000 for n in range(36)}
    gone = usual | {DAY: 0}
    found = _found(
        Watched(DAY, None, volumes={"batch": usual, "request": gone}), TriggerKind.volume
    )
    assert found is not None
    assert found.sentence == (
        f"0 answers of source request on {DAY}, 100% fewer than the median of 5 Wednesdays before"
        " (1,000): neither chance nor the day of the week explains it."
    )


def test_days_before_the_first_answer_are_not_usual() -> None:
    """A service that was put into operation a week ago may collapse as well."""
    volumes = dict.fromkeys((before(n) for n in range(36)), 0)
    volumes |= {before(n): 1000 for n in range(1, 9)}
    assert _found(Watched(DAY, None, volumes={"request": volumes}), TriggerKind.volume)


@pytest.mark.parametrize(
    ("verdict", "in_a_row", "is_wrong"),
    [(Verdict.worse, 3, True), (Verdict.worse, 2, False), (Verdict.confirmed, 3, False)],
)
def test_a_champion_that_fails_its_probation(
    verdict: Verdict, in_a_row: int, is_wrong: bool
) -> None:
    """Once enough evaluations in a row have said so."""
    record = probation(DAY, verdict, in_a_row)
    found = _found(Watched(DAY, CHAMPION, probation=record), TriggerKind.probation)
    assert (found is not None) == is_wrong
    if found:
        assert found.days == (before(2), before(1), DAY)
        assert found.sentence == record.sentence


def test_only_the_evaluation_of_the_day_counts() -> None:
    """After a rollback, its day still says why; on the next one, nobody is on probation."""
    record = probation(DAY, Verdict.worse, decision=7)
    assert _found(Watched(DAY, CHAMPION, probation=record), TriggerKind.probation)
    assert not _found(Watched(before(-1), CHAMPION, probation=record), TriggerKind.probation)


def test_the_most_urgent_comes_first() -> None:
    """Wrong features before wrong classes before other customers."""
    labels = _by_labels([True] * 3)
    drifted = {day: each for day, each in _drifting(["a"], ["a"], ["a"]).skew.items() if day != DAY}
    found = watch(
        Watched(
            DAY,
            CHAMPION,
            performance=labels.performance,
            skew={
                **drifted,
                before(3): skew(before(3), "a"),
                DAY: skew(DAY, "a", disagrees="income"),
            },
        ),
        WatchRules(retrain=Retrain.bank, cool_down_days=5),
    )
    kinds = [each.kind for each in found.triggers]
    assert kinds == [TriggerKind.skew, _FLOOR, TriggerKind.drift]
    assert [each.code for each in found.triggers] == [CODES[kind] for kind in kinds]
    assert (found.retrain, found.cool_down_days) == (Retrain.bank, 5)


def test_evidence_is_the_same_when_more_of_its_labels_arrive() -> None:
    """Other days, or another model, are other evidence."""

    def fingerprint(watched: Watched) -> str:
        found = _found(watched, _FLOOR)
        assert found is not None
        return found.fingerprint

    watched = _by_labels([True] * 3)
    more = {
        day: performance(day, "recall of Poor", "accuracy of age band 30")
        for day in watched.performance
    }
    assert fingerprint(watched) == fingerprint(Watched(DAY, CHAMPION, performance=more))
    assert fingerprint(watched) != fingerprint(_by_labels([True] * 4))
    others = {day: performance(day, "recall of Poor", tag=OTHER) for day in more}
    assert fingerprint(watched) != fingerprint(Watched(DAY, OTHER, performance=others))


def test_what_was_found_is_read_as_it_was_stored() -> None:
    """As part of a record, in JSON."""
    found = watch(_by_labels([True] * 3), _RULES)
    assert Watch.model_validate_json(found.model_dump_json()) == found


def test_a_window_holds_the_days_that_are_judged() -> None:
    """Seven days cannot be found among the last three."""
    with pytest.raises(ValidationError, match="of_days must not exceed look_back_days"):
        WatchRules(look_back_days=3)


def test_few_labels_a_day_are_judged_together() -> None:
    """Where none of the days is beyond doubt by itself, all of them may be; one or two are not."""
    judged = {before(n): estimated(before(n), 0.02, half_width=0.08) for n in range(20, 27)}
    found = _found(Watched(DAY, CHAMPION, estimated=judged), _ESTIMATE)
    assert found is not None
    assert found.days == tuple(sorted(judged))
    assert "on 7 of the last 7 days with enough labels" in found.sentence
    few = dict(list(judged.items())[:2])
    assert _found(Watched(DAY, CHAMPION, estimated=few), _ESTIMATE) is None
    strict = WatchRules(estimate_confidence=0.999999)
    assert _found(Watched(DAY, CHAMPION, estimated=judged), _ESTIMATE, strict) is None


def test_days_together_have_the_interval_of_all_their_answers() -> None:
    """Seven alike days: narrower by the root of seven than one of them, at the same level."""
    one = estimated(DAY, 0.02).models[0].how_far_off
    assert one is not None
    found = shortfall_of([one] * 7, 0.95)
    assert found.value == pytest.approx(one.accuracy.value)
    narrower = (one.accuracy.high - one.accuracy.low) / (found.high - found.low)
    assert narrower == pytest.approx(7**0.5)
    assert shortfall_of([one], 0.95).low == pytest.approx(one.accuracy.low)

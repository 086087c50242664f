"""What is wrong beyond doubt with the rows that were served, and what is not."""

from credit_ct_dagster.contracts.triggers import TriggerKind
from credit_ct_dagster.modeling.watching.triggers import watch
from credit_ct_dagster.modeling.watching.watch_rules import Watched, WatchRules
from credit_ct_dagster_tests.modeling.watching.watched_days import (
    CHAMPION,
    DAY,
    before,
    drifting,
    skew,
    trigger_of,
)

_RULES = WatchRules()


def test_skew_is_a_trigger_on_its_first_day() -> None:
    """And only of the day itself: that of the day before was reported."""
    yesterday = Watched(DAY, CHAMPION, skew={before(1): skew(before(1), disagrees="income")})
    assert trigger_of(yesterday, TriggerKind.skew) is None
    found = trigger_of(
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


def test_a_feature_must_drift_on_several_days() -> None:
    """The same one: on a single day, other customers may have asked."""
    assert trigger_of(drifting(["income"], ["debt"], ["rate"]), TriggerKind.drift) is None
    assert trigger_of(drifting(["income"], ["income"]), TriggerKind.drift) is None
    found = trigger_of(drifting(["income"], ["income", "debt"], [], ["income"]), TriggerKind.drift)
    assert found is not None
    assert found.days == (before(3), before(2), DAY)
    assert "income (request, 3 days)" in found.sentence
    assert "debt" not in found.sentence


def test_drift_from_the_rows_of_an_earlier_champion_does_not_count() -> None:
    """The new one was trained on others."""
    old = drifting(["income"], ["income"], ["income"], ["income"]).skew
    new = {DAY: skew(DAY, trained_on="2025-05-01")}
    assert trigger_of(Watched(DAY, CHAMPION, skew={**old, **new}), TriggerKind.drift) is None


def test_a_source_without_answers_has_collapsed() -> None:
    """From the day on which it had none; the other source goes on."""
    usual = {before(n): 1000 for n in range(36)}
    gone = usual | {DAY: 0}
    found = trigger_of(
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
    assert trigger_of(Watched(DAY, None, volumes={"request": volumes}), TriggerKind.volume)

"""What is wrong beyond doubt on a prediction day, all rules together."""

import pytest

from credit_ct_dagster.contracts.probation import Verdict
from credit_ct_dagster.contracts.triggers import Retrain, TriggerKind, Watch
from credit_ct_dagster.modeling.watching.finding import CODES
from credit_ct_dagster.modeling.watching.triggers import watch
from credit_ct_dagster.modeling.watching.watch_rules import Watched, WatchRules
from credit_ct_dagster_tests.modeling.watching.watched_days import (
    CHAMPION,
    DAY,
    before,
    by_labels,
    drifting,
    probation,
    skew,
    trigger_of,
)

_RULES = WatchRules()
_FLOOR = TriggerKind.below_floor


def test_nothing_is_wrong_where_nothing_is_known() -> None:
    """What could not be judged is said, each kind with its reason."""
    found = watch(Watched(day=DAY, champion=CHAMPION), _RULES)
    assert found.triggers == ()
    assert found.unknown[_FLOOR] == f"No day has enough labels of answers by {CHAMPION} yet."
    assert set(found.unknown) == set(TriggerKind) - {TriggerKind.volume}
    without = watch(Watched(day=DAY, champion=None), _RULES)
    assert without.unknown[_FLOOR] == "No model was promoted yet."


@pytest.mark.parametrize(
    ("verdict", "in_a_row", "is_wrong"),
    [(Verdict.worse, 3, True), (Verdict.worse, 2, False), (Verdict.confirmed, 3, False)],
)
def test_a_champion_that_fails_its_probation(
    verdict: Verdict, in_a_row: int, is_wrong: bool
) -> None:
    """Once enough evaluations in a row have said so."""
    record = probation(DAY, verdict, in_a_row)
    found = trigger_of(Watched(DAY, CHAMPION, probation=record), TriggerKind.probation)
    assert (found is not None) == is_wrong
    if found:
        assert found.days == (before(2), before(1), DAY)
        assert found.sentence == record.sentence


def test_only_the_evaluation_of_the_day_counts() -> None:
    """After a rollback, its day still says why; on the next one, nobody is on probation."""
    record = probation(DAY, Verdict.worse, decision=7)
    assert trigger_of(Watched(DAY, CHAMPION, probation=record), TriggerKind.probation)
    assert not trigger_of(Watched(before(-1), CHAMPION, probation=record), TriggerKind.probation)


def test_the_most_urgent_comes_first() -> None:
    """Wrong features before wrong classes before other customers."""
    labels = by_labels([True] * 3)
    drifted = {day: each for day, each in drifting(["a"], ["a"], ["a"]).skew.items() if day != DAY}
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


def test_what_was_found_is_read_as_it_was_stored() -> None:
    """As part of a record, in JSON."""
    found = watch(by_labels([True] * 3), _RULES)
    assert Watch.model_validate_json(found.model_dump_json()) == found

"""What a rule finds on a prediction day: a trigger with its evidence, or why nobody knows."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from credit_ct_dagster.contracts.triggers import Trigger, TriggerKind, fingerprint_of
from credit_ct_dagster.days import days_before
from credit_ct_dagster.modeling.watching.watch_rules import WatchRules

_T = TypeVar("_T")
NAMED = 3
"""Floors, or features, that a sentence names."""
Finding = Trigger | str | None
"""What is wrong; why nobody knows; None if nothing is wrong."""
CODES = {
    TriggerKind.below_floor: "CT-CHECK-PERFORMANCE-IS-ABOVE-FLOORS",
    TriggerKind.below_estimate: "CT-CHECK-PERFORMANCE-IS-AS-ESTIMATED",
    TriggerKind.skew: "CT-CHECK-SERVED-FEATURES-AGREE-WITH-THE-STORE",
    TriggerKind.drift: "CT-CHECK-SERVED-ROWS-HAVE-NOT-DRIFTED",
    TriggerKind.volume: "CT-CHECK-VOLUME-IS-AS-USUAL",
    TriggerKind.probation: "CT-CHECK-CHAMPION-PASSES-PROBATION",
}
"""The check that fails for each kind."""


def trigger(
    kind: TriggerKind,
    champion: str,
    days: Iterable[str],
    sentence: str,
    action: str,
    needed: int = 1,
) -> Trigger:
    """A trigger with its code and the fingerprint of its evidence.

    Args:
        kind: What is wrong.
        champion: The tag of the package that it is about; empty if it is about none.
        days: The prediction days that are the evidence.
        sentence: What happened, on which days.
        action: What to do.
        needed: How many such days the rule needs.
    """
    evidence = tuple(sorted(days))
    return Trigger(
        kind=kind,
        code=CODES[kind],
        sentence=sentence,
        action=action,
        champion=champion,
        days=evidence,
        needed=needed,
        # Further labels of the same days are no other evidence.
        fingerprint=fingerprint_of(kind, champion, evidence),
    )


def last_judged(judged: Iterable[str], day: str, rules: WatchRules) -> list[str]:
    """The last M days that could be judged, oldest first."""
    first = days_before(day, rules.look_back_days - 1)
    return sorted(each for each in judged if first <= each <= day)[-rules.of_days :]


def of_days_before(values: Mapping[str, _T], day: str, days: int) -> dict[str, _T]:
    """The values of so many days before a day."""
    first = days_before(day, days)
    return {each: value for each, value in values.items() if first <= each < day}


def count_of_days(number: int) -> str:
    """`1 day`, or so many days."""
    return "1 day" if number == 1 else f"{number} days"


def span(days: Iterable[str]) -> str:
    """The first and the last of days, for a sentence."""
    first, last = min(days), max(days)
    return first if first == last else f"{first} to {last}"

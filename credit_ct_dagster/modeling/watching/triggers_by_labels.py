"""When the labels of what was served say that the champion is wrong too often, beyond doubt."""

from typing import TYPE_CHECKING

from credit_ct_dagster.contracts.triggers import TriggerKind
from credit_ct_dagster.modeling.watching.finding import (
    NAMED,
    Finding,
    count_of_days,
    last_judged,
    span,
    trigger,
)
from credit_ct_dagster.modeling.watching.promise import shortfall_of
from credit_ct_dagster.modeling.watching.watch_rules import Watched, WatchRules
from credit_ct_dagster.rounding import told_apart

if TYPE_CHECKING:
    from credit_ct_dagster.contracts.decision import Floor
    from credit_ct_dagster.contracts.served_performance import HowFarOff, TagPerformance


def below_floor(watched: Watched, rules: WatchRules) -> Finding:
    """N of the last M days with enough labels on which the champion missed a floor.

    A day that is below a floor by chance is not one of several: a model that lies exactly at every
    floor is found to be below one on a day in at most 5 % of cases (`GateRules.floor_confidence`),
    and so on N of M days in at most 5 % times M / N, however much the days depend on each other
    (Rüger 1978, "Das maximale Signifikanzniveau des Tests: Lehne H0 ab, wenn k unter n gegebenen
    Tests zur Ablehnung führen", Metrika 25). Days of different customers depend on each other
    little, and then it is 0.4 % for 3 of 7.
    """
    if watched.champion is None:
        return "No model was promoted yet."
    champion = watched.champion
    judged: dict[str, TagPerformance] = {}
    for day, record in watched.performance.items():
        found = record.of(champion)
        if found and found.metrics and found.floors:
            judged[day] = found
    days = last_judged(judged, watched.day, rules)
    if not days:
        return f"No day has enough labels of answers by {champion} yet."
    below = {day: list(judged[day].below) for day in days if judged[day].below}
    if len(below) < rules.floor_days:
        return None
    missed: dict[str, list[Floor]] = {}
    for floors in below.values():
        for each in floors:
            missed.setdefault(each.what, []).append(each)
    ranked = sorted(missed.items(), key=lambda item: -len(item[1]))
    named = [
        f"{what} on {count_of_days(len(floors))}, last"
        f" {told_apart('.3f', floors[-1].value, floors[-1].least)} of at least {floors[-1].least:g}"
        for what, floors in ranked[:NAMED]
    ]
    more = f"; and {len(ranked) - NAMED} more" if len(ranked) > NAMED else ""
    return trigger(
        TriggerKind.below_floor,
        champion,
        below,
        f"{champion} was below a floor beyond doubt on {len(below)} of the last"
        f" {count_of_days(len(days))} with enough labels, {span(below)}: {'; '.join(named)}{more}.",
        "Look at the page of these days (served_performance.html) for the groups it fails. Train"
        " on newer rows, promote a better model (credit-ct promote), or return to the one before"
        " (credit-ct rollback).",
        needed=rules.floor_days,
    )


def below_estimate(watched: Watched, rules: WatchRules) -> Finding:
    """The last M days with enough labels: N of them, or all together, below their promise.

    The newest days that have labels have few of them where labels come late. So they are also
    judged together, at a level that allows for a look every day.
    """
    if watched.champion is None:
        return "No model was promoted yet."
    champion = watched.champion
    judged: dict[str, HowFarOff] = {}
    for day, record in watched.estimated.items():
        found = record.of(champion)
        if found and found.how_far_off:
            judged[day] = found.how_far_off
    days = last_judged(judged, watched.day, rules)
    if not days:
        return f"No day has enough labels of answers by {champion} yet."
    worse = [day for day in days if judged[day].accuracy.low > rules.estimate_margin]
    together = shortfall_of([judged[day] for day in days], rules.estimate_confidence)
    if together.low > rules.estimate_margin and len(days) >= rules.floor_days:
        worse = days
    if len(worse) < rules.floor_days:
        return None
    answers = sum(judged[day].answers for day in worse)
    real, promised = (
        sum(judged[day].answers * getattr(judged[day], name) for day in worse) / answers
        for name in ("real_accuracy", "estimated_accuracy")
    )
    return trigger(
        TriggerKind.below_estimate,
        champion,
        worse,
        f"{champion} was right less often than its probabilities promise on {len(worse)} of the"
        f" last {count_of_days(len(days))} with enough labels, {span(worse)}:"
        f" {told_apart('.3f', real, promised)} instead of {told_apart('.3f', promised, real)}, on"
        f" {answers:,} answers together.",
        "What customers' features say about them has changed since it was trained, or its"
        " probabilities were never right: compare them on its model card. Train on newer rows, or"
        " recalibrate it; until then, take estimates for too optimistic.",
        needed=rules.floor_days,
    )

"""When what was served is wrong beyond doubt: rules over the records of the last days."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar

from credit_ct_dagster.contracts.triggers import Trigger, TriggerKind, Watch, fingerprint_of
from credit_ct_dagster.days import days_before
from credit_ct_dagster.modeling.watching.promise import shortfall_of
from credit_ct_dagster.modeling.watching.volume import collapse_of
from credit_ct_dagster.modeling.watching.watch_rules import Watched, WatchRules

if TYPE_CHECKING:
    from credit_ct_dagster.contracts.decision import Floor
    from credit_ct_dagster.contracts.served_performance import HowFarOff, TagPerformance
    from credit_ct_dagster.contracts.serving_skew import ServingSkew

_T = TypeVar("_T")
_NAMED = 3
CODES = {
    TriggerKind.below_floor: "CT-CHECK-PERFORMANCE-IS-ABOVE-FLOORS",
    TriggerKind.below_estimate: "CT-CHECK-PERFORMANCE-IS-AS-ESTIMATED",
    TriggerKind.skew: "CT-CHECK-SERVED-FEATURES-AGREE-WITH-THE-STORE",
    TriggerKind.drift: "CT-CHECK-SERVED-ROWS-HAVE-NOT-DRIFTED",
    TriggerKind.volume: "CT-CHECK-VOLUME-IS-AS-USUAL",
    TriggerKind.probation: "CT-CHECK-CHAMPION-PASSES-PROBATION",
}
"""The check that fails for each kind."""


def watch(watched: Watched, rules: WatchRules) -> Watch:
    """Apply every rule; the most urgent finding first.

    A day that is below a floor by chance is not one of several: a model that lies exactly at every
    floor is found to be below one on a day in at most 5 % of cases (`GateRules.floor_confidence`),
    and so on N of M days in at most 5 % times M / N, however much the days depend on each other
    (Rüger 1978, "Das maximale Signifikanzniveau des Tests: Lehne H0 ab, wenn k unter n gegebenen
    Tests zur Ablehnung führen", Metrika 25). Days of different customers depend on each other
    little, and then it is 0.4 % for 3 of 7.
    """
    findings = [
        _skew(watched),
        _volume(watched, rules),
        _below_floor(watched, rules),
        _probation(watched),
        _below_estimate(watched, rules),
        _drift(watched, rules),
    ]
    kinds = [
        TriggerKind.skew, TriggerKind.volume, TriggerKind.below_floor, TriggerKind.probation,
        TriggerKind.below_estimate, TriggerKind.drift,
    ]  # fmt: skip
    return Watch(
        triggers=tuple(each for each in findings if isinstance(each, Trigger)),
        unknown={
            kind: each for kind, each in zip(kinds, findings, strict=True) if isinstance(each, str)
        },
        retrain=rules.retrain,
        cool_down_days=rules.cool_down_days,
    )


_Finding = Trigger | str | None
"""What is wrong; why nobody knows; None if nothing is wrong."""


def _skew(watched: Watched) -> _Finding:
    """Features as they were served on this day: the record itself excludes chance."""
    record = watched.skew.get(watched.day)
    if record is None:
        return f"The features that were served on {watched.day} were not compared."
    if not record.skewed:
        return None if record.compared else record.sentence
    return _trigger(
        TriggerKind.skew,
        "",
        [watched.day],
        f"On {watched.day}, {record.sentence}",
        "Look at who sends these features, and have them sent as the feature store has them. The"
        " answers of the day were computed from the values as they were served.",
    )


def _volume(watched: Watched, rules: WatchRules) -> _Finding:
    """The answers of this day, per source, against those of the weeks before."""
    sentences, unknown = [], []
    for source, volumes in sorted(watched.volumes.items()):
        began = min((day for day, rows in volumes.items() if rows), default=watched.day)
        since = {day: rows for day, rows in volumes.items() if day >= began}
        before = _before(since, watched.day, 7 * rules.volume_weeks)
        if watched.day not in volumes:
            unknown.append(f"How many answers of source {source} there were is not known.")
            continue
        found = collapse_of(watched.day, volumes[watched.day], before)
        if found is None:
            unknown.append(f"Source {source} has answers of {len(before)} days before only.")
        elif found.share < rules.volume_share and found.p_value < 1 - rules.volume_confidence:
            sentences.append(
                f"{found.rows:,} answers of source {source} on {watched.day},"
                f" {1 - found.share:.0%} fewer than {found.compared_with}"
                f" ({found.usual:,.0f})"
            )
    if sentences:
        return _trigger(
            TriggerKind.volume,
            "",
            [watched.day],
            f"{'; '.join(sentences)}: neither chance nor the day of the week explains it.",
            "Ask whether the service was reachable (credit-ct status --service) and whether its"
            " callers ran; for source batch, look at the run of customer_scores of this day and at"
            " the number of its feature rows.",
        )
    return " ".join(unknown) or None


def _below_floor(watched: Watched, rules: WatchRules) -> _Finding:
    """N of the last M days with enough labels on which the champion missed a floor."""
    if watched.champion is None:
        return "No model was promoted yet."
    champion = watched.champion
    judged: dict[str, TagPerformance] = {}
    for day, record in watched.performance.items():
        found = record.of(champion)
        if found and found.metrics and found.floors:
            judged[day] = found
    days = _last(judged, watched.day, rules)
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
        f"{what} on {_days(len(floors))}, last {floors[-1].value:.3f} of at least"
        f" {floors[-1].least:g}"
        for what, floors in ranked[:_NAMED]
    ]
    more = f"; and {len(ranked) - _NAMED} more" if len(ranked) > _NAMED else ""
    return _trigger(
        TriggerKind.below_floor,
        champion,
        below,
        f"{champion} was below a floor beyond doubt on {len(below)} of the last"
        f" {_days(len(days))} with enough labels, {_span(below)}: {'; '.join(named)}{more}.",
        "Look at the page of these days (served_performance.html) for the groups it fails. Train"
        " on newer rows, promote a better model (credit-ct promote), or return to the one before"
        " (credit-ct rollback).",
        needed=rules.floor_days,
    )


def _below_estimate(watched: Watched, rules: WatchRules) -> _Finding:
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
    days = _last(judged, watched.day, rules)
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
    return _trigger(
        TriggerKind.below_estimate,
        champion,
        worse,
        f"{champion} was right less often than its probabilities promise on {len(worse)} of the"
        f" last {_days(len(days))} with enough labels, {_span(worse)}: {real:.3f} instead of"
        f" {promised:.3f}, on {answers:,} answers together.",
        "What customers' features say about them has changed since it was trained, or its"
        " probabilities were never right: compare them on its model card. Train on newer rows, or"
        " recalibrate it; until then, take estimates for too optimistic.",
        needed=rules.floor_days,
    )


def _drift(watched: Watched, rules: WatchRules) -> _Finding:
    """The same feature of the same source, on N of the last M days with answers."""
    known = _before(watched.skew, watched.day, rules.look_back_days - 1)
    if watched.day in watched.skew:
        known[watched.day] = watched.skew[watched.day]
    newest = next((known[day] for day in sorted(known, reverse=True) if known[day].drift), None)
    if newest is None:
        return "No rows that were served could be compared with those of the training."
    # Of another champion, the training rows are others.
    compared = {day: each for day, each in known.items() if each.drift and _same_rows(each, newest)}
    days = sorted(compared)[-rules.of_days :]
    drifted: dict[tuple[str, str], list[str]] = {}
    for day in days:
        for source, columns in compared[day].drifted.items():
            for each in columns:
                drifted.setdefault((source, each.column), []).append(day)
    lasting = {key: each for key, each in drifted.items() if len(each) >= rules.drift_days}
    if not lasting:
        return None
    evidence = sorted({day for each in lasting.values() for day in each})
    ranked = sorted(lasting.items(), key=lambda item: (-len(item[1]), item[0]))
    named = [f"{column} ({source}, {_days(len(of))})" for (source, column), of in ranked[:_NAMED]]
    more = f" and {len(ranked) - _NAMED} more" if len(ranked) > _NAMED else ""
    return _trigger(
        TriggerKind.drift,
        watched.champion or "",
        evidence,
        f"Rows that were served have drifted from the training rows of base date"
        f" {newest.trained_on} on {_days(rules.drift_days)} or more of the last"
        f" {_days(len(days))}, {_span(evidence)}: {', '.join(named)}{more}.",
        "Ask whether the customers have changed or the source has: compare with the drift on the"
        " newest model card, which is measured on labelled rows. If the customers have changed,"
        " train on rows of such customers.",
        needed=rules.drift_days,
    )


def _probation(watched: Watched) -> _Finding:
    """What the evaluation of this day found of the champion; it excludes chance itself."""
    record = watched.probation
    if record is None or record.base_dt != watched.day:
        return f"The probation was not evaluated on {watched.day}."
    if not record.is_worse or record.champion is None:
        return None
    champion = record.champion.bentoml_tag
    looks = [each.day for each in record.looks][-record.in_a_row :]
    return _trigger(
        TriggerKind.probation,
        champion,
        looks or [watched.day],
        record.sentence,  # with the command that ends it, unless it is decided
        "Ask why the gate promoted it: its decision and its model card have the evidence of then.",
    )


def _same_rows(record: "ServingSkew", other: "ServingSkew") -> bool:
    return record.trained_on == other.trained_on


def _trigger(
    kind: TriggerKind,
    champion: str,
    days: Iterable[str],
    sentence: str,
    action: str,
    needed: int = 1,
) -> Trigger:
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


def _last(judged: Iterable[str], day: str, rules: WatchRules) -> list[str]:
    """The last M days that could be judged, oldest first."""
    first = days_before(day, rules.look_back_days - 1)
    return sorted(each for each in judged if first <= each <= day)[-rules.of_days :]


def _before(values: Mapping[str, _T], day: str, days: int) -> dict[str, _T]:
    """The values of so many days before a day."""
    first = days_before(day, days)
    return {each: value for each, value in values.items() if first <= each < day}


def _days(number: int) -> str:
    return "1 day" if number == 1 else f"{number} days"


def _span(days: Iterable[str]) -> str:
    first, last = min(days), max(days)
    return first if first == last else f"{first} to {last}"

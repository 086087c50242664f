"""When the rows that were served are wrong, too few, or others, beyond doubt: before any label."""

from typing import TYPE_CHECKING

from credit_ct_dagster.contracts.triggers import TriggerKind
from credit_ct_dagster.modeling.watching.finding import (
    NAMED,
    Finding,
    count_of_days,
    of_days_before,
    span,
    trigger,
)
from credit_ct_dagster.modeling.watching.volume import collapse_of
from credit_ct_dagster.modeling.watching.watch_rules import Watched, WatchRules

if TYPE_CHECKING:
    from credit_ct_dagster.contracts.serving_skew import ServingSkew


def skew(watched: Watched) -> Finding:
    """Features as they were served on this day: the record itself excludes chance."""
    record = watched.skew.get(watched.day)
    if record is None:
        return f"The features that were served on {watched.day} were not compared."
    if not record.skewed:
        return None if record.compared else record.sentence
    return trigger(
        TriggerKind.skew,
        "",
        [watched.day],
        f"On {watched.day}, {record.sentence}",
        "Look at who sends these features, and have them sent as the feature store has them. The"
        " answers of the day were computed from the values as they were served.",
    )


def volume(watched: Watched, rules: WatchRules) -> Finding:
    """The answers of this day, per source, against those of the weeks before."""
    sentences, unknown = [], []
    for source, volumes in sorted(watched.volumes.items()):
        began = min((day for day, rows in volumes.items() if rows), default=watched.day)
        since = {day: rows for day, rows in volumes.items() if day >= began}
        before = of_days_before(since, watched.day, 7 * rules.volume_weeks)
        if watched.day not in volumes:
            unknown.append(f"How many answers of source {source} there were is not known.")
            continue
        found = collapse_of(watched.day, volumes[watched.day], before)
        if found is None:
            unknown.append(
                f"Source {source} has {len(before) or 'no'} earlier days to compare with."
            )
        elif found.share < rules.volume_share and found.p_value < 1 - rules.volume_confidence:
            sentences.append(
                f"{found.rows:,} answers of source {source} on {watched.day},"
                f" {1 - found.share:.0%} fewer than {found.compared_with}"
                f" ({found.usual:,.0f})"
            )
    if sentences:
        return trigger(
            TriggerKind.volume,
            "",
            [watched.day],
            f"{'; '.join(sentences)}: neither chance nor the day of the week explains it.",
            "Ask whether the service was reachable (credit-ct status --service) and whether its"
            " callers ran; for source batch, look at the run of customer_scores of this day and at"
            " the number of its feature rows.",
        )
    return " ".join(unknown) or None


def drift(watched: Watched, rules: WatchRules) -> Finding:
    """The same feature of the same source, on N of the last M days with answers."""
    known = of_days_before(watched.skew, watched.day, rules.look_back_days - 1)
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
    named = [
        f"{column} ({source}, {count_of_days(len(of))})" for (source, column), of in ranked[:NAMED]
    ]
    more = f" and {len(ranked) - NAMED} more" if len(ranked) > NAMED else ""
    return trigger(
        TriggerKind.drift,
        watched.champion or "",
        evidence,
        f"Rows that were served have drifted from the training rows of base date"
        f" {newest.trained_on} on {count_of_days(rules.drift_days)} or more of the last"
        f" {count_of_days(len(days))}, {span(evidence)}: {', '.join(named)}{more}.",
        "Ask whether the customers have changed or the source has: compare with the drift on the"
        " newest model card, which is measured on labelled rows. If the customers have changed,"
        " train on rows of such customers.",
        needed=rules.drift_days,
    )


def _same_rows(record: "ServingSkew", other: "ServingSkew") -> bool:
    return record.trained_on == other.trained_on

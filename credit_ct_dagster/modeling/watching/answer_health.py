"""How many answers were given on a day, how fast and of which class, in sentences."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

import numpy as np

from credit_ct_dagster.contracts.health import (
    AnswerVolume,
    DayFigures,
    HealthSentence,
    Severity,
    Topic,
)
from credit_ct_dagster.contracts.triggers import TriggerKind, Watch
from credit_ct_dagster.errors.watching import ChangedClassesError, SlowAnswersError
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.shares import chance_of, psi_of
from credit_ct_dagster.modeling.watching.columns import BATCH, REQUEST
from credit_ct_dagster.rounding import told_apart

NAMES = {REQUEST: "over HTTP", BATCH: "in the batch"}
_USUAL_DAYS = 14
_LEAST_DAYS = 3
"""With an answer by the same package: of fewer, nobody knows which classes are usual."""
_CHANGED_PSI = 0.25
_CHANCE = 0.001
"""Each source has such a test every day: by chance alone, one of both differs so once in a year."""


def volume_sentence(days: Sequence[DayFigures], watch: Watch) -> HealthSentence:
    """How many answers there were.

    Args:
        days: Oldest first; the last one is the prediction day.
        watch: What the rules for alerts found.
    """
    today, before = days[-1], days[-1 - _USUAL_DAYS : -1]
    trigger = watch.of(TriggerKind.volume)
    if trigger:
        return HealthSentence(
            topic=Topic.volume,
            severity=Severity.critical,
            text=trigger.sentence,
            code=trigger.code,
            action=trigger.action,
        )
    if not today.volumes:
        return _about(Topic.volume, Severity.notice, f"No answer was given on {today.day}.")
    parts = []
    for source, name in NAMES.items():
        earlier = [each.rows(source) for each in before]
        if not today.rows(source) and not any(earlier):
            continue
        part = f"{today.rows(source):,} {name}"
        if earlier:
            part += f" (median of the {len(earlier)} days before: {median(earlier):,.0f})"
        parts.append(part)
    text = f"Answers on {today.day}: {', '.join(parts)}."
    tags = Counter[str]()
    for each in today.volumes:
        tags[each.model_tag] += each.rows
    if len(tags) > 1:
        named = ", ".join(f"{tag} {rows:,}" for tag, rows in tags.most_common())
        text += f" By package: {named}."
    unknown = watch.unknown.get(TriggerKind.volume)
    if unknown:
        text += f" Whether that is as usual is not known yet: {unknown}"
    return _about(Topic.volume, Severity.ok, text)


def latency_sentence(today: DayFigures, slow_ms: float) -> HealthSentence | None:
    """How long answers over HTTP took; None without any.

    Args:
        today: The prediction day.
        slow_ms: Milliseconds that 95 % of the answers should not exceed.
    """
    main = _main(today.volumes, REQUEST)
    if main is None or main.latency is None:
        return None
    latency = main.latency
    text = (
        f"Half of the answers over HTTP took {_milliseconds(latency.p50)} or less, 95 %"
        f" {_milliseconds(latency.p95)}, 99 % {_milliseconds(latency.p99)}."
    )
    if latency.p95 <= slow_ms:
        return _about(Topic.latency, Severity.ok, text)
    return HealthSentence(
        topic=Topic.latency,
        severity=Severity.warning,
        text=f"Answers are slow on {today.day}: {text[0].lower()}{text[1:]} The limit for 95 % is"
        f" {_milliseconds(slow_ms)} (slow_ms).",
        code=SlowAnswersError.code,
        action="Look at the load of its machine and of its database, and give it more processes"
        " (SERVING_WORKERS).",
    )


def class_sentences(days: Sequence[DayFigures]) -> list[HealthSentence]:
    """Which classes were answered, per source, beside those of the days before.

    Args:
        days: Oldest first; the last one is the prediction day.
    """
    today, before = days[-1], days[-1 - _USUAL_DAYS : -1]
    found = []
    for source, name in NAMES.items():
        main = _main(today.volumes, source)
        if main is None:
            continue
        # Another model may well answer other classes.
        alike = [
            each.classes
            for day in before
            for each in day.volumes
            if (each.source, each.model_tag) == (source, main.model_tag)
        ]
        found.append(_classes(today.day, name, main, alike))
    return found


def _classes(
    day: str, name: str, main: AnswerVolume, alike: Sequence[Mapping[str, int]]
) -> HealthSentence:
    text = f"Classes {name}: {_shares(main.classes)}"
    if len(alike) < _LEAST_DAYS:
        text += f". {main.model_tag} has not answered on enough days before to compare them with."
        return _about(Topic.classes, Severity.ok, text)
    usual = {each: sum(of.get(each, 0) for of in alike) for each in schema.CLASSES}
    text += f"; on the {len(alike)} days before, {_shares(usual)}."
    table = np.array([[of.get(each, 0) for each in schema.CLASSES] for of in (usual, main.classes)])
    psi = psi_of(table)
    if psi < _CHANGED_PSI or chance_of(table) >= _CHANCE:
        return _about(Topic.classes, Severity.ok, text)
    shown = told_apart(".2f", psi, _CHANGED_PSI)
    return HealthSentence(
        topic=Topic.classes,
        severity=Severity.warning,
        text=f"{main.model_tag} answers other classes on {day} than before (PSI {shown}). {text}",
        code=ChangedClassesError.code,
        action="Look at the skew and the drift of this day: either customers are others, or a"
        " feature is sent otherwise.",
    )


def _main(volumes: Iterable[AnswerVolume], source: str) -> AnswerVolume | None:
    """The package that gave the most answers of a source."""
    found = [each for each in volumes if each.source == source and each.rows]
    return max(found, key=lambda each: each.rows, default=None)


def _shares(classes: Mapping[str, int]) -> str:
    rows = max(1, sum(classes.values()))
    return ", ".join(f"{name} {classes.get(name, 0) / rows:.0%}" for name in schema.CLASSES)


def _milliseconds(value: float) -> str:
    return f"{value:,.0f} ms" if value >= 10 else f"{value:.1f} ms"


def _about(topic: Topic, severity: Severity, text: str) -> HealthSentence:
    return HealthSentence(topic=topic, severity=severity, text=text)

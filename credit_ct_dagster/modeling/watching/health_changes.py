"""What is different from the health record of the day before, in sentences."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from credit_ct_dagster.contracts.decision import DecisionRecord
from credit_ct_dagster.contracts.health import (
    DayFigures,
    HealthRecord,
    HealthSentence,
    ServedChampion,
    ServiceState,
    Severity,
)
from credit_ct_dagster.modeling.watching.answer_health import NAMES
from credit_ct_dagster.modeling.watching.health import Measured
from credit_ct_dagster.partitions import moment_of

_NOT_ASKED = "not asked"
_OTHER_VOLUME = 0.2
"""Of the answers of the day before: smaller differences are nothing to read of."""
_OTHER_LATENCY = 1.5


def changes_of(
    measured: Measured, sentences: Sequence[HealthSentence], before: HealthRecord | None
) -> tuple[str, ...]:
    """Compare a day with the record of the day before it.

    Args:
        measured: The prediction day.
        sentences: On it.
        before: The record of the day before; None if there is none.
    """
    if before is None:
        return ("There is no health record of the day before to compare with.",)
    found = [
        *_problems(sentences, before),
        *_champion(measured.champion, before.champion),
        *_decisions(measured.decisions, before),
        *_service(measured.service, before.service),
        *_answers(measured.days[-1], before.today),
        *_labels(measured.days, before.days),
    ]
    return tuple(found) or (f"Nothing: all is as it was on {before.base_dt}.",)


def _problems(sentences: Sequence[HealthSentence], before: HealthRecord) -> Iterator[str]:
    """By topic and code: the figures in a sentence are others every day."""
    now = {(each.topic, each.code): each for each in sentences if _is_problem(each)}
    then = {(each.topic, each.code): each for each in before.sentences if _is_problem(each)}
    for key, each in now.items():
        if key not in then:
            yield f"New: {each.topic} ({each.severity}, {each.code})."
    for key, each in then.items():
        if key not in now:
            yield f"Solved: {each.topic} ({each.code})."


def _is_problem(sentence: HealthSentence) -> bool:
    return sentence.severity.rank <= Severity.warning.rank


def _champion(now: ServedChampion | None, then: ServedChampion | None) -> Iterator[str]:
    tag, former = (each.bentoml_tag if each else None for each in (now, then))
    if tag == former:
        return
    if now is None:
        yield f"There is no champion any more; it was {former}."
    else:
        instead = f", in place of {former}" if former else ""
        yield f"{now.bentoml_tag} of base date {now.base_dt} is the champion{instead}."


def _decisions(decisions: Sequence[DecisionRecord], before: HealthRecord) -> Iterator[str]:
    for each in decisions:
        if each.time > before.made_at:
            yield (
                f"Decision {each.number} ({each.by}, {moment_of(each.time)}):"
                f" {each.decision.sentence}"
            )


def _service(now: ServiceState, then: ServiceState) -> Iterator[str]:
    if _NOT_ASKED in (now.status, then.status):
        return
    if now.status != then.status:
        yield f"The service is {now.status}; it was {then.status}."
    if now.tag != then.tag and now.is_known and then.is_known:
        yield f"The service answers with {now.tag}; it was {then.tag}."
        return
    began, former = _began(now), _began(then)
    if began and former and began > former:
        yield f"The service was started again at {moment_of(began)}."


def _began(service: ServiceState) -> datetime | None:
    """When its oldest process began to answer: each process loads the model by itself."""
    return min((each.since for each in service.instances if each.since), default=None)


def _answers(now: DayFigures, then: DayFigures) -> Iterator[str]:
    for source, name in NAMES.items():
        rows, former = now.rows(source), then.rows(source)
        if abs(rows - former) > _OTHER_VOLUME * former:
            change = f" ({rows / former - 1:+.0%})" if former else ""
            yield f"{rows:,} answers {name}; the day before {former:,}{change}."
    p95 = [
        max((each.latency.p95 for each in day.volumes if each.latency), default=None)
        for day in (now, then)
    ]
    if p95[0] and p95[1] and not 1 / _OTHER_LATENCY <= p95[0] / p95[1] <= _OTHER_LATENCY:
        yield f"95 % of the answers took {p95[0]:.0f} ms or less; the day before {p95[1]:.0f} ms."


def _labels(now: Sequence[DayFigures], then: Sequence[DayFigures]) -> Iterator[str]:
    """Labels of the days that both know: the others are no news."""
    former = {each.day: each.labelled for each in then}
    arrived = [
        (each.day, each.labelled - (former[each.day] or 0))
        for each in now
        if each.labelled is not None and each.day in former
    ]
    days = [day for day, number in arrived if number > 0]
    if days:
        number = sum(number for _, number in arrived if number > 0)
        span = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
        yield f"{number:,} labels came for answers of {span}."

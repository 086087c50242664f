"""What people have decided, and what waits for them, in sentences."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from credit_ct_dagster.contracts.decision import DecisionRecord
from credit_ct_dagster.contracts.health import HealthSentence, OpenDecision, Severity, Topic
from credit_ct_dagster.modeling.judging.standing import awaiting
from credit_ct_dagster.partitions import day_of, moment_of

PERSON = "a person"


def decision_sentences(
    decisions: Sequence[DecisionRecord], day: str, now: datetime
) -> Iterator[HealthSentence]:
    """What a person decided since a day began, the newest first; and what awaits approval.

    Args:
        decisions: Every decision on record, oldest first.
        day: The prediction day.
        now: With a time zone.
    """
    waiting = awaiting(decisions, now)
    if waiting:
        yield HealthSentence(
            topic=Topic.decisions,
            severity=Severity.notice,
            text=f"The model of base date {waiting.model.base_dt} waits for a person (decision"
            f" {waiting.number}). {waiting.decision.sentence}",
            action=f"Answer by credit-ct {_approve(waiting)}, or by credit-ct reject.",
        )
    for each in reversed(decisions):
        if each.by_person and day_of(each.time.timestamp()) >= day:
            yield HealthSentence(
                topic=Topic.decisions,
                severity=Severity.notice,
                text=f"Decision {each.number} on the model of base date {each.model.base_dt}, by"
                f" {each.by} at {moment_of(each.time)}: {each.decision.sentence}",
            )


def open_approval(decisions: Sequence[DecisionRecord], now: datetime) -> Iterator[OpenDecision]:
    """The model that awaits approval, if one does.

    Args:
        decisions: Every decision on record, oldest first.
        now: With a time zone.
    """
    waiting = awaiting(decisions, now)
    if waiting:
        yield OpenDecision(
            what=f"The model of base date {waiting.model.base_dt} does not serve yet (decision"
            f" {waiting.number}): {waiting.decision.sentence}",
            waits_for=PERSON,
            command=f"credit-ct {_approve(waiting)}",
        )


def _approve(request: DecisionRecord) -> str:
    return f"approve --decision {request.number} --by NAME --reason TEXT"

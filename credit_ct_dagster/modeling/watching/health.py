"""How the champion does on a prediction day: every sentence, and what has not been decided."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import Field

from credit_ct_dagster.contracts.decision import DecisionRecord, Ground
from credit_ct_dagster.contracts.health import (
    DayFigures,
    HealthSentence,
    OpenDecision,
    ServedChampion,
    ServiceState,
    Severity,
    Topic,
)
from credit_ct_dagster.contracts.probation import ProbationRecord
from credit_ct_dagster.contracts.served_performance import EstimatedPerformance, ServedPerformance
from credit_ct_dagster.contracts.serving_skew import ServingSkew
from credit_ct_dagster.contracts.triggers import Watch
from credit_ct_dagster.errors.watching import MissingMeasurementError
from credit_ct_dagster.modeling.watching.answer_health import (
    class_sentences,
    latency_sentence,
    volume_sentence,
)
from credit_ct_dagster.modeling.watching.decision_health import (
    PERSON,
    decision_sentences,
    open_approval,
)
from credit_ct_dagster.modeling.watching.quality_health import (
    estimated_sentences,
    performance_sentences,
    probation_sentences,
    skew_sentences,
    triggered_sentences,
)
from credit_ct_dagster.modeling.watching.serving_health import serving_sentences
from credit_ct_dagster.modeling.watching.watch_rules import WatchRules

ROLLBACK = "credit-ct rollback --by NAME --reason TEXT"


class HealthRules(WatchRules):
    """When what was served calls for somebody, and for how long answers may take."""

    slow_ms: float = Field(
        default=250,
        gt=0,
        allow_inf_nan=False,
        description="Milliseconds that 95 % of the answers over HTTP should not exceed; idle, they"
        " take about 10",
    )


@dataclass(frozen=True)
class Measured:
    """What is known of a prediction day and of the days before it.

    Attributes:
        day: The prediction day.
        champion: The model that should serve.
        service: What the HTTP service said.
        days: Figures of this day, the last, and of days before it, without a gap.
        performance: Per prediction day.
        estimated: Per prediction day.
        skew: Per prediction day.
        probation: Of this day; None if it was not evaluated.
        watch: What the rules for alerts found.
        missing: Per asset whose record of this day cannot be used, why.
        decisions: Every decision on record, oldest first.
    """

    day: str
    champion: ServedChampion | None
    service: ServiceState
    days: Sequence[DayFigures]
    performance: Mapping[str, ServedPerformance] = field(default_factory=dict)
    estimated: Mapping[str, EstimatedPerformance] = field(default_factory=dict)
    skew: Mapping[str, ServingSkew] = field(default_factory=dict)
    probation: ProbationRecord | None = None
    watch: Watch = field(default_factory=Watch)
    missing: Mapping[str, str] = field(default_factory=dict)
    decisions: Sequence[DecisionRecord] = ()

    @property
    def tag(self) -> str | None:
        """The package that the day is about: the champion's, unless only others answered."""
        answers = Counter[str]()
        for each in self.days[-1].volumes:
            answers[each.model_tag] += each.rows
        champion = self.champion.bentoml_tag if self.champion else None
        if not answers or champion in answers:
            return champion
        return answers.most_common(1)[0][0]


def sentences_of(measured: Measured, rules: HealthRules) -> tuple[HealthSentence, ...]:
    """Everything that is known, the most urgent first.

    Args:
        measured: The prediction day.
        rules: What the records were judged by.
    """
    return in_order(_sentences(measured, rules))


def in_order(sentences: Iterator[HealthSentence]) -> tuple[HealthSentence, ...]:
    """The most urgent sentences first; of the same severity, in the order of their topics."""
    return tuple(sorted(sentences, key=lambda each: (each.severity.rank, each.topic.rank)))


def _sentences(measured: Measured, rules: HealthRules) -> Iterator[HealthSentence]:
    day, tag, watch = measured.day, measured.tag, measured.watch
    last_days = measured.days[-rules.of_days :]
    yield from serving_sentences(measured.champion, measured.service, last_days)
    yield from decision_sentences(measured.decisions, day, measured.service.asked_at)
    yield volume_sentence(measured.days, watch)
    latency = latency_sentence(measured.days[-1], rules.slow_ms)
    if latency:
        yield latency
    yield from class_sentences(measured.days)
    yield from triggered_sentences(watch)
    yield from skew_sentences(day, measured.skew.get(day), watch)
    yield from estimated_sentences(tag, measured.estimated.get(day), watch)
    yield from performance_sentences(day, tag, measured.performance, watch)
    yield from probation_sentences(measured.probation, watch)
    for asset, why in measured.missing.items():
        yield HealthSentence(
            topic=_TOPICS.get(asset, Topic.performance),
            severity=Severity.warning,
            text=f"The record of {asset} on {day} cannot be used: {why}",
            code=MissingMeasurementError.code,
            action=f"Materialize {asset}, then champion_health, for this prediction day.",
        )


_TOPICS = {
    "served_performance": Topic.performance,
    "estimated_performance": Topic.estimated,
    "serving_skew": Topic.skew,
    "champion_probation": Topic.probation,
}


def open_decisions_of(measured: Measured) -> tuple[OpenDecision, ...]:
    """What has not been decided yet, what waits for a person first.

    Args:
        measured: The prediction day.
    """
    found = [
        *open_approval(measured.decisions, measured.service.asked_at),
        *_of_probation(measured),
        *_of_newest_challenger(measured),
    ]
    return tuple(sorted(found, key=lambda each: each.waits_for != PERSON))


def _of_probation(measured: Measured) -> Iterator[OpenDecision]:
    record = measured.probation
    if record is None:
        return
    if record.champion and record.verdict and record.decision is None:
        if record.is_worse:
            previous = record.previous.bentoml_tag if record.previous else "the model before"
            yield OpenDecision(
                what=f"{record.champion.bentoml_tag} is worse than {previous} beyond doubt, and"
                f" serves on (policy {record.policy.value}): let {previous} serve again, or record"
                " why not.",
                waits_for=PERSON,
                command=ROLLBACK,
            )
        else:
            yield OpenDecision(
                what=f"{record.champion.bentoml_tag} is on probation since {record.since}, at the"
                f" longest until {record.until}: {record.sentence}",
                waits_for="labels",
            )
    for each in record.challengers:
        if each.decision is None:
            yield OpenDecision(
                what=f"{each.model.bentoml_tag} of base date {each.model.base_dt} is in the shadow"
                f" until {each.until}: {each.sentence}",
                waits_for="labels",
            )


def _of_newest_challenger(measured: Measured) -> Iterator[OpenDecision]:
    """The newest decision, if its model may serve later."""
    newest = measured.decisions[-1] if measured.decisions else None
    if newest is None or newest.decision.ground not in _UNDECIDED:
        return
    shadowed = measured.probation.challengers if measured.probation else ()
    if any(each.model.mlflow_run_id == newest.model.mlflow_run_id for each in shadowed):
        return
    yield OpenDecision(
        what=f"The model of base date {newest.model.base_dt} does not serve (decision"
        f" {newest.number}): {newest.decision.sentence}",
        waits_for=_UNDECIDED[newest.decision.ground],
    )


_UNDECIDED = {
    Ground.insufficient_evidence: "more holdouts",
    Ground.no_agreement: "the models of more base dates",
    Ground.cooling_down: "the end of the cool-down",
    Ground.package_does_not_serve: PERSON,
}

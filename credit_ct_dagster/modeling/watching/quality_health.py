"""How right the answers are, and whether they were computed from the right features, in sentences.

What is wrong is decided by the rules for alerts; the records of the day tell the rest.
"""

from collections.abc import Iterator, Mapping

from credit_ct_dagster.contracts.health import HealthSentence, Severity, Topic
from credit_ct_dagster.contracts.probation import ProbationRecord
from credit_ct_dagster.contracts.served_performance import (
    EstimatedPerformance,
    ServedPerformance,
    TagPerformance,
)
from credit_ct_dagster.contracts.serving_skew import ServingSkew
from credit_ct_dagster.contracts.triggers import TriggerKind, Watch
from credit_ct_dagster.modeling.watching.finding import CODES

_NAMED = 3
_TRIGGERS = {
    TriggerKind.skew: (Topic.skew, Severity.critical),
    TriggerKind.drift: (Topic.drift, Severity.warning),
    TriggerKind.below_estimate: (Topic.estimated, Severity.warning),
    TriggerKind.below_floor: (Topic.performance, Severity.critical),
    TriggerKind.probation: (Topic.probation, Severity.critical),
}


def triggered_sentences(watch: Watch) -> Iterator[HealthSentence]:
    """What the rules for alerts found, but for the volume."""
    for each in watch.triggers:
        if each.kind in _TRIGGERS:
            topic, severity = _TRIGGERS[each.kind]
            yield HealthSentence(
                topic=topic,
                severity=severity,
                text=each.sentence,
                code=each.code,
                action=each.action,
            )


def skew_sentences(day: str, skew: ServingSkew | None, watch: Watch) -> Iterator[HealthSentence]:
    """Features as they were served, beside the feature store and the training rows."""
    if skew is None:
        return
    if not watch.of(TriggerKind.skew):
        if skew.skewed:
            yield HealthSentence(
                topic=Topic.skew,
                severity=Severity.warning,
                text=f"On {day}, {skew.sentence}",
                code=CODES[TriggerKind.skew],
                action="Look at who sends these features.",
            )
        else:
            severity = Severity.ok if skew.compared else Severity.notice
            yield _about(Topic.skew, severity, _capital(skew.sentence))
    if watch.of(TriggerKind.drift):
        return
    if skew.drift_not_computed:
        text = f"Drift from the training rows was not computed: {skew.drift_not_computed}"
        yield _about(Topic.drift, Severity.notice, text)
    elif skew.drifted:
        named = "; ".join(
            f"{source}: {_listed([each.column for each in columns])}"
            for source, columns in skew.drifted.items()
        )
        text = (
            f"On {day}, features differ from the training rows of base date {skew.trained_on}"
            f" ({named}), but not on enough days to rule out that other customers asked than usual."
        )
        yield _about(Topic.drift, Severity.notice, text)
    elif skew.drift:
        text = f"No feature has drifted from the training rows of base date {skew.trained_on}."
        yield _about(Topic.drift, Severity.ok, text)


def estimated_sentences(
    tag: str | None, estimated: EstimatedPerformance | None, watch: Watch
) -> Iterator[HealthSentence]:
    """How right the answers of the day are by their own probabilities."""
    if estimated is None or watch.of(TriggerKind.below_estimate):
        return
    found = estimated.of(tag) if tag else None
    text = (found.sentence if found else "") or estimated.sentence
    measured = found is not None and found.answers is not None
    if text:
        yield _about(Topic.estimated, Severity.ok if measured else Severity.notice, text)


def performance_sentences(
    day: str, tag: str | None, performance: Mapping[str, ServedPerformance], watch: Watch
) -> Iterator[HealthSentence]:
    """How right the answers are by the labels that have come.

    Args:
        day: The prediction day.
        tag: The package that answered.
        performance: Per prediction day.
        watch: What the rules for alerts found.
    """
    if watch.of(TriggerKind.below_floor):
        return
    newest = _newest_measured(tag, performance)
    if newest is None:
        today = performance.get(day)
        if today:
            learned = (
                f" ({today.learned:,} have one that their model may have learned from)"
                if today.learned
                else ""
            )
            labelled = f"{today.labelled:,}" if today.labelled else "none"
            text = (
                f"Of {today.answers:,} answers on {day}, {labelled} have a label"
                f" yet{learned}; no day has enough of them to say how right the answers were."
            )
            yield _about(Topic.performance, Severity.notice, text)
        return
    measured_day, found = newest
    assert found.metrics is not None
    accuracy, macro_f1 = found.metrics.accuracy, found.metrics.macro_f1
    text = (
        f"The newest day with enough labels is {measured_day}: {found.labelled:,} of"
        f" {found.answers:,} answers of {found.model_tag} have one; accuracy {accuracy.value:.3f}"
        f" ({accuracy.low:.3f} to {accuracy.high:.3f}), macro-F1 {macro_f1.value:.3f}"
        f" ({macro_f1.low:.3f} to {macro_f1.high:.3f})."
    )
    severity = Severity.ok
    if found.below:
        severity = Severity.notice
        named = _listed([each.what for each in found.below])
        text += (
            f" It was below a floor beyond doubt on this day ({named}), but not on enough days for"
            " an alert."
        )
    yield _about(Topic.performance, severity, text)


def probation_sentences(
    probation: ProbationRecord | None, watch: Watch
) -> Iterator[HealthSentence]:
    """The champion beside the model whose place it took."""
    if probation and not watch.of(TriggerKind.probation):
        is_open = probation.verdict is not None and probation.decision is None
        severity = Severity.notice if is_open else Severity.ok
        yield _about(Topic.probation, severity, probation.sentence)


def _newest_measured(
    tag: str | None, performance: Mapping[str, ServedPerformance]
) -> tuple[str, TagPerformance] | None:
    """The newest day with enough labels of a package; of any package if it has none yet."""
    measured = [
        (day, each)
        for day in sorted(performance, reverse=True)
        for each in performance[day].models
        if each.metrics
    ]
    own = (each for each in measured if each[1].model_tag == tag)
    return next(own, measured[0] if measured else None)


def _about(topic: Topic, severity: Severity, text: str) -> HealthSentence:
    return HealthSentence(topic=topic, severity=severity, text=text)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _listed(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")

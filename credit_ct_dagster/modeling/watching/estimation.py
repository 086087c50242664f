"""How good answers without label are estimated to be, and how far off such estimates were.

Confidence-based performance estimation: where probabilities are true, the mean probability of the
predicted class is the accuracy that is to be expected (as NannyML estimates it).
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

import numpy as np
import pandas as pd

from credit_ct_dagster.contracts.decision import Estimate
from credit_ct_dagster.contracts.served_performance import (
    EstimatedMetrics,
    EstimatedPerformance,
    HowFarOff,
    OffRecord,
    TagEstimate,
    TrackRecord,
)
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging import confusion
from credit_ct_dagster.modeling.watching.answers import Answers, Draws, by_model, estimate
from credit_ct_dagster.modeling.watching.learned import learned_sentence
from credit_ct_dagster.modeling.watching.performance_rules import EstimationRules
from credit_ct_dagster.rounding import told_apart

_CLASSES = len(schema.CLASSES)
_CELLS = _CLASSES**2
_Metric = Callable[[np.ndarray], np.ndarray]
"""Of confusion counts, shape (…, 3, 3)."""

BLIND_TO = (
    "An estimate takes the probabilities at their word. It sees that customers have changed,"
    " because then the probabilities are others. It cannot see that the same customers turn out"
    " otherwise than before (concept drift): the estimate stays as it was, while the real"
    " performance falls, until labels show it. Nor does it see that probabilities are"
    " miscalibrated. So a low estimate is a warning, and a high one is no proof: only labels are."
)


def estimated_performance(
    base_dt: str,
    frame: pd.DataFrame,
    rules: EstimationRules,
    known_at: datetime,
    earlier: Sequence[EstimatedPerformance] = (),
    learned_until: Mapping[str, str] = MappingProxyType({}),
) -> EstimatedPerformance:
    """Estimate the performance of the answers of a prediction day, per model.

    Args:
        base_dt: The prediction day.
        frame: Its answers with the labels that are known: see `resources.feature_store.served`.
        rules: How.
        known_at: The moment until which labels are known, with its time zone.
        earlier: What was estimated of the days before, for the record of how far off that was.
        learned_until: Per model, the newest base date that it learned from, whose labels do not
            count: see `by_model`. Of such answers nothing is compared.
    """
    before = [each for each in earlier if each.base_dt < base_dt]
    models, unknown = [], 0
    for tag, answers in by_model(base_dt, frame, learned_until):
        made, without = _of_model(tag, answers, rules, before), int(_without_label(answers).sum())
        made = made.model_copy(update={"learned_until": learned_until.get(tag)})
        sentence = _of_model_sentence(made, without, rules, base_dt)
        models.append(made.model_copy(update={"sentence": sentence}))
        unknown += without
    return EstimatedPerformance(
        base_dt=base_dt,
        known_at=known_at,
        answers=len(frame),
        without_label=unknown,
        learned=sum(each.learned for each in models),
        models=models,
        sentence=_sentence(base_dt, len(frame), unknown),
        blind_to=BLIND_TO,
    )


def _sentence(base_dt: str, answers: int, unknown: int) -> str:
    if not answers:
        return f"No answer was given on {base_dt}: nothing is estimated."
    return (
        f"The label of {unknown:,} of {answers:,} answers of {base_dt} is not known: their"
        " performance is estimated by their probabilities."
    )


def _of_model(
    tag: str, answers: Answers, rules: EstimationRules, before: Sequence[EstimatedPerformance]
) -> TagEstimate:
    return TagEstimate(
        model_tag=tag,
        answers=_estimated(answers, rules),
        without_label=_estimated(answers.where(_without_label(answers)), rules),
        how_far_off=_how_far_off(answers.where(answers.has_label), rules),
        record=_record(tag, before, rules.min_record_days),
        learned=int(answers.learned.sum()),
    )


def _without_label(answers: Answers) -> np.ndarray:
    """Whether no label is known: not even one that does not count."""
    return ~(answers.has_label | answers.learned)


def _of_model_sentence(of: TagEstimate, unknown: int, rules: EstimationRules, day: str) -> str:
    parts = []
    if not unknown:
        parts.append(f"{of.model_tag}: every answer has a label.")
    elif of.without_label is None:
        parts.append(
            f"{of.model_tag}: the {unknown:,} answers without label are of fewer than"
            f" {rules.min_customers} customers, so that nothing is estimated of them."
        )
    else:
        accuracy, macro_f1 = of.without_label.accuracy, of.without_label.macro_f1
        parts.append(
            f"{of.model_tag}: the {of.without_label.answers:,} answers without label are estimated"
            f" to have an accuracy of {accuracy.value:.3f} ({accuracy.low:.3f} to"
            f" {accuracy.high:.3f}) and a macro-F1 of {macro_f1.value:.3f}."
        )
    if of.learned:
        parts.append(learned_sentence(of.learned, of.learned_until, day))
    if of.how_far_off:
        off = of.how_far_off
        parts.append(
            f"Of the {off.answers:,} answers with a label, the estimate is"
            f" {told_apart('.3f', off.estimated_accuracy, off.real_accuracy)} and the real accuracy"
            f" {told_apart('.3f', off.real_accuracy, off.estimated_accuracy)}."
        )
    if of.record is None:
        parts.append("How far off its estimates are is not known before labels have come.")
    else:
        record, accuracy_off = of.record, of.record.accuracy
        whose = "" if record.model_tag else " of all models"
        parts.append(
            f"On {record.days} earlier {'day' if record.days == 1 else 'days'} with labels, the"
            f" estimates{whose} were {_direction(accuracy_off.mean)} on average and"
            f" {accuracy_off.mean_absolute:.3f} off, at most {abs(accuracy_off.largest):.3f};"
            f" chance does not explain {accuracy_off.beyond_chance} of these days."
        )
    return " ".join(parts)


def _direction(mean: float) -> str:
    if abs(mean) < 0.0005:
        return "neither too high nor too low"
    return f"{abs(mean):.3f} too {'high' if mean > 0 else 'low'}"


def _expected(answers: Answers, draws: Draws) -> np.ndarray:
    """Expected confusion counts of each thing that is drawn, shape (size, 3, 3).

    An answer adds the probability of each class to the row of that class, in the column of the
    predicted one.
    """
    rows = [
        draws.sums(answers.predicted, _CLASSES, answers.probabilities[:, true])
        for true in range(_CLASSES)
    ]
    return np.stack(rows, axis=1)


def _real(answers: Answers, true: np.ndarray, draws: Draws) -> np.ndarray:
    """Confusion counts of each thing that is drawn, shape (size, 3, 3)."""
    counts = draws.sums(true * _CLASSES + answers.predicted, _CELLS)
    return counts.reshape(draws.size, _CLASSES, _CLASSES)


def _estimated(answers: Answers, rules: EstimationRules) -> EstimatedMetrics | None:
    """The expected metrics; None with too few customers.

    Their intervals are of drawn customers whose labels are drawn from the probabilities: what the
    real figure varies by although the probabilities are true.
    """
    if answers.customers < rules.min_customers:
        return None
    draws = Draws.among(answers.customer, rules)
    expected = _expected(answers, draws).sum(axis=0)
    bounds = answers.probabilities.cumsum(axis=1)
    lot = np.random.default_rng(rules.seed).random(len(answers)) * bounds[:, -1]
    labels = (lot[:, np.newaxis] >= bounds[:, :-1]).sum(axis=1)
    simulated = _real(answers, labels, draws)
    drawn = draws.drawn(simulated)

    def around(metric: _Metric) -> Estimate:
        value = float(metric(expected))
        spread = metric(drawn) - metric(simulated.sum(axis=0))
        return estimate(value, np.clip(value + spread, 0.0, 1.0))

    return EstimatedMetrics(
        answers=len(answers),
        customers=answers.customers,
        accuracy=around(confusion.accuracy),
        macro_f1=around(confusion.macro_f1),
    )


def _how_far_off(labelled: Answers, rules: EstimationRules) -> HowFarOff | None:
    """Estimated minus real, on the same drawn customers; None with too few of them."""
    if labelled.customers < rules.min_customers:
        return None
    draws = Draws.among(labelled.customer, rules)
    both = np.stack([_expected(labelled, draws), _real(labelled, labelled.true, draws)], axis=1)
    estimated, real = both.sum(axis=0)
    drawn = draws.drawn(both)

    def difference(metric: _Metric) -> Estimate:
        return estimate(
            float(metric(estimated) - metric(real)), metric(drawn[:, 0]) - metric(drawn[:, 1])
        )

    return HowFarOff(
        answers=len(labelled),
        customers=labelled.customers,
        estimated_accuracy=float(confusion.accuracy(estimated)),
        real_accuracy=float(confusion.accuracy(real)),
        accuracy=difference(confusion.accuracy),
        estimated_macro_f1=float(confusion.macro_f1(estimated)),
        real_macro_f1=float(confusion.macro_f1(real)),
        macro_f1=difference(confusion.macro_f1),
    )


def _record(tag: str, before: Sequence[EstimatedPerformance], min_days: int) -> TrackRecord | None:
    """How far off the estimates of earlier days were; None if no label has come."""
    known = sorted(
        (
            (day.base_dt, each.model_tag, each.how_far_off)
            for day in before
            for each in day.models
            if each.how_far_off
        ),
        key=lambda found: found[:2],
    )
    own = [found for found in known if found[1] == tag]
    counted = own if len(own) >= min_days else known
    if not counted:
        return None
    days = [day for day, _, _ in counted]
    offs = [off for _, _, off in counted]
    return TrackRecord(
        model_tag=tag if counted is own else None,
        days=len(set(days)),
        first=days[0],
        last=days[-1],
        answers=sum(off.answers for off in offs),
        accuracy=_off([(off.accuracy, off.answers) for off in offs]),
        macro_f1=_off([(off.macro_f1, off.answers) for off in offs]),
    )


def _off(differences: Sequence[tuple[Estimate, int]]) -> OffRecord:
    values = np.array([each.value for each, _ in differences])
    weights = [answers for _, answers in differences]
    return OffRecord(
        mean=float(np.average(values, weights=weights)),
        mean_absolute=float(np.average(np.abs(values), weights=weights)),
        largest=float(values[np.abs(values).argmax()]),
        beyond_chance=sum(not each.low <= 0 <= each.high for each, _ in differences),
    )

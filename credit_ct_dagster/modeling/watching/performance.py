"""How good the answers of a prediction day were, by the labels that have come since."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from types import MappingProxyType

import numpy as np
import pandas as pd

from credit_ct_dagster.contracts.decision import Estimate, Floor
from credit_ct_dagster.contracts.served_performance import (
    Metrics,
    ServedPerformance,
    SlicePerformance,
    TagPerformance,
)
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.floors import floors
from credit_ct_dagster.modeling.watching.answers import Answers, Draws, by_model, estimate
from credit_ct_dagster.modeling.watching.columns import LABEL, SOURCE
from credit_ct_dagster.modeling.watching.figures import (
    accuracy_of_all,
    counts_of,
    errors_by_chance,
    metrics_of,
    sums_of,
)
from credit_ct_dagster.modeling.watching.learned import learned_sentence
from credit_ct_dagster.modeling.watching.performance_rules import PerformanceRules
from credit_ct_dagster.modeling.watching.selection import (
    Groups,
    customers_per,
    groups_of,
    selection_of,
    selection_sentence,
)

_CLASSES = len(schema.CLASSES)
_ALL = "all"


def served_performance(
    base_dt: str,
    frame: pd.DataFrame,
    rules: PerformanceRules,
    known_at: datetime,
    learned_until: Mapping[str, str] = MappingProxyType({}),
) -> ServedPerformance:
    """Measure the answers of a prediction day, per model.

    Args:
        base_dt: The prediction day.
        frame: Its answers with the labels that are known: see `resources.feature_store.served`.
        rules: What is measured.
        known_at: The moment until which labels are known, with its time zone.
        learned_until: Per model, the newest base date that it learned from, whose labels do not
            count: see `by_model`.
    """
    models = [
        _of_model(tag, answers, rules, base_dt, learned_until.get(tag))
        for tag, answers in by_model(base_dt, frame, learned_until)
    ]
    until = date.fromisoformat(base_dt) + timedelta(days=rules.label_days)
    answers, labelled, learned = (
        sum(getattr(each, what) for each in models) for what in ("answers", "labelled", "learned")
    )
    return ServedPerformance(
        base_dt=base_dt,
        known_at=known_at,
        label_days=rules.label_days,
        labels_until=until.isoformat(),
        answers=answers,
        labelled=labelled,
        learned=learned,
        models=models,
        min_customers=rules.min_customers,
        sentence=_sentence(base_dt, answers, labelled, learned, until.isoformat()),
    )


def _sentence(base_dt: str, answers: int, labelled: int, learned: int, until: str) -> str:
    if not answers:
        return f"No answer was given on {base_dt}."
    not_counted = f", and {learned:,} one that their model may have learned from" if learned else ""
    return (
        f"Of the {answers:,} answers of {base_dt}, {labelled:,} ({labelled / answers:.1%}) have a"
        f" label so far{not_counted}; labels of these customers may be dated up to {until}."
    )


def _of_model(
    tag: str, answers: Answers, rules: PerformanceRules, day: str, learned_until: str | None
) -> TagPerformance:
    labelled = answers.where(answers.has_label)
    groups = groups_of(answers)
    counts = np.zeros((_CLASSES, _CLASSES), dtype=np.int64)
    np.add.at(counts, (labelled.true, labelled.predicted), 1)
    predicted = np.bincount(answers.predicted, minlength=_CLASSES)
    sums = _sums(labelled, groups, answers.has_label, rules)
    everyone = sums.get((_ALL, 0))
    made = TagPerformance(
        model_tag=tag,
        answers=len(answers),
        customers=answers.customers,
        labelled=len(labelled),
        labelled_customers=labelled.customers,
        coverage=_coverage(answers, rules),
        sources=_counted(answers.frame[SOURCE]),
        predicted=dict(zip(schema.CLASSES, predicted.tolist(), strict=True)),
        confusion=counts.tolist(),
        metrics=everyone.metrics if everyone else None,
        as_all_answers=accuracy_of_all(counts, counts_of(everyone.drawn), predicted / len(answers))
        if everyone
        else None,
        floors=_floors(labelled, rules),
        slices=_slices(answers, labelled, groups, sums),
        selection=selection_of(answers, groups),
        learned=int(answers.learned.sum()),
        learned_until=learned_until,
    )
    return made.model_copy(update={"sentence": _of_model_sentence(made, rules, day)})


def _of_model_sentence(of: TagPerformance, rules: PerformanceRules, day: str) -> str:
    parts = [
        f"{of.model_tag}: {of.labelled:,} of {of.answers:,} answers have a label"
        f" ({of.labelled / of.answers:.1%})."
    ]
    if of.learned:
        parts.append(learned_sentence(of.learned, of.learned_until, day))
    if not of.labelled:
        return " ".join([*parts, "Nothing is known of its performance yet."])
    if of.metrics is None:
        parts.append(
            f"These are of {of.labelled_customers:,} customers, fewer than the"
            f" {rules.min_customers} that figures with intervals need."
        )
    else:
        accuracy = of.metrics.accuracy
        parts.append(
            f"Accuracy {accuracy.value:.3f} ({accuracy.low:.3f} to {accuracy.high:.3f}), macro-F1"
            f" {of.metrics.macro_f1.value:.3f}."
        )
    if of.below:
        parts.append(f"Below the floor beyond doubt: {', '.join(f.what for f in of.below)}.")
    if of.metrics and of.labelled + of.learned < of.answers:
        parts.append(selection_sentence(of.selection))
    return " ".join(parts)


def _counted(names: pd.Series) -> dict[str, int]:
    counts = names.astype(object).value_counts()
    return {str(name): int(counts[name]) for name in sorted(counts.index)}


def _floors(labelled: Answers, rules: PerformanceRules) -> list[Floor]:
    """What the gate requires of a challenger, on labelled answers; nothing without any."""
    if not len(labelled):
        return []
    rows = labelled.frame[[schema.CUSTOMER, *schema.GROUPED]]
    rows = rows.assign(**{schema.TARGET: labelled.frame[LABEL]})
    return floors(rows, np.array(schema.CLASSES)[labelled.predicted], None, rules.gate)


def _coverage(answers: Answers, rules: PerformanceRules) -> Estimate:
    draws = Draws.among(answers.customer, rules)
    sums = draws.sums(answers.has_label.astype(np.int64), 2)
    drawn = draws.drawn(sums)
    return estimate(answers.has_label.mean(), drawn[:, 1] / drawn.sum(axis=1))


@dataclass(frozen=True)
class _Sums:
    """Sums of a group of labelled answers, of all and of each draw; see `sums_of`."""

    total: np.ndarray
    drawn: np.ndarray
    by_chance: float

    @property
    def metrics(self) -> Metrics:
        return metrics_of(self.total, self.drawn, self.by_chance)


def _sums(
    labelled: Answers, groups: Groups, has_label: np.ndarray, rules: PerformanceRules
) -> dict[tuple[str, int], _Sums]:
    """Sums of every group with enough customers, by its kind and number, from the same draws.

    All labelled answers are a kind of their own, with a single group.
    """
    numbered = {_ALL: (np.zeros(len(labelled), dtype=np.int64), 1)} | {
        kind: (group[has_label], len(names)) for kind, (group, names) in groups.items()
    }
    draws = Draws.among(labelled.customer, rules)
    keys, parts, by_chance = [], [], []
    for kind, (group, number) in numbered.items():
        customers = customers_per(group, number, labelled.customer)
        measured = np.flatnonzero(customers >= rules.min_customers)
        if len(measured):
            keys += [(kind, int(place)) for place in measured]
            parts.append(sums_of(labelled, draws, group, number)[:, measured])
            by_chance.append(errors_by_chance(labelled, group, number)[measured])
    if not keys:
        return {}
    sums = np.concatenate(parts, axis=1)
    total, drawn, chances = sums.sum(axis=0), draws.drawn(sums), np.concatenate(by_chance)
    return {
        key: _Sums(total[place], drawn[:, place], float(chances[place]))
        for place, key in enumerate(keys)
    }


def _slices(
    answers: Answers, labelled: Answers, groups: Groups, sums: dict[tuple[str, int], _Sums]
) -> list[SlicePerformance]:
    found = []
    for kind, (group, names) in groups.items():
        of = group[answers.has_label]
        counts = [
            np.bincount(group, minlength=len(names)),
            np.bincount(of, minlength=len(names)),
            customers_per(of, len(names), labelled.customer),
        ]
        for place, name in enumerate(names):
            rows, rows_labelled, customers = (int(each[place]) for each in counts)
            measured = sums.get((kind, place))
            found.append(
                SlicePerformance(
                    kind=kind,
                    name=name,
                    answers=rows,
                    labelled=rows_labelled,
                    labelled_customers=customers,
                    metrics=measured.metrics if measured else None,
                )
            )
    return found

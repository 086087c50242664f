"""Every figure of a prediction day as a table, which people query over many days."""

from collections.abc import Iterator

import pandas as pd

from credit_ct_dagster.contracts.decision import Estimate
from credit_ct_dagster.contracts.served_performance import (
    EstimatedPerformance,
    Metrics,
    ServedPerformance,
    TagEstimate,
)

COLUMNS = [
    "base_dt", "known_at", "model_tag", "kind", "name", "metric", "value", "low", "high", "answers",
]  # fmt: skip
_ALL = "all"

_Figure = tuple[str, str, str, Estimate, int]
"""Kind of group, its name, metric, value, and on how many answers."""


def table_of_figures(
    served: ServedPerformance, estimated: EstimatedPerformance | None = None
) -> pd.DataFrame:
    """A row per figure.

    Args:
        served: What labels say.
        estimated: What was estimated of the same day.

    Returns:
        Columns `COLUMNS`: the prediction day; the moment until which labels were known, as text
        in ISO 8601; the model; the kind of group and its name, both `all` for all answers; the
        metric; its value with the ends of its 95 % interval; and the answers that it is of.
    """
    rows = []
    for model in served.models:
        figures: list[_Figure] = [(_ALL, _ALL, "coverage", model.coverage, model.answers)]
        if model.metrics:
            figures += _of_metrics(_ALL, _ALL, model.metrics, model.labelled)
        if model.as_all_answers:
            figures.append(
                (_ALL, _ALL, "accuracy_as_all_answers", model.as_all_answers, model.answers)
            )
        for each in model.slices:
            if each.metrics:
                figures += _of_metrics(each.kind, each.name, each.metrics, each.labelled)
        estimate = estimated.of(model.model_tag) if estimated else None
        if estimate:
            figures += _of_estimate(estimate)
        rows += [
            (
                served.base_dt,
                served.known_at.isoformat(),
                model.model_tag,
                kind,
                name,
                metric,
                found.value,
                found.low,
                found.high,
                answers,
            )
            for kind, name, metric, found, answers in figures
        ]
    numbers = dict.fromkeys(["value", "low", "high"], "float64") | {"answers": "int64"}
    return pd.DataFrame(rows, columns=COLUMNS).astype(numbers)


def _of_metrics(kind: str, name: str, metrics: Metrics, answers: int) -> Iterator[_Figure]:
    named = {
        "accuracy": metrics.accuracy,
        "macro_f1": metrics.macro_f1,
        "log_loss": metrics.log_loss,
        "ece": metrics.ece,
        **{f"recall_{each.lower()}": found for each, found in metrics.recall.items()},
    }
    for metric, found in named.items():
        if found:
            yield kind, name, metric, found, answers


def _of_estimate(estimate: TagEstimate) -> Iterator[_Figure]:
    for suffix, of in (("", estimate.answers), ("_without_label", estimate.without_label)):
        if of:
            yield _ALL, _ALL, f"estimated_accuracy{suffix}", of.accuracy, of.answers
            yield _ALL, _ALL, f"estimated_macro_f1{suffix}", of.macro_f1, of.answers
    off = estimate.how_far_off
    if off:
        yield _ALL, _ALL, "estimated_minus_real_accuracy", off.accuracy, off.answers
        yield _ALL, _ALL, "estimated_minus_real_macro_f1", off.macro_f1, off.answers

"""Labels that a model learned from: they neither measure it nor tell how far off estimates are."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pandas as pd
import pytest

from credit_ct_dagster.contracts.served_performance import EstimatedPerformance, ServedPerformance
from credit_ct_dagster.modeling.watching.estimation import estimated_performance
from credit_ct_dagster.modeling.watching.performance import served_performance
from credit_ct_dagster.modeling.watching.performance_rules import EstimationRules, PerformanceRules
from credit_ct_dagster_tests.served_rows import TAG, answers

_DAY = "2025-03-10"
_NOW = datetime(2025, 4, 20, 9, tzinfo=UTC)


def _measured(frame: pd.DataFrame, learned_until: Mapping[str, str]) -> ServedPerformance:
    return served_performance(_DAY, frame, PerformanceRules(draws=200), _NOW, learned_until)


def _estimated(frame: pd.DataFrame, learned_until: Mapping[str, str]) -> EstimatedPerformance:
    rules = EstimationRules(draws=200)
    return estimated_performance(_DAY, frame, rules, _NOW, learned_until=learned_until)


def test_labels_that_a_model_learned_from_are_no_evidence() -> None:
    """They are counted, the figures are those of later labels, and sentences say so."""
    frame = answers(600)
    frame.loc[:199, "label_date"] = "2025-03-01"
    record = _measured(frame, {TAG: "2025-03-01"})
    [found] = record.models
    assert (record.labelled, record.learned) == (400, 200)
    assert (found.labelled, found.learned, found.learned_until) == (400, 200, "2025-03-01")
    [later] = _measured(frame.iloc[200:], {}).models
    assert found.metrics == later.metrics
    assert found.confusion == later.confusion
    assert found.floors == later.floors
    assert found.coverage.value == pytest.approx(400 / 600)
    assert {sum(group.customers for group in each.groups) for each in found.selection} == {200}
    assert "The labels of 200 more do not count: dated up to 2025-03-01" in found.sentence
    assert "Customers without a label" not in found.sentence
    assert "and 200 one that their model may have learned from" in record.sentence
    counted = _measured(frame, {TAG: "2025-02-28"})
    assert (counted.labelled, counted.learned) == (600, 0)
    assert "do not count" not in counted.sentence + counted.models[0].sentence


def test_of_an_unknown_model_only_labels_after_the_prediction_day_count() -> None:
    """It had answered by then; a model whose base date is known is not held to it."""
    given = [answers(100, model_tag="m:unknown"), answers(80)]
    frame = pd.concat(given, ignore_index=True).assign(label_date=_DAY)
    record = _measured(frame, {TAG: "2025-03-01"})
    unknown, known = record.models
    assert (unknown.labelled, unknown.learned, unknown.learned_until) == (0, 100, None)
    assert (known.labelled, known.learned) == (80, 0)
    assert "is not known, so only labels dated after 2025-03-10 are evidence" in unknown.sentence
    assert "Nothing is known of its performance yet" in unknown.sentence
    assert _measured(answers(100, label_date="2025-03-11"), {}).labelled == 100


def test_nothing_is_compared_with_labels_that_the_model_learned_from() -> None:
    """Nor are these answers without label: how far off estimates are, only later labels tell."""
    frame = answers(300, labelled=0.5)
    labelled = frame["label"].notna()
    learned = labelled & (frame.index < 100)
    frame.loc[learned, "label_date"] = "2025-03-01"
    record = _estimated(frame, {TAG: "2025-03-01"})
    [found] = record.models
    assert record.without_label == (~labelled).sum()
    assert (record.learned, found.learned, found.learned_until) == (
        learned.sum(), learned.sum(), "2025-03-01",
    )  # fmt: skip
    [later] = _estimated(frame.loc[~learned], {}).models
    assert found.how_far_off == later.how_far_off
    assert found.without_label == later.without_label
    assert found.answers is not None
    assert found.answers.answers == 300
    assert f"The labels of {learned.sum()} more do not count" in found.sentence

"""The performance of served answers, against scikit-learn's figures of the same rows."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score, recall_score

from credit_ct_dagster.contracts.decision import FloorVerdict
from credit_ct_dagster.contracts.served_performance import (
    Metrics,
    ServedPerformance,
    TagPerformance,
)
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.answers.calibration import (
    expected_calibration_error,
    perfect_calibration_errors,
    probability_log_loss,
)
from credit_ct_dagster.modeling.judging.floors import floors
from credit_ct_dagster.modeling.judging.slices import SLICES
from credit_ct_dagster.modeling.watching.columns import PROBABILITIES
from credit_ct_dagster.modeling.watching.performance import served_performance
from credit_ct_dagster.modeling.watching.performance_rules import PerformanceRules
from credit_ct_dagster_tests.served_rows import TAG, answers

_DAY = "2025-03-10"
_NOW = datetime(2025, 4, 20, 9, tzinfo=UTC)
_RULES = PerformanceRules(draws=200)


def _measured(frame: pd.DataFrame, **rules: Any) -> ServedPerformance:
    return served_performance(_DAY, frame, _RULES.model_copy(update=rules), _NOW)


def _of_one(frame: pd.DataFrame, **rules: Any) -> TagPerformance:
    [found] = _measured(frame, **rules).models
    return found


def _metrics(frame: pd.DataFrame, **rules: Any) -> Metrics:
    found = _of_one(frame, **rules).metrics
    assert found is not None
    return found


def _one_each(frame: pd.DataFrame) -> pd.DataFrame:
    """The same answers, each of a customer of its own."""
    return frame.assign(customer_id=[f"own{number}" for number in range(len(frame))])


def test_figures_are_those_of_the_labelled_answers() -> None:
    """Every metric is what scikit-learn and the gate's functions say of the same rows."""
    frame = answers(600, labelled=0.6)
    labelled = frame[frame["label"].notna()]
    truth, predicted = labelled["label"], labelled["predicted"]
    probabilities = labelled[PROBABILITIES].to_numpy()
    found = _of_one(frame)
    metrics = found.metrics
    assert metrics is not None
    assert (found.answers, found.labelled) == (600, len(labelled))
    assert found.coverage.value == pytest.approx(len(labelled) / 600)
    assert metrics.accuracy.value == pytest.approx(accuracy_score(truth, predicted))
    assert metrics.macro_f1.value == pytest.approx(f1_score(truth, predicted, average="macro"))
    recalls = recall_score(truth, predicted, labels=schema.CLASSES, average=None)
    for name, expected in zip(schema.CLASSES, recalls, strict=True):
        recall = metrics.recall[name]
        assert recall is not None
        assert recall.value == pytest.approx(expected)
    assert metrics.log_loss.value == pytest.approx(probability_log_loss(truth, probabilities))
    assert metrics.ece.value == pytest.approx(expected_calibration_error(truth, probabilities))
    for each in (metrics.accuracy, metrics.macro_f1, metrics.log_loss, metrics.ece):
        assert each.low <= each.value <= each.high
        assert each.low < each.high
    counts = pd.crosstab(truth, predicted).reindex(schema.CLASSES)[schema.CLASSES]
    assert found.confusion == counts.to_numpy().tolist()
    assert sum(found.predicted.values()) == 600
    assert found.sources == {"request": 600}


def test_intervals_are_by_customer() -> None:
    """The same answer given four times to the same customer tells no more than once."""
    once = _one_each(answers(150))
    four_times = pd.concat([once] * 4, ignore_index=True)
    single, repeated = _metrics(once), _metrics(four_times)
    assert repeated.accuracy.low == pytest.approx(single.accuracy.low)
    assert repeated.accuracy.high == pytest.approx(single.accuracy.high)
    assert repeated.log_loss.high == pytest.approx(single.log_loss.high)
    apart = _metrics(_one_each(four_times))
    width, wide = (each.accuracy.high - each.accuracy.low for each in (apart, single))
    assert width < 0.7 * wide


def test_intervals_of_many_customers_are_as_wide_as_those_of_single_ones() -> None:
    """Random groups of customers are drawn: the normal interval of a share, to a tenth."""
    accuracy = _metrics(_one_each(answers(12_000)), draws=1_000).accuracy
    half = 1.96 * np.sqrt(accuracy.value * (1 - accuracy.value) / 12_000)
    assert accuracy.high - accuracy.low == pytest.approx(2 * half, rel=0.1)


def test_calibration_error_is_compared_with_that_of_a_perfect_model() -> None:
    """Its mean by chance is known without drawing labels; the interval of a true one reaches it."""
    frame = answers(600)
    metrics = _metrics(frame)
    drawn = perfect_calibration_errors(frame[PROBABILITIES].to_numpy(), 400, seed=1)
    assert metrics.ece_by_chance == pytest.approx(drawn.mean(), rel=0.05)
    assert metrics.ece.low < 0.5 * metrics.ece_by_chance
    drifted = _metrics(answers(600, concept=0.6))
    assert drifted.ece.low > 3 * drifted.ece_by_chance


def test_models_are_measured_separately() -> None:
    """That of most answers first; a label counts for the model that answered."""
    old = answers(120, model_tag="m:old", concept=1.0)
    new = answers(300, model_tag="m:new", seed=1)
    record = _measured(pd.concat([old, new], ignore_index=True))
    assert [each.model_tag for each in record.models] == ["m:new", "m:old"]
    assert (record.answers, record.labelled) == (420, 420)
    first, second = (each.metrics for each in record.models)
    assert first == _of_one(new).metrics
    assert second == _of_one(old).metrics
    assert record.of("m:old") is record.models[1]
    assert record.of("m:other") is None


def test_nothing_is_said_before_labels_come() -> None:
    """Answers are counted, and the sentence does not claim anything."""
    record = _measured(answers(80, labelled=0.0))
    [found] = record.models
    assert found.metrics is None
    assert not found.floors
    assert found.coverage.value == found.coverage.high == 0
    assert found.sentence == (
        f"{TAG}: 0 of 80 answers have a label (0.0%). Nothing is known of its performance yet."
    )
    assert record.sentence == (
        "Of the 80 answers of 2025-03-10, 0 (0.0%) have a label so far; labels of these customers"
        " may be dated up to 2025-04-10."
    )


def test_few_customers_have_no_figures() -> None:
    """Forty answers of twenty customers are counted; a bootstrap of so few is not made."""
    found = _of_one(answers(40))
    assert found.metrics is None
    assert sum(map(sum, found.confusion)) == found.labelled == 40
    assert "These are of 20 customers, fewer than the 30" in found.sentence
    assert _of_one(answers(40), min_customers=20).metrics is not None


def test_a_day_without_answers_has_a_record() -> None:
    """It says so."""
    record = _measured(answers(4).iloc[:0])
    assert not record.models
    assert record.sentence == "No answer was given on 2025-03-10."


def test_answers_without_a_customer_are_customers_of_their_own() -> None:
    """They are no single customer with many answers."""
    frame = answers(60, labelled=0.0)
    frame.loc[:29, "customer_id"] = None
    assert _of_one(frame).customers == 30 + 15


def test_what_is_no_class_is_no_label() -> None:
    """An answer with such a label has none."""
    frame = answers(100).astype({"label": object})
    frame.loc[:9, "label"] = "good"
    assert _of_one(frame).labelled == 90


def test_groups_of_customers_are_measured_like_all() -> None:
    """By age band and occupation; the figures are those of the group's answers by themselves."""
    frame = answers(900, labelled=0.8)
    found = {(each.kind, each.name): each for each in _of_one(frame).slices}
    bands = SLICES["age band"](frame)
    for name in ("25 to 34", "55 and over"):
        group = found["age band", name]
        of = frame[bands == name]
        labelled = of[of["label"].notna()]
        assert (group.answers, group.labelled) == (len(of), len(labelled))
        metrics = group.metrics
        assert metrics is not None
        assert metrics.accuracy.value == pytest.approx(
            accuracy_score(labelled["label"], labelled["predicted"])
        )
        assert metrics.log_loss.value == pytest.approx(
            probability_log_loss(labelled["label"], labelled[PROBABILITIES].to_numpy())
        )
        by_itself = _metrics(labelled)
        assert metrics.ece.value == pytest.approx(by_itself.ece.value)
        assert metrics.ece_by_chance == pytest.approx(by_itself.ece_by_chance)
    assert {name for kind, name in found if kind == "occupation"} == {
        "Lawyer", "Teacher", "unknown",
    }  # fmt: skip


def test_small_groups_are_not_named() -> None:
    """A group of fewer than ten customers might tell who they are."""
    frame = answers(200).astype({"occupation": object})
    frame.loc[:3, "occupation"] = "Astronaut"
    frame.loc[4:5, "occupation"] = "Queen"
    slices = [each for each in _of_one(frame).slices if each.kind == "occupation"]
    assert "Astronaut" not in str(slices)
    assert slices[-1].name == "all others"
    assert slices[-1].answers == 6
    assert slices[-1].metrics is None


def test_floors_are_those_of_the_gate() -> None:
    """The same verdicts as the gate's on the same rows; what is below is in the sentence."""
    frame = answers(600, concept=0.9)
    found = _of_one(frame)
    rows = frame.rename(columns={"label": schema.TARGET})
    expected = floors(rows, frame["predicted"].to_numpy(dtype=str), None, _RULES.gate)
    assert list(found.floors) == expected
    below = [each for each in expected if each.verdict == FloorVerdict.below]
    assert list(found.below) == below
    assert below
    assert f"Below the floor beyond doubt: {below[0].what}" in found.sentence
    assert [what for _, what in _measured(frame).below] == below
    assert not _of_one(answers(600)).below


def test_who_has_no_label_is_said() -> None:
    """Labels that come for the Good first are found, and named with their shares."""
    frame = answers(1_200).astype({"label": object})
    is_poor = frame["predicted"] == "Poor"
    lot = np.random.default_rng(3).random(len(frame))
    frame.loc[lot > np.where(is_poor, 0.2, 0.8), "label"] = None
    frame = _one_each(frame)
    found = _of_one(frame)
    selection = {each.kind: each for each in found.selection}
    assert set(selection) == {"predicted class", "source", "age band", "occupation"}
    by_class = selection["predicted class"]
    assert by_class.differs
    assert not selection["age band"].differs
    poor = by_class.groups[0]
    assert (poor.name, poor.customers) == ("Poor", int(is_poor.sum()))
    assert poor.coverage == pytest.approx(frame[is_poor]["label"].notna().mean())
    assert "Customers without a label are not like those with one" in found.sentence
    assert f"predicted class (Poor {poor.coverage:.0%}, " in found.sentence
    assert (
        "differ from those without by no more than chance"
        in _of_one(answers(600, labelled=0.5)).sentence
    )


def test_the_accuracy_of_all_is_weighted_by_what_was_predicted() -> None:
    """Worked out by hand: the precision of each predicted class, times its share of all answers."""
    frame = answers(600).astype({"label": object})
    frame.loc[(frame["predicted"] == "Poor") & (frame.index % 4 > 0), "label"] = None
    found = _of_one(frame)
    labelled = frame[frame["label"].notna()]
    right = labelled["label"] == labelled["predicted"]
    precision = right.groupby(labelled["predicted"]).mean()
    shares = frame["predicted"].value_counts(normalize=True)
    assert found.as_all_answers is not None
    assert found.as_all_answers.value == pytest.approx(float((precision * shares).sum()))
    frame.loc[frame["predicted"] == "Poor", "label"] = None
    assert _of_one(frame).as_all_answers is None


def test_the_record_survives_storage() -> None:
    """What is read is what was written; the same answers give the same record."""
    record = _measured(answers(200, labelled=0.7))
    again = ServedPerformance.from_json(record.to_json(), "file")
    assert again.model_dump(mode="json") == record.model_dump(mode="json")
    assert _measured(answers(200, labelled=0.7)) == record

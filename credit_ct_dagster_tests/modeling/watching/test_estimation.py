"""Performance that is estimated by probabilities, and its record of how far off it was."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score

from credit_ct_dagster.contracts.decision import Estimate
from credit_ct_dagster.contracts.served_performance import (
    EstimatedPerformance,
    HowFarOff,
    TagEstimate,
)
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.watching.columns import PROBABILITIES
from credit_ct_dagster.modeling.watching.estimation import estimated_performance
from credit_ct_dagster.modeling.watching.performance_rules import EstimationRules
from credit_ct_dagster_tests.served_rows import TAG, answers

_DAY = "2025-03-10"
_NOW = datetime(2025, 4, 20, 9, tzinfo=UTC)
_RULES = EstimationRules(draws=200)


def _estimated(
    frame: pd.DataFrame, earlier: Sequence[EstimatedPerformance] = (), **rules: Any
) -> EstimatedPerformance:
    return estimated_performance(_DAY, frame, _RULES.model_copy(update=rules), _NOW, earlier)


def _of_one(frame: pd.DataFrame, **rules: Any) -> TagEstimate:
    [found] = _estimated(frame, **rules).models
    return found


def test_the_estimates_follow_from_the_probabilities() -> None:
    """The mean probability of the predicted class; F1 of expected counts, worked out by row."""
    frame = answers(300, labelled=0.0)
    frame["predicted"] = np.roll(frame["predicted"], 7)  # not always the most probable class
    found = _of_one(frame).without_label
    assert found is not None
    probabilities = frame[PROBABILITIES].to_numpy()
    place = frame["predicted"].map({n: k for k, n in enumerate(schema.CLASSES)}).to_numpy()
    assert found.accuracy.value == pytest.approx(probabilities[np.arange(300), place].mean())
    f1 = []
    for number in range(3):
        hits = probabilities[place == number, number].sum()
        f1.append(2 * hits / (probabilities[:, number].sum() + (place == number).sum()))
    assert found.macro_f1.value == pytest.approx(np.mean(f1))
    assert found.accuracy.low < found.accuracy.value < found.accuracy.high
    assert (found.answers, found.customers) == (300, 150)


def test_the_interval_holds_the_real_accuracy_of_true_probabilities() -> None:
    """Of thirty days whose labels are drawn from the probabilities, about one in twenty misses."""
    inside = 0
    for seed in range(30):
        frame = answers(200, seed=seed)
        unknown = _of_one(frame.assign(label=None)).without_label
        assert unknown is not None
        real = accuracy_score(frame["label"], frame["predicted"])
        inside += unknown.accuracy.low <= real <= unknown.accuracy.high
    assert 26 <= inside <= 30


def test_how_far_off_it_is_is_measured_on_labels() -> None:
    """Estimated and real are of the same answers; of true probabilities, 0 is in the interval."""
    frame = answers(600, labelled=0.5)
    labelled = frame[frame["label"].notna()]
    off = _of_one(frame).how_far_off
    assert off is not None
    real = accuracy_score(labelled["label"], labelled["predicted"])
    assert off.real_accuracy == pytest.approx(real)
    assert off.real_macro_f1 == pytest.approx(
        f1_score(labelled["label"], labelled["predicted"], average="macro")
    )
    assert off.accuracy.value == pytest.approx(off.estimated_accuracy - real)
    assert off.macro_f1.value == pytest.approx(off.estimated_macro_f1 - off.real_macro_f1)
    assert off.accuracy.low < 0 < off.accuracy.high
    assert off.answers == len(labelled)


def test_concept_drift_is_not_seen_without_labels() -> None:
    """The estimate stays as it was; with labels, it is too high beyond chance, and words say so."""
    before, drifted = answers(800, seed=5), answers(800, seed=5, concept=0.4)
    stays, falls = _estimated(before), _estimated(drifted)
    assert falls.models[0].answers == stays.models[0].answers
    off = falls.models[0].how_far_off
    assert off is not None
    assert off.accuracy.low > 0.05
    assert "cannot see that the same customers turn out otherwise" in falls.blind_to


def test_customers_who_change_are_seen_without_labels() -> None:
    """Probabilities that are closer to each other estimate a lower accuracy."""
    frame = answers(400, labelled=0.0)
    unsure = frame.copy()
    unsure[PROBABILITIES] = 0.5 * unsure[PROBABILITIES] + 0.5 / 3
    sure, less = (_of_one(each).without_label for each in (frame, unsure))
    assert sure is not None
    assert less is not None
    assert less.accuracy.high < sure.accuracy.low


def test_few_customers_have_no_estimate() -> None:
    """Neither of those without label nor of those with one; the sentence says so."""
    found = _of_one(answers(40, labelled=0.5))
    assert found.without_label is None
    assert found.how_far_off is None
    assert found.answers is None
    assert "of fewer than 30 customers" in found.sentence
    assert "every answer has a label" in _of_one(answers(40)).sentence
    assert _of_one(answers(40, labelled=0.0), min_customers=20).answers is not None


def test_a_day_without_answers_has_a_record() -> None:
    """It says so."""
    record = _estimated(answers(4).iloc[:0])
    assert not record.models
    assert record.sentence == "No answer was given on 2025-03-10: nothing is estimated."


def test_answers_without_label_are_counted() -> None:
    """Of all models, that of most answers first."""
    frame = pd.concat(
        [answers(100, labelled=0.0), answers(300, labelled=1.0, model_tag="m:new")],
        ignore_index=True,
    )
    record = _estimated(frame)
    assert (record.answers, record.without_label) == (400, 100)
    assert [each.model_tag for each in record.models] == ["m:new", TAG]
    assert "The label of 100 of 400 answers of 2025-03-10 is not known" in record.sentence


def _day(day: str, off: float, rows: int = 100, tag: str = TAG) -> EstimatedPerformance:
    """What was estimated of a day, by how far off it was; 0.02 is chance."""
    difference = Estimate(value=off, low=off - 0.02, high=off + 0.02)
    far = HowFarOff(
        answers=rows,
        customers=rows,
        estimated_accuracy=0.7 + off,
        real_accuracy=0.7,
        accuracy=difference,
        estimated_macro_f1=0.6 + off,
        real_macro_f1=0.6,
        macro_f1=difference,
    )
    return EstimatedPerformance(
        base_dt=day,
        known_at=_NOW,
        answers=rows,
        without_label=0,
        models=[TagEstimate(model_tag=tag, how_far_off=far)],
    )


def test_earlier_days_are_its_record() -> None:
    """Weighted by labelled answers; the day itself, later ones and those without labels are not."""
    without = _day("2025-03-04", 0.5).model_copy(update={"models": [TagEstimate(model_tag=TAG)]})
    earlier = [
        _day("2025-03-02", -0.01, rows=300),
        _day("2025-03-01", 0.05),
        without,
        _day("2025-03-10", 0.9),
        _day("2025-03-11", 0.9),
    ]
    [found] = _estimated(answers(100), earlier, min_record_days=2).models
    record = found.record
    assert record is not None
    assert (record.model_tag, record.days, record.answers) == (TAG, 2, 400)
    assert (record.first, record.last) == ("2025-03-01", "2025-03-02")
    assert record.accuracy.mean == pytest.approx((0.05 - 0.03) / 4)
    assert record.accuracy.mean_absolute == pytest.approx((0.05 + 0.03) / 4)
    assert record.accuracy.largest == pytest.approx(0.05)
    assert record.accuracy.beyond_chance == 1
    assert record.macro_f1 == record.accuracy
    assert (
        "On 2 earlier days with labels, the estimates were 0.005 too high on average and 0.020 off,"
        " at most 0.050; chance does not explain 1 of these days." in found.sentence
    )


def test_a_new_model_has_the_record_of_all() -> None:
    """Until labels of enough days are its own; before any label, it has none and says so."""
    earlier = [_day(f"2025-03-0{n}", 0.03, tag="m:before") for n in (1, 2)]
    earlier.append(_day("2025-03-03", 0.0))
    [found] = _estimated(answers(100), earlier, min_record_days=2).models
    assert found.record is not None
    assert (found.record.model_tag, found.record.days) == (None, 3)
    assert "the estimates of all models were" in found.sentence
    [unknown] = _estimated(answers(100)).models
    assert unknown.record is None
    assert "not known before labels have come" in unknown.sentence


def test_the_record_survives_storage() -> None:
    """What is read is what was written; the same answers give the same record."""
    record = _estimated(answers(200, labelled=0.5), [_day("2025-03-01", 0.1)])
    again = EstimatedPerformance.from_json(record.to_json(), "file")
    assert again.model_dump(mode="json") == record.model_dump(mode="json")
    assert _estimated(answers(200, labelled=0.5), [_day("2025-03-01", 0.1)]) == record

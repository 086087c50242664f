"""How models are measured."""

import pandas as pd
import pytest

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.evaluation import (
    confusion,
    evaluate,
    feature_importances,
    predict,
    predict_proba,
)
from credit_ct_dagster.modeling.search.training import TrainingData
from credit_ct_dagster_tests.modeling.conftest import Memory, model_of, run, search, training_data


def test_probabilities_sum_to_one_and_lead_to_the_prediction(
    data: TrainingData, splits: dict[str, pd.DataFrame]
) -> None:
    """One-vs-all scores are normalised; the highest one is the prediction."""
    memory = Memory()
    model = model_of(run(data, search(), tracker=memory), memory)
    probabilities = predict_proba(model, splits["holdout"])
    assert probabilities.sum(axis=1) == pytest.approx(1)
    highest = model.classes_[probabilities.argmax(axis=1)]
    assert (highest == predict(model, splits["holdout"])).all()


def test_a_class_that_train_never_had_is_measured_as_missed(
    splits: dict[str, pd.DataFrame],
) -> None:
    """Rows of an unknown class count as wrong, and do not break the measures."""
    two = splits["train"][splits["train"][schema.TARGET] != "Good"]
    known = splits["val"][splits["val"][schema.TARGET] != "Good"]
    memory = Memory()
    model = model_of(run(training_data(two, known), search(), tracker=memory), memory)
    measured = evaluate(model, splits["holdout"])
    assert measured["f1_good"] == 0
    assert measured["log_loss"] > 1
    counts = confusion(model, splits["holdout"])
    assert counts.sum() == len(splits["holdout"])
    assert counts[:, 2].sum() == 0


def test_importances_cover_every_feature(data: TrainingData) -> None:
    """One value per feature, in percent, highest first."""
    memory = Memory()
    importances = feature_importances(model_of(run(data, search(), tracker=memory), memory))
    assert set(importances) == set(schema.FEATURES)
    assert sum(importances.values()) == pytest.approx(100)
    assert list(importances.values()) == sorted(importances.values(), reverse=True)

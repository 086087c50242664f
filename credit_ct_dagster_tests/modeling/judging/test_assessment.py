"""The assessment of a model: metrics, calibration beside chance, and the declared costs."""

import numpy as np
import pandas as pd
import pytest

from credit_ct_dagster.contracts.utility import Metric, Utility
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.answers.calibration import (
    expected_calibration_error,
    perfect_calibration_errors,
)
from credit_ct_dagster.modeling.judging.assessment import assess
from credit_ct_dagster.scorer.class_rule import HIGHEST_SCORE, ClassRule
from credit_ct_dagster.scorer.scorer import Scored, Scorer


class Sure(Scorer):
    """A model that gives each row the class in a column of its own, with a given probability."""

    def __init__(self, probability: float) -> None:
        self.classes = schema.CLASSES
        self.class_rule = ClassRule(HIGHEST_SCORE)
        self.probability = probability

    def score_rows(self, rows: pd.DataFrame) -> Scored:
        places = rows["predicted"].map(schema.CLASSES.index).to_numpy()
        probabilities = np.full((len(rows), 3), (1 - self.probability) / 2)
        probabilities[np.arange(len(rows)), places] = self.probability
        return Scored(rows["predicted"].to_numpy(dtype=str), probabilities, probabilities)


def _rows(pairs: list[tuple[str, str]]) -> pd.DataFrame:
    """A row per pair of true and predicted class, each of a customer of its own."""
    frame = pd.DataFrame(pairs, columns=[schema.TARGET, "predicted"])
    frame[schema.CUSTOMER] = [f"C{number}" for number in range(len(frame))]
    return frame.assign(age=30.0, occupation="Doctor")


_PAIRS = [("Poor", "Poor"), ("Poor", "Good"), ("Standard", "Standard"), ("Good", "Good")] * 10


def test_metrics_are_those_of_the_predicted_classes() -> None:
    """By hand: of 40 rows, 30 are right; half of the Poor ones are taken for Good."""
    found = assess(Sure(0.8), _rows(_PAIRS)).metrics
    assert found["accuracy"].value == 0.75
    assert found["recall_poor"].value == 0.5
    assert found["recall_standard"].value == found["recall_good"].value == 1
    f1 = [2 * 10 / (20 + 10), 1.0, 2 * 10 / (10 + 20)]
    assert found["macro_f1"].value == pytest.approx(np.mean(f1))
    assert found["accuracy"].low < 0.75 < found["accuracy"].high
    assert "expected_cost" not in found


def test_a_declared_cost_is_measured() -> None:
    """A quarter of the rows costs 8, and the rest nothing: 2 on average."""
    costs = [[0, 1, 8], [1, 0, 1], [1, 1, 0]]
    utility = Utility(metric=Metric.expected_cost, costs=costs)
    found = assess(Sure(0.8), _rows(_PAIRS), utility).metrics["expected_cost"]
    assert found.value == 2
    assert 0 < found.low < 2 < found.high


def test_the_error_of_a_perfect_model_is_what_chance_makes_of_it() -> None:
    """Four rows of probability 1/2: |k/4 - 1/2| for k of Binomial(4, 1/2) is 3/16 on average."""
    even = np.array([[0.5, 0.3, 0.2]] * 4)
    found = perfect_calibration_errors(even, 20_000, seed=0)
    assert set(found) <= {0.0, 0.25, 0.5}
    assert found.mean() == pytest.approx(3 / 16, abs=0.004)
    assert (found == 0.5).mean() == pytest.approx(2 / 16, abs=0.01)


def test_the_error_by_chance_falls_with_the_number_of_rows() -> None:
    """Four times as many rows, half the error; and the same seed gives the same draws."""
    rng = np.random.default_rng(0)
    few = rng.dirichlet([2, 3, 2], size=400)
    by_rows = [
        perfect_calibration_errors(each, 200, seed=0) for each in (few, np.tile(few, (4, 1)))
    ]
    assert by_rows[0].mean() / by_rows[1].mean() == pytest.approx(2, rel=0.15)
    assert (perfect_calibration_errors(few, 200, seed=0) == by_rows[0]).all()


def test_labels_drawn_from_the_probabilities_have_such_an_error() -> None:
    """The error that the card shows beside it is that of the same bins."""
    rng = np.random.default_rng(1)
    probabilities = rng.dirichlet([2, 3, 2], size=300)
    drawn = [
        pd.Series([rng.choice(schema.CLASSES, p=row) for row in probabilities]) for _ in range(40)
    ]
    errors = [expected_calibration_error(truth, probabilities) for truth in drawn]
    perfect = perfect_calibration_errors(probabilities, 200, seed=0)
    assert np.mean(errors) == pytest.approx(perfect.mean(), rel=0.15)


def test_an_assessment_has_it_beside_the_error() -> None:
    """Always right with a probability of .6: the error is .4, far from chance."""
    found = assess(Sure(0.6), _rows([(name, name) for name in schema.CLASSES] * 50))
    assert found.perfect_ece is not None
    assert found.calibrated.ece == pytest.approx(0.4)
    assert 0 <= found.perfect_ece.low <= found.perfect_ece.value <= found.perfect_ece.high < 0.1

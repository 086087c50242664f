"""What holdout rows say about two models."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from credit_ct_dagster.contracts.decision import Estimate, FloorVerdict, Ground, Reliability
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.utility import Metric, Utility
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.evidence import Evidence, compare, examine
from credit_ct_dagster.modeling.judging.gate import decide
from credit_ct_dagster.modeling.judging.gate_rules import GateRules
from credit_ct_dagster.modeling.judging.probability_guard import loss_per_row
from credit_ct_dagster.scorer.scorer import Scored
from credit_ct_dagster_tests.modeling.judging.labelled import labelled_rows, predictions

_RULES = GateRules(draws=500)
_EVERY_METRIC = pytest.mark.parametrize("metric", list(Metric))
_CHAMPION = ModelIdentity(
    base_dt="2025-03-01",
    mlflow_run_id="m",
    dagster_run_id="d",
    data_fingerprint="f",
    registered_version="7",
)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """400 rows of 300 customers."""
    return labelled_rows()


def _scored(classes: np.ndarray, confidence: float = 0.8) -> Scored:
    """Answers with the same probability for each predicted class."""
    columns = np.array([schema.CLASSES.index(name) for name in classes])
    probabilities = np.full((len(classes), 3), (1 - confidence) / 2)
    probabilities[np.arange(len(classes)), columns] = confidence
    return Scored(classes, probabilities, probabilities)


def _decided(rows: pd.DataFrame, *models: np.ndarray, utility: Utility) -> Ground:
    evidence = examine(rows, [_scored(each) for each in models], utility, _RULES)
    return decide("2025-03-10", _CHAMPION, evidence, [], _RULES).ground


@_EVERY_METRIC
def test_the_same_model_again_is_no_evidence(rows: pd.DataFrame, metric: Metric) -> None:
    """The difference is exactly 0, by every metric, and no row differs."""
    predicted, utility = predictions(rows, 0.6, seed=1), Utility(metric=metric)
    comparison = compare(rows, predicted, predicted, utility, _RULES)
    assert comparison.difference == Estimate(value=0.0, low=0.0, high=0.0)
    assert (comparison.rows, comparison.customers, comparison.differing) == (400, 300, 0)
    assert _decided(rows, predicted, predicted, utility=utility) == Ground.insufficient_evidence


@_EVERY_METRIC
def test_a_clearly_better_model_is_found_by_every_metric(
    rows: pd.DataFrame, metric: Metric
) -> None:
    """In both directions, and with the same draws each time."""
    better, worse = predictions(rows, 0.9, seed=1), predictions(rows, 0.5, seed=2)
    utility = Utility(metric=metric)
    found = compare(rows, better, worse, utility, _RULES)
    assert found.metric == metric
    assert found.difference.low > 0.1
    assert found.differing == (better != worse).sum()
    assert _decided(rows, better, worse, utility=utility) == Ground.better
    turned = compare(rows, worse, better, utility, _RULES)
    assert turned.difference.high < -0.1
    assert (turned.challenger, turned.champion) == (found.champion, found.challenger)
    assert compare(rows, better, worse, utility, _RULES) == found, "the draws are not seeded"


def test_costs_decide_which_errors_weigh(rows: pd.DataFrame) -> None:
    """Of two models with one kind of error each, the matrix makes either the better one."""
    truth = rows[schema.TARGET].to_numpy(dtype=str)
    too_good = np.where(truth == "Poor", "Good", truth)
    too_poor = np.where(truth == "Good", "Poor", truth)
    careful = Utility(metric=Metric.expected_cost)
    assert compare(rows, too_poor, too_good, careful, _RULES).difference.low > 0
    lenient = Utility(metric=Metric.expected_cost, costs=[[0, 0, 0], [1, 0, 0], [9, 1, 0]])
    assert compare(rows, too_poor, too_good, lenient, _RULES).difference.high < 0


def test_pairing_makes_a_small_difference_visible(rows: pd.DataFrame) -> None:
    """Two models that agree on all but a few rows differ for certain, though each is uncertain."""
    base = predictions(rows, 0.6, seed=1)
    wrong = np.flatnonzero(base != rows[schema.TARGET].to_numpy(dtype=str))[:16]
    corrected = base.copy()
    corrected[wrong] = rows[schema.TARGET].to_numpy(dtype=str)[wrong]
    found = compare(rows, corrected, base, Utility(metric=Metric.accuracy), _RULES)
    assert found.difference.value == pytest.approx(0.04)
    assert found.difference.low > 0.02
    assert found.differing == 16


def test_evidence_has_floors_of_both_and_probabilities_that_decide_nothing(
    rows: pd.DataFrame,
) -> None:
    """A challenger whose classes are the same and whose probabilities are better does not win."""
    predicted = predictions(rows, 0.7, seed=1)
    challenger, champion = _scored(predicted), _scored(predicted, confidence=0.999)
    evidence = examine(rows, [challenger, champion], Utility(), _RULES, ["2025-03-10"])
    assert evidence.rows == 400
    assert all(each.champion == each.value for each in evidence.floors)
    assert evidence.probabilities
    assert evidence.probabilities.verdict == Reliability.champion_worse
    decision = decide("2025-03-10", _CHAMPION, evidence, [], _RULES)
    assert (decision.promoted, decision.holdouts) == (False, ("2025-03-10",))
    assert decision.probabilities == evidence.probabilities
    without = replace(evidence, probabilities=None)
    assert decide("2025-03-10", _CHAMPION, without, [], _RULES).ground == decision.ground


def _three_months(rng: np.random.Generator) -> tuple[pd.DataFrame, list[Scored]]:
    """Three windows of 390 rows, newest first; the challenger fits the newest, the champion others.

    Labels of the newest month are drawn by other probabilities than those of the months before, and
    each model knows those of one month only. Classes are the same.
    """
    number = 390
    old = rng.dirichlet([1.5, 2.5, 1.0], 3 * number)
    raised = old**0.4
    new = raised / raised.sum(axis=1, keepdims=True)
    true = np.where(np.arange(3 * number)[:, None] < number, new, old)
    chosen = (rng.random(3 * number)[:, None] > true.cumsum(axis=1)).sum(axis=1)
    rows = labelled_rows(3 * number, customers=3 * number)
    rows[schema.TARGET] = np.array(schema.CLASSES)[np.minimum(chosen, 2)]
    classes = np.array(schema.CLASSES)[old.argmax(axis=1)]
    return rows, [Scored(classes, each, each) for each in (new, old)]


def test_the_probabilities_are_compared_in_the_newest_window_alone() -> None:
    """The champion's are worse in a month that has shifted; pooled, older months would hide it."""
    rows, answers = _three_months(np.random.default_rng(0))
    days, windows = ["2025-03-10", "2025-02-05", "2025-01-03"], np.repeat([0, 1, 2], 390)
    evidence = examine(rows, answers, Utility(), _RULES, days, windows)
    assert evidence.probabilities
    assert evidence.probabilities.verdict == Reliability.champion_worse
    assert (evidence.probabilities.rows, evidence.probabilities.holdouts) == (390, (days[0],))
    assert evidence.comparison
    assert evidence.comparison.rows == 3 * 390, "classes are compared on all of them"
    pooled = examine(rows, answers, Utility(), _RULES).probabilities
    assert pooled
    assert pooled.verdict != Reliability.champion_worse


def test_a_newest_window_of_few_rows_is_pooled_with_as_many_as_are_needed() -> None:
    """In whatever order the rows are; the base dates are on record."""
    rows, answers = _three_months(np.random.default_rng(1))
    days = ["2025-03-10", "2025-02-05", "2025-01-03"]
    for sizes, used, expected in (
        ((390, 390, 390), 390, days[:1]),
        ((40, 60, 1070), 100, days[:2]),
        ((40, 59, 1071), 1170, days),
    ):
        windows = np.repeat([0, 1, 2], sizes)[::-1]
        found = examine(rows, answers, Utility(), _RULES, days, windows).probabilities
        assert found
        assert (found.rows, found.holdouts) == (used, tuple(expected))
        ours = loss_per_row(rows[schema.TARGET], answers[0].probabilities)
        assert found.challenger == pytest.approx(ours[windows < len(expected)].mean())


def test_without_champion_there_are_floors_only(rows: pd.DataFrame) -> None:
    """Nothing is compared."""
    evidence = examine(rows, [_scored(predictions(rows, 0.7, seed=1))], Utility(), _RULES)
    assert (evidence.comparison, evidence.probabilities) == (None, None)
    assert {each.champion for each in evidence.floors} == {None}
    assert {each.verdict for each in evidence.floors} == {FloorVerdict.met}


def test_few_rows_give_no_verdict_on_probabilities(rows: pd.DataFrame) -> None:
    """An interval of so few losses is too narrow; the comparison of classes says that itself."""
    few = rows.head(_RULES.min_rows - 1)
    answers = [_scored(predictions(few, 0.7, seed)) for seed in (1, 2)]
    evidence = examine(few, answers, Utility(), _RULES)
    assert evidence.probabilities is None
    assert evidence.comparison
    assert evidence.comparison.rows == _RULES.min_rows - 1


def test_no_rows_are_evidence_of_nothing(rows: pd.DataFrame) -> None:
    """And no error: nobody had to be asked for answers."""
    assert examine(rows.head(0), [], Utility(), _RULES) == Evidence(rows=0)

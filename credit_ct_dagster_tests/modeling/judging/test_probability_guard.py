"""The log-loss guard: it sees probabilities that are worse, and no others."""

import numpy as np
import pandas as pd
import pytest

from credit_ct_dagster.contracts.decision import Reliability
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.answers.calibration import probability_log_loss
from credit_ct_dagster.modeling.judging.gate_rules import GateRules
from credit_ct_dagster.modeling.judging.probability_guard import (
    compare_probabilities,
    loss_per_row,
)

_RULES = GateRules(draws=500)


def _drawn(rng: np.random.Generator, rows: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows whose labels are drawn by these probabilities, so that they are perfect ones."""
    probabilities = rng.dirichlet([1.5, 2.5, 1.0], rows)
    chosen = (rng.random(rows)[:, None] > probabilities.cumsum(axis=1)).sum(axis=1)
    truth = np.array(schema.CLASSES)[np.minimum(chosen, 2)]
    customers = [str(number) for number in range(rows)]
    return pd.DataFrame({schema.TARGET: truth, schema.CUSTOMER: customers}), probabilities


def _sharpened(probabilities: np.ndarray, power: float) -> np.ndarray:
    """The same order of customers and of classes, and other probabilities."""
    raised = probabilities**power
    return raised / raised.sum(axis=1, keepdims=True)


def test_the_loss_of_rows_is_that_of_scikit_learn() -> None:
    """Their mean is its `log_loss`, also for a class that was called impossible."""
    rows, probabilities = _drawn(np.random.default_rng(0), 50)
    truth = rows[schema.TARGET]
    found = loss_per_row(truth, probabilities).mean()
    assert found == pytest.approx(probability_log_loss(truth, probabilities), abs=1e-12)
    certain = np.eye(3)[(truth.map(list(schema.CLASSES).index).to_numpy() + 1) % 3]
    found = loss_per_row(truth, certain).mean()
    assert found == pytest.approx(probability_log_loss(truth, certain), rel=1e-6)


def test_overconfidence_is_seen_although_every_class_is_the_same() -> None:
    """In both directions; the figures are the two log-losses and calibration errors."""
    rows, right = _drawn(np.random.default_rng(1), 390)
    wrong = _sharpened(right, 4.0)
    np.testing.assert_array_equal(right.argmax(axis=1), wrong.argmax(axis=1))
    found = compare_probabilities(rows, right, wrong, _RULES)
    assert found.verdict == Reliability.champion_worse
    assert found.challenger == pytest.approx(probability_log_loss(rows[schema.TARGET], right))
    assert found.difference.value == pytest.approx(found.champion - found.challenger)
    assert found.champion_ece > found.challenger_ece
    assert (found.rows, found.confidence) == (390, 0.99)
    turned = compare_probabilities(rows, wrong, right, _RULES)
    assert turned.verdict == Reliability.challenger_worse
    assert turned.difference.value == pytest.approx(-found.difference.value)
    same = compare_probabilities(rows, wrong, wrong, _RULES)
    assert same.verdict == Reliability.alike


def test_two_models_that_err_alike_are_rarely_told_apart() -> None:
    """Of 300 samples without a true difference, at 99 %: a few at most."""
    rng, fired = np.random.default_rng(2), 0
    for _ in range(300):
        rows, right = _drawn(rng, 390)
        one, other = (_sharpened(right * rng.lognormal(0, 0.3, right.shape), 1.0) for _ in range(2))
        found = compare_probabilities(rows, one, other, GateRules(draws=300))
        fired += found.verdict != Reliability.alike
    assert fired <= 9


def test_months_of_one_customer_are_drawn_together() -> None:
    """Each row five times is no more evidence than once."""
    rows, right = _drawn(np.random.default_rng(3), 60)
    wrong = _sharpened(right, 1.6)
    once = compare_probabilities(rows, right, wrong, _RULES)
    repeated = pd.concat([rows] * 5, ignore_index=True)
    five = compare_probabilities(repeated, np.tile(right, (5, 1)), np.tile(wrong, (5, 1)), _RULES)
    assert five.difference.low == pytest.approx(once.difference.low)
    assert five.difference.high == pytest.approx(once.difference.high)

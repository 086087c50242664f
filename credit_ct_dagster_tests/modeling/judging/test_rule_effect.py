"""What a class rule changes, against the highest raw score on the same rows."""

import numpy as np
import pandas as pd
import pytest

from credit_ct_dagster.contracts.utility import Metric, Utility
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.assessment import rule_effect
from credit_ct_dagster.scorer.scorer import Scored

_TRUTH = pd.Series(["Poor", "Standard", "Standard", "Good", "Good"])
_SCORES = np.array(
    [[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.5, 0.4], [0.1, 0.5, 0.4], [0.1, 0.6, 0.3]]
)
_CLASSES = np.array(["Poor", "Standard", "Good", "Good", "Standard"])


def test_the_effect_is_counted_on_the_same_rows() -> None:
    """Worked out by hand: two rows move from Standard to Good, one of them rightly."""
    effect = rule_effect("expected_utility", _TRUTH, Scored(_CLASSES, _SCORES, _SCORES))
    assert (effect.rule, effect.rows, effect.changed) == ("expected_utility", 5, 2)
    assert effect.moved == [[1, 0, 0], [0, 2, 2], [0, 0, 0]]
    before, after = effect.highest_score, effect.package
    assert (before.accuracy, after.accuracy) == (0.6, 0.6)
    assert before.recall == {"Poor": 1.0, "Standard": 1.0, "Good": 0.0}
    assert after.recall == {"Poor": 1.0, "Standard": 0.5, "Good": 0.5}
    assert before.predicted == {"Poor": 1, "Standard": 4, "Good": 0}
    assert before.macro_f1 == pytest.approx((1 + 2 * 2 / 6 + 0) / 3)
    assert after.macro_f1 == pytest.approx((1 + 0.5 + 0.5) / 3)
    assert before.expected_cost is None


def test_costs_are_compared_where_they_are_declared() -> None:
    """And a class without rows has no recall."""
    few = [0, 1, 2]
    effect = rule_effect(
        "expected_utility",
        _TRUTH[few],
        Scored(_CLASSES[few], _SCORES[few], _SCORES[few]),
        Utility(metric=Metric.expected_cost),
    )
    assert effect.package.recall["Good"] is None
    assert effect.highest_score.expected_cost == 0
    # One of three rows: Standard taken for Good.
    assert effect.package.expected_cost == pytest.approx(1 / 3)
    assert list(effect.package.predicted) == schema.CLASSES

"""Which class an answer gives as the odds of the better classes fall."""

from typing import Any

import numpy as np
import pytest

from credit_ct_dagster.contracts.utility import DEFAULT_COSTS
from credit_ct_dagster.scorer.class_rule import EXPECTED_UTILITY, ClassRule

_Array = np.ndarray[Any, Any]
_LINE = np.linspace(6, -6, 1_000)
_FALLING = np.column_stack([_LINE, _LINE - 1])


def _classes(gains: _Array, log_odds: _Array) -> _Array:
    """The class per row of log-odds of Standard against Poor, and of Good against Standard."""
    weights = np.exp(np.column_stack([np.zeros(len(log_odds)), np.cumsum(log_odds, axis=1)]))
    probabilities = weights / weights.sum(axis=1, keepdims=True)
    return ClassRule(EXPECTED_UTILITY, gains.tolist()).numbers(probabilities, probabilities)


def _growing(rng: np.random.Generator) -> _Array:
    """Costs that grow with the error, in each direction."""
    a, b, c, d, e, f = rng.exponential(size=6)
    return np.array([[0, a, a + b], [c, 0, d], [e + f, e, 0]])


def test_no_class_gets_better_where_costs_grow_with_the_error() -> None:
    """However fast the odds fall, each at its own pace: what `monotone: true` rests on."""
    rng = np.random.default_rng(0)
    for costs in [np.array(DEFAULT_COSTS), *(_growing(rng) for _ in range(300))]:
        falls = rng.exponential(size=(400, 2)) * rng.integers(0, 2, size=(400, 2))
        log_odds = rng.uniform(0, 12, size=2) - np.cumsum(falls, axis=0) / 8
        assert (np.diff(_classes(-costs, log_odds)) <= 0).all(), costs


@pytest.mark.parametrize("weights", [(1, 1, 1), (1.7, 1.2, 2.4), (0.1, 5, 0.2)])
def test_no_class_gets_better_whatever_the_classes_weigh(weights: tuple[float, ...]) -> None:
    """As with macro-F1 and accuracy."""
    assert (np.diff(_classes(np.diag(weights), _FALLING)) <= 0).all()


def test_other_costs_may_let_a_class_get_better() -> None:
    """Where to call Poor Good costs less than to call it Standard; the documentation says so."""
    costs = np.array([[0, 2, 1], [1, 0, 1], [2, 1, 0]])
    classes = _classes(-costs, np.column_stack([_LINE, np.full(len(_LINE), -0.5)]))
    assert list(dict.fromkeys(classes)) == [1, 2, 0]

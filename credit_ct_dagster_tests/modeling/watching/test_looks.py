"""Evidence that is looked at every day: equal models are seldom found different."""

import numpy as np
import pytest

from credit_ct_dagster.contracts.decision import Comparison, Estimate
from credit_ct_dagster.contracts.probation import Look, Verdict
from credit_ct_dagster.contracts.utility import Metric
from credit_ct_dagster.modeling.watching.looks import for_all_looks, in_a_row, width, with_look

_COMPARISON = Comparison(
    metric=Metric.accuracy,
    challenger=0.72,
    champion=0.7,
    difference=Estimate(value=0.02, low=-0.01, high=0.04),
    rows=600,
    customers=580,
    differing=60,
)


def _look(day: int, rows: int, verdict: Verdict = Verdict.worse) -> Look:
    return Look(day=f"2025-03-{day:02d}", rows=rows, verdict=verdict)


def test_the_interval_for_all_looks_has_the_width_of_the_normal_mixture() -> None:
    """Computed by hand: at 600 rows 3.5716 standard errors instead of 2.5758, at 100 rows 3.93."""
    assert width(600, 0.99) == pytest.approx(1.3866, abs=1e-4)
    assert width(100, 0.99) == pytest.approx(1.5250, abs=1e-3)
    wider = for_all_looks(_COMPARISON, 0.99)
    assert wider.difference.value == 0.02
    assert wider.difference.low == pytest.approx(0.02 - 1.3866 * 0.03, abs=1e-5)
    assert wider.difference.high == pytest.approx(0.02 + 1.3866 * 0.02, abs=1e-5)
    assert (wider.rows, wider.challenger) == (600, 0.72)


def test_a_look_counts_only_with_more_labels() -> None:
    """The same evidence twice is no second opinion; a day that is looked at again counts once."""
    looks = with_look((), _look(1, 100))
    looks = with_look(looks, _look(2, 100))
    assert [each.day for each in looks] == ["2025-03-01"]
    looks = with_look(looks, _look(3, 150))
    again = with_look(looks, _look(3, 160, Verdict.undecided))
    assert [(each.day, each.rows) for each in again] == [("2025-03-01", 100), ("2025-03-03", 160)]
    assert in_a_row(again, Verdict.worse) == 0


def test_only_the_last_looks_in_a_row_count() -> None:
    """One that said something else begins the count anew."""
    said = [Verdict.worse, Verdict.worse, Verdict.undecided, Verdict.worse]
    looks = [_look(day + 1, 100 + day, verdict) for day, verdict in enumerate(said)]
    assert in_a_row(looks, Verdict.worse) == 1
    assert in_a_row(looks[:2], Verdict.worse) == 2
    assert in_a_row([], Verdict.worse) == 0


def test_equal_models_are_seldom_rolled_back_in_60_days_of_looking() -> None:
    """Of 20,000 simulated probations: without the wider interval one in 20 or 30, with it 1 in 400.

    The standardised difference of two equal models, as labels of 100 customers arrive every day.
    """
    rng = np.random.default_rng(0)
    days, streams = 60, 20_000
    summed = rng.standard_normal((streams, days)).cumsum(axis=1)
    rows = 100 * np.arange(1, days + 1)
    found = summed / np.sqrt(np.arange(1, days + 1))

    def rolled_back(limits: np.ndarray, needed: int) -> float:
        worse = found < -limits
        runs = np.ones((streams, days - needed + 1), dtype=bool)
        for shift in range(needed):
            runs &= worse[:, shift : days - needed + 1 + shift]
        return float(runs.any(axis=1).mean())

    single = np.full(days, 2.5758)
    all_looks = np.array([width(int(each), 0.99) for each in rows]) * 2.5758
    assert rolled_back(single, 1) > 0.03
    assert rolled_back(single, 3) > 0.015
    assert rolled_back(all_looks, 1) < 0.004
    assert rolled_back(all_looks, 3) < 0.0025

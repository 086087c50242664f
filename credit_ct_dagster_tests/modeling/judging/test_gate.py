"""The gate: which model is promoted, which is not, and why."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from credit_ct_dagster.contracts.decision import (
    Comparison,
    Decision,
    Estimate,
    Floor,
    Ground,
    Metric,
)
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.gate import compare, decide, floors
from credit_ct_dagster.modeling.judging.gate_rules import GateRules, PastVerdict

_CHAMPION = ModelIdentity(
    base_dt="2025-03-01",
    mlflow_run_id="m",
    dagster_run_id="d",
    data_fingerprint="f",
    registered_version="7",
)
_MET = [Floor(what="recall of Poor", value=0.8, least=0.4, rows=100)]


def _found(low: float, high: float) -> Comparison:
    middle = (low + high) / 2
    return Comparison(
        metric=Metric.macro_f1,
        challenger=0.7 + middle,
        champion=0.7,
        difference=Estimate(value=middle, low=low, high=high),
        rows=400,
        customers=300,
    )


def _decided(
    low: float,
    high: float,
    base_dt: str = "2025-03-10",
    history: list[PastVerdict] | None = None,
    **rules: Any,
) -> Decision:
    return decide(base_dt, _CHAMPION, _found(low, high), _MET, history or [], GateRules(**rules))


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Labelled raw rows, 400 of 300 customers."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            schema.TARGET: rng.choice(schema.CLASSES, 400),
            schema.CUSTOMER: [str(number % 300) for number in range(400)],
            "age": rng.integers(18, 70, 400).astype(float),
            "occupation": rng.choice(["Doctor", "Writer"], 400),
        }
    )


def _predictions(rows: pd.DataFrame, accuracy: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    right = rows[schema.TARGET].to_numpy(dtype=str)
    return np.where(rng.random(len(rows)) < accuracy, right, rng.choice(schema.CLASSES, len(rows)))


@pytest.mark.parametrize(
    ("low", "high", "ground"),
    [
        (0.001, 0.05, Ground.better),
        (0.0, 0.05, Ground.insufficient_evidence),
        (-0.02, 0.04, Ground.insufficient_evidence),
        (-0.05, 0.0, Ground.insufficient_evidence),
        (-0.05, -0.001, Ground.worse),
    ],
)
def test_only_what_is_better_beyond_doubt_is_promoted(
    low: float, high: float, ground: Ground
) -> None:
    """The lower end of the interval must lie above 0; touching it is not enough."""
    decision = _decided(low, high)
    assert (decision.promoted, decision.ground) == (ground == Ground.better, ground)


def test_a_margin_requires_more() -> None:
    """The whole interval is compared with the margin instead of 0."""
    assert _decided(0.02, 0.05, margin=0.01).promoted
    assert _decided(0.005, 0.05, margin=0.01).ground == Ground.insufficient_evidence
    assert _decided(-0.03, 0.009, margin=0.01).ground == Ground.worse


def test_an_old_champion_gives_way_to_one_that_is_not_inferior() -> None:
    """Beyond the age limit, by at most the non-inferiority margin, and never to a worse one."""
    old: dict[str, Any] = {"base_dt": "2025-04-15", "max_champion_age_days": 31}
    assert _decided(-0.019, 0.05, **old).ground == Ground.aged
    assert _decided(-0.021, 0.05, **old).ground == Ground.insufficient_evidence
    assert _decided(-0.019, 0.05, base_dt="2025-04-01").ground == Ground.insufficient_evidence
    assert not _decided(-0.019, -0.001, **old).promoted


def test_without_champion_the_floors_decide() -> None:
    """The first model needs no evidence, but every floor; a missed one is named."""
    first = decide("2025-03-10", None, None, _MET, [], GateRules())
    assert (first.promoted, first.ground) == (True, Ground.first)
    missed = [*_MET, Floor(what="recall of Good", value=0.39, least=0.4, rows=50)]
    refused = decide("2025-03-10", None, None, missed, [], GateRules())
    assert (refused.promoted, refused.ground) == (False, Ground.below_floor)
    assert "recall of Good 0.390 (at least 0.4)" in refused.sentence


def test_a_better_model_below_a_floor_stays_out() -> None:
    """No evidence outweighs a group that the model fails."""
    missed = [Floor(what="accuracy of occupation Doctor", value=0.2, least=0.5, rows=40)]
    decision = decide("2025-03-10", _CHAMPION, _found(0.1, 0.2), missed, [], GateRules())
    assert (decision.promoted, decision.ground) == (False, Ground.below_floor)


def test_an_older_base_date_replaces_a_newer_champion_only_when_allowed() -> None:
    """A backfill does not bring back old models unless `replace_newer` allows it."""
    assert _decided(0.1, 0.2, base_dt="2025-02-20").ground == Ground.older
    assert _decided(0.1, 0.2, base_dt="2025-02-20", replace_newer=True).promoted


def test_a_promotion_is_followed_by_a_cool_down() -> None:
    """Counted in base dates, both for the default and for other numbers of days."""
    assert _decided(0.1, 0.2, base_dt="2025-03-02").ground == Ground.cooling_down
    assert _decided(0.1, 0.2, base_dt="2025-03-03").promoted
    assert _decided(0.1, 0.2, base_dt="2025-03-02", cool_down_days=0).promoted
    assert _decided(0.1, 0.2, base_dt="2025-03-04", cool_down_days=3).ground == Ground.cooling_down


def test_several_base_dates_can_be_required_to_agree() -> None:
    """N of the last M, against the same champion, and only earlier ones."""
    two_of_three: dict[str, Any] = {"agreeing": 2, "agreeing_of": 3}
    better, not_better = (
        [PastVerdict("2025-03-09", "7", found), PastVerdict("2025-03-08", "7", False)]
        for found in (True, False)
    )
    assert _decided(0.1, 0.2, history=better, **two_of_three).promoted
    assert _decided(0.1, 0.2, history=not_better, **two_of_three).ground == Ground.no_agreement
    of_another_champion = [PastVerdict("2025-03-09", "6", True)]
    assert not _decided(0.1, 0.2, history=of_another_champion, **two_of_three).promoted
    too_long_ago = [PastVerdict(f"2025-03-0{day}", "7", day == 5) for day in (5, 8, 9)]
    assert not _decided(0.1, 0.2, history=too_long_ago, **two_of_three).promoted
    later = [PastVerdict("2025-03-11", "7", True)]
    assert not _decided(0.1, 0.2, history=later, **two_of_three).promoted


def test_the_newest_verdict_of_a_base_date_counts() -> None:
    """A base date that was judged again does not count twice."""
    history = [PastVerdict("2025-03-09", "7", True), PastVerdict("2025-03-09", "7", False)]
    assert not _decided(0.1, 0.2, history=history, agreeing=2, agreeing_of=2).promoted


@given(low=st.floats(-0.3, 0.3), width=st.floats(0, 0.3), days=st.integers(2, 400))
def test_no_challenger_that_may_be_much_worse_is_ever_promoted(
    low: float, width: float, days: int
) -> None:
    """Whatever the champion's age: a lower bound below minus the margin keeps it."""
    base_dt = (date(2025, 3, 1) + timedelta(days=days)).isoformat()
    decision = _decided(low, low + width, base_dt=base_dt)
    assert not (decision.promoted and low <= -GateRules().non_inferiority_margin)
    assert decision.promoted or low <= 0


@pytest.mark.parametrize("metric", list(Metric))
def test_the_same_model_again_is_no_evidence(rows: pd.DataFrame, metric: Metric) -> None:
    """The difference is exactly 0, by every metric."""
    predicted, rules = _predictions(rows, 0.6, seed=1), GateRules(metric=metric)
    comparison = compare(rows, predicted, predicted, rules)
    assert comparison.difference == Estimate(value=0.0, low=0.0, high=0.0)
    assert (comparison.rows, comparison.customers) == (400, 300)
    decision = decide("2025-03-10", _CHAMPION, comparison, _MET, [], rules)
    assert decision.ground == Ground.insufficient_evidence


@pytest.mark.parametrize("metric", list(Metric))
def test_a_clearly_better_model_is_found_by_every_metric(
    rows: pd.DataFrame, metric: Metric
) -> None:
    """In both directions, and with the same draws each time."""
    better, worse = _predictions(rows, 0.9, seed=1), _predictions(rows, 0.5, seed=2)
    rules = GateRules(metric=metric)
    found = compare(rows, better, worse, rules)
    assert found.difference.low > 0.1
    assert decide("2025-03-10", _CHAMPION, found, _MET, [], rules).promoted
    turned = compare(rows, worse, better, rules)
    assert turned.difference.high < -0.1
    assert (turned.challenger, turned.champion) == (found.champion, found.challenger)
    assert compare(rows, better, worse, rules) == found, "the draws are not seeded"


def test_pairing_makes_a_small_difference_visible(rows: pd.DataFrame) -> None:
    """Two models that agree on all but a few rows differ for certain, though each is uncertain."""
    base = _predictions(rows, 0.6, seed=1)
    wrong = np.flatnonzero(base != rows[schema.TARGET].to_numpy(dtype=str))[:16]
    corrected = base.copy()
    corrected[wrong] = rows[schema.TARGET].to_numpy(dtype=str)[wrong]
    found = compare(rows, corrected, base, GateRules(metric=Metric.accuracy))
    assert found.difference.value == pytest.approx(0.04)
    assert found.difference.low > 0.02


def test_floors_are_measured_per_class_and_group(rows: pd.DataFrame) -> None:
    """By hand-made predictions; groups that are too small have no floor."""
    truth = rows[schema.TARGET].to_numpy(dtype=str)
    predicted = np.where(rows["occupation"] == "Writer", "Poor", truth)
    found = {each.what: each for each in floors(rows, predicted, GateRules(min_slice_rows=30))}
    assert found["recall of Poor"].value == 1
    assert found["accuracy of occupation Doctor"].value == 1
    assert not found["accuracy of occupation Writer"].met
    of_good = truth == "Good"
    expected = (predicted[of_good] == "Good").mean()
    assert found["recall of Good"].value == pytest.approx(expected)
    assert {"accuracy of age band 25 to 34", "accuracy of age band 55 and over"} <= set(found)
    fewer = floors(rows.head(50), predicted[:50], GateRules(min_slice_rows=30))
    assert [each.what for each in fewer if "occupation" in each.what] == []


def test_a_class_without_rows_meets_no_floor(rows: pd.DataFrame) -> None:
    """A recall that cannot be measured counts as 0."""
    poor = rows[rows[schema.TARGET] == "Poor"]
    found = {each.what: each for each in floors(poor, np.full(len(poor), "Poor"), GateRules())}
    assert found["recall of Poor"].met
    assert not found["recall of Good"].met


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"cost_matrix": [[0, 1], [1, 0]]}, "three rows of three numbers"),
        ({"cost_matrix": [[0, 1, float("inf")], [1, 0, 1], [1, 1, 0]]}, "three rows"),
        ({"agreeing": 3, "agreeing_of": 2}, "must not exceed"),
        ({"margin": -0.1}, "greater than or equal to 0"),
        ({"confidence": 1.0}, "less than 1"),
    ],
)
def test_rules_that_make_no_sense_are_refused(rules: dict[str, Any], message: str) -> None:
    """With the reason, when the configuration is read."""
    with pytest.raises(ValidationError, match=message):
        GateRules(**rules)

"""Floors: what lies below one beyond doubt, and what may by chance."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from credit_ct_dagster.contracts.decision import Floor, FloorVerdict
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.floors import design_effect, floors, p_value
from credit_ct_dagster.modeling.judging.gate_rules import GateRules
from credit_ct_dagster_tests.modeling.judging.labelled import labelled_rows, predictions


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """400 rows, one per customer."""
    return labelled_rows(customers=400)


def _by_name(found: list[Floor]) -> dict[str, Floor]:
    return {each.what: each for each in found}


@given(
    right=st.lists(st.booleans(), min_size=1, max_size=80),
    least=st.sampled_from([0.0, 0.1, 0.4, 0.5, 0.95, 1.0]),
)
def test_one_row_per_customer_gives_the_exact_binomial_test(
    right: list[bool], least: float
) -> None:
    """The same probability as scipy's `binomtest` of the alternative "less"."""
    found = p_value(np.array(right), np.arange(len(right)), least)
    expected = binomtest(sum(right), len(right), least, alternative="less").pvalue
    assert found == pytest.approx(expected, abs=1e-12)


def test_rows_of_one_customer_that_are_alike_count_once() -> None:
    """Each row twice is the evidence of half as many rows; independent ones count in full."""
    right, customers = np.array([True] * 15 + [False] * 25), np.arange(40)
    once = p_value(right, customers, 0.5)
    assert p_value(np.repeat(right, 2), np.repeat(customers, 2), 0.5) == pytest.approx(once)
    assert design_effect(np.repeat(right, 2), np.repeat(customers, 2)) == pytest.approx(2)
    wrong, pairs = np.zeros(80, dtype=bool), np.repeat(customers, 2)
    assert p_value(wrong, pairs, 0.5) == pytest.approx(0.5**40)
    mixed = np.random.default_rng(0).random(4000) < 0.5
    assert design_effect(mixed, np.repeat(np.arange(2000), 2)) == pytest.approx(1, abs=0.06)


@pytest.mark.parametrize("months", [1, 3])
def test_a_model_at_every_floor_is_rarely_taken_for_a_failure(months: int) -> None:
    """In at most 5 % of samples, also with three months per customer of which all are alike."""
    rng, rules = np.random.default_rng(0), GateRules(min_recall=0.6, min_slice_accuracy=0.6)
    taken = below = 0
    for seed in range(200):
        rows = labelled_rows(300, customers=300, seed=seed)
        truth = rows[schema.TARGET].to_numpy(dtype=str)
        other = np.where(truth == "Good", "Poor", "Good")
        repeated = pd.concat([rows] * months, ignore_index=True)
        predicted = np.tile(np.where(rng.random(300) < 0.6, truth, other), months)
        found = floors(repeated, predicted, None, rules)
        taken += any(each.verdict == FloorVerdict.below for each in found)
        below += any(not each.met for each in found)
    assert below > 180, "the naive rule would keep nearly every one out"
    assert taken <= 15  # 5 % are 10; beyond 15 lie less than 5 % of binomial samples


def test_floors_are_measured_per_class_and_group(rows: pd.DataFrame) -> None:
    """By hand-made predictions; groups that are too small have no floor."""
    truth = rows[schema.TARGET].to_numpy(dtype=str)
    predicted = np.where(rows["occupation"] == "Writer", "Poor", truth)
    found = _by_name(floors(rows, predicted, truth, GateRules(min_slice_rows=30)))
    assert (found["recall of Poor"].value, found["recall of Poor"].champion) == (1, 1)
    assert found["accuracy of occupation Doctor"].value == 1
    writer = found["accuracy of occupation Writer"]
    assert writer.rows == (rows["occupation"] == "Writer").sum()
    assert writer.value == pytest.approx((truth[rows["occupation"] == "Writer"] == "Poor").mean())
    assert (writer.verdict, writer.met) == (FloorVerdict.below, False)
    assert (writer.champion, writer.champion_verdict) == (1, FloorVerdict.met)
    of_good = truth == "Good"
    expected = (predicted[of_good] == "Good").mean()
    assert found["recall of Good"].value == pytest.approx(expected)
    assert {"accuracy of age band 25 to 34", "accuracy of age band 55 and over"} <= set(found)
    fewer = floors(rows.head(50), predicted[:50], None, GateRules(min_slice_rows=30))
    assert [each.what for each in fewer if "occupation" in each.what] == []


def test_the_same_value_is_beyond_doubt_on_many_rows_and_not_on_few(rows: pd.DataFrame) -> None:
    """Of a fifth of the rows of Good, 0.33 may be chance; of ten times as many it is not."""
    rules = GateRules(min_recall=0.5, min_slice_rows=10_000)
    truth = rows[schema.TARGET].to_numpy(dtype=str)
    missed = np.where((truth == "Good") & (np.arange(400) % 3 > 0), "Poor", truth)
    few = (np.cumsum(truth == "Good") <= 21) | (truth != "Good")
    on_few = _by_name(floors(rows[few], missed[few], None, rules))["recall of Good"]
    on_all = _by_name(floors(rows, missed, None, rules))["recall of Good"]
    assert (on_few.verdict, on_all.verdict) == (FloorVerdict.uncertain, FloorVerdict.below)
    assert on_all.p_value is not None
    assert on_all.p_value < 0.05 / 3


def test_the_level_is_divided_among_all_floors(rows: pd.DataFrame) -> None:
    """What a single floor would call a failure is too little among ten."""
    predicted = predictions(rows, 0.5, seed=3)
    alone = GateRules(min_recall=0.0, min_slice_rows=1, min_slice_accuracy=0.75)
    found = floors(rows, predicted, None, alone)
    level = 0.05 / len(found)
    assert len(found) > 8
    assert {FloorVerdict.below, FloorVerdict.uncertain} < {each.verdict for each in found}
    for each in found:
        assert each.p_value is not None
        assert (each.verdict == FloorVerdict.below) == (each.p_value < level)
    assert any(level < (each.p_value or 0) < 0.05 for each in found)


def test_a_class_without_rows_misses_no_floor_beyond_doubt(rows: pd.DataFrame) -> None:
    """A recall that cannot be measured is 0, which says nothing."""
    poor = rows[rows[schema.TARGET] == "Poor"]
    found = _by_name(floors(poor, np.full(len(poor), "Poor"), None, GateRules()))
    assert found["recall of Poor"].verdict == FloorVerdict.met
    good = found["recall of Good"]
    assert (good.value, good.rows, good.p_value) == (0.0, 0, 1.0)
    assert (good.verdict, good.met) == (FloorVerdict.uncertain, False)

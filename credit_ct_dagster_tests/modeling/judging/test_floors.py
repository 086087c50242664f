"""Floors: what lies below one beyond doubt, and what may by chance."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from credit_ct_dagster.contracts.decision import Floor, FloorVerdict
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.design_effect import design_effect
from credit_ct_dagster.modeling.judging.floors import floors, lower_than_champion, p_value
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
    found = p_value(np.array(right), least)
    expected = binomtest(sum(right), len(right), least, alternative="less").pvalue
    assert found == pytest.approx(expected, abs=1e-12)


def test_rows_of_one_customer_that_are_alike_count_once() -> None:
    """Each row twice is the evidence of half as many rows; independent ones count in full."""
    right, customers = np.array([True] * 15 + [False] * 25), np.arange(40)
    pairs, twice = np.repeat(customers, 2), np.repeat(right, 2)
    assert design_effect(twice, pairs) == pytest.approx(2)
    once = p_value(right, 0.5)
    assert p_value(twice, 0.5, design_effect(twice, pairs)) == pytest.approx(once)
    wrong = np.zeros(80, dtype=bool)
    assert p_value(wrong, 0.5, design_effect(wrong, pairs)) == pytest.approx(0.5**40)
    mixed = np.random.default_rng(0).random(4000) < 0.5
    assert design_effect(mixed, np.repeat(np.arange(2000), 2)) == pytest.approx(1, abs=0.06)


def test_a_few_customers_with_many_rows_say_nothing_of_a_floor() -> None:
    """How alike a customer's rows are cannot be known from five customers; from ten it can."""
    rules = GateRules(min_slice_rows=1)
    for customers, verdict in ((1, "uncertain"), (5, "uncertain"), (10, "below")):
        rows = labelled_rows(200, customers).assign(credit_score="Poor")
        predicted = np.where(np.random.default_rng(0).random(200) < 0.05, "Poor", "Good")
        [recall, *_] = floors(rows, predicted, None, rules)
        assert recall.verdict == FloorVerdict[verdict], customers


@given(
    pairs=st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=80),
)
def test_whether_the_challenger_is_lower_is_the_exact_test_of_mcnemar(
    pairs: list[tuple[bool, bool]],
) -> None:
    """With one row per customer: scipy's binomial test of the rows that only one of them has."""
    challenger, champion = np.array(pairs).T
    only_theirs, only_ours = (champion & ~challenger).sum(), (challenger & ~champion).sum()
    found = lower_than_champion(challenger, champion, np.arange(len(pairs)))
    if only_theirs + only_ours == 0:
        assert found == 1
    else:
        expected = binomtest(only_theirs, only_theirs + only_ours, alternative="greater").pvalue
        assert found == pytest.approx(expected, abs=1e-12)


def test_months_of_one_customer_are_one_sign() -> None:
    """Three alike months of everybody are no more evidence than one of each."""
    champion, customers = np.arange(40) < 12, np.arange(40)
    challenger = np.zeros(40, dtype=bool)
    once = lower_than_champion(challenger, champion, customers)
    assert once == pytest.approx(0.5**12)
    thrice = lower_than_champion(*(np.tile(each, 3) for each in (challenger, champion, customers)))
    assert thrice == once
    opposite = lower_than_champion(
        np.array([True, False, True]), np.array([False, True, False]), np.zeros(3, dtype=int)
    )
    assert opposite == 1, "one customer, on whom the challenger is right more often"


def _goods(rows: int, ours: int, theirs: int, both: int) -> Floor:
    """The floor of recall of Good, 0.4, of two models that find some of the rows, some the same."""
    frame = labelled_rows(rows, customers=rows).assign(**{schema.TARGET: "Good"})
    challenger = np.where(np.arange(rows) < ours, "Good", "Poor")
    found = (np.arange(rows) >= ours - both) & (np.arange(rows) < ours - both + theirs)
    champion = np.where(found, "Good", "Poor")
    rules = GateRules(min_slice_rows=10_000)
    return _by_name(floors(frame, challenger, champion, rules))["recall of Good"]


def test_a_floor_is_shared_only_if_the_challenger_is_not_lower_than_the_champion() -> None:
    """.02 against .25 is a loss of a floor that both miss; .28 against .28 and .33 are none."""
    lost = _goods(100, ours=2, theirs=25, both=2)
    assert (lost.verdict, lost.champion_verdict) == (FloorVerdict.below, FloorVerdict.below)
    assert lost.lower_than_champion is True
    assert lost.paired_p_value == pytest.approx(0.5**23)
    assert not lost.shared
    for theirs in (28, 33):
        alike = _goods(100, ours=28, theirs=theirs, both=24)
        assert (alike.verdict, alike.lower_than_champion) == (FloorVerdict.below, False)
        assert alike.shared, "whether the champion lies there beyond doubt is beside the point"
    uncertain = _goods(100, ours=28, theirs=33, both=24)
    assert uncertain.champion_verdict == FloorVerdict.uncertain
    met = _goods(100, ours=28, theirs=41, both=28)
    assert (met.verdict, met.shared, met.lower_than_champion) == (FloorVerdict.below, False, None)


def test_rows_of_one_customer_weigh_the_same_for_both_models() -> None:
    """Two models that are right as often have the same verdict, however their rows cluster."""
    pairs = labelled_rows(200, customers=100).assign(**{schema.TARGET: "Good"})
    customer = np.arange(200) % 100
    alike = np.where(customer < 33, "Good", "Poor")
    mixed = np.where(np.arange(200) < 66, "Good", "Poor")
    rules = GateRules(min_slice_rows=10_000)
    for ours, theirs in ((alike, mixed), (mixed, alike)):
        found = _by_name(floors(pairs, ours, theirs, rules))["recall of Good"]
        assert found.value == found.champion == 0.33
        assert found.verdict == found.champion_verdict


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

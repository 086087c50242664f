"""Whether groups are treated alike, as far as the rows can say."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import fisher_exact, hypergeom
from scipy.stats.contingency import relative_risk
from sklearn.utils import Bunch

from credit_ct_dagster.contracts.fairness import Fairness, GroupFairness, Impact
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.design_effect import design_effect
from credit_ct_dagster.modeling.judging.fairness import (
    TwoByTwo,
    fairness_of,
    holm,
    wilson,
)

_OCCUPATIONS = ["Lawyer", "Doctor"]


def _case(good: dict[str, tuple[int, int]], age: float = 30, months: int = 1) -> Bunch:
    """Rows per occupation, of which some are predicted "Good"; all are labelled "Good"."""
    rows = [
        {schema.CUSTOMER: f"{word}{n}", "occupation": word, "age": age, "good": n < hits}
        for word, (hits, count) in good.items()
        for n in range(count)
        for _ in range(months)
    ]
    frame = pd.DataFrame(rows).assign(**{schema.TARGET: "Good"})
    return Bunch(rows=frame, predicted=np.where(frame.pop("good"), "Good", "Poor"))


def _group(fairness: Fairness, name: str) -> GroupFairness:
    [found] = [each for each in fairness.groups if each.name == name]
    return found


def test_the_ratio_is_that_to_the_rest_with_katz_interval() -> None:
    """By hand: 30 of 100 against 60 of 100."""
    ratio = TwoByTwo(30, 100, 60, 100).ratio()
    assert ratio is not None
    error = math.sqrt(1 / 30 - 1 / 100 + 1 / 60 - 1 / 100)
    assert ratio.value == 0.5
    assert ratio.low == pytest.approx(0.5 * math.exp(-1.959964 * error))
    assert ratio.high == pytest.approx(0.5 * math.exp(1.959964 * error))


@given(st.integers(1, 40), st.integers(0, 40), st.integers(1, 40), st.integers(0, 40))
def test_ratio_and_interval_are_those_of_scipy(good: int, bad: int, other: int, rest: int) -> None:
    """SciPy has the same interval, by code of others."""
    ratio = TwoByTwo(good, good + bad, other, other + rest).ratio()
    assert ratio is not None
    if bad or rest:
        expected = relative_risk(good, good + bad, other, other + rest)
        interval = expected.confidence_interval(0.95)
        assert ratio.value == pytest.approx(expected.relative_risk)
        assert (ratio.low, ratio.high) == pytest.approx((interval.low, interval.high), rel=1e-4)


def test_fishers_test_of_a_known_table() -> None:
    """Fisher's tea: 3 of 4 cups recognised; two-sided, 34/70."""
    assert TwoByTwo(3, 4, 1, 4).fisher() == pytest.approx(34 / 70)
    law = hypergeom(50, 20, 25)
    observed = law.pmf(5)
    both_sides = sum(p for p in law.pmf(np.arange(26)) if p <= observed * (1 + 1e-9))
    assert TwoByTwo(5, 25, 15, 25).fisher() == pytest.approx(both_sides)


def test_nobody_good_in_a_group_or_in_the_rest() -> None:
    """A ratio of 0 with an upper end; no ratio at all."""
    none = TwoByTwo(0, 20, 50, 100).ratio()
    assert none is not None
    assert (none.value, none.low) == (0.0, 0.0)
    assert 0.3 < none.high < 1
    assert TwoByTwo(5, 20, 0, 100).ratio() is None
    assert TwoByTwo(5, 20, 0, 0).ratio() is None
    assert TwoByTwo(5, 20, 0, 0).fisher() == 1.0


def test_holm_adjusts_for_the_number_of_groups() -> None:
    """Worked out by hand: .01 x 4, .02 x 3, .03 x 2, and never below the one before."""
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_wilsons_interval_of_a_known_share() -> None:
    """10 of 20: .299 to .701 (Newcombe 1998); of 0 and of all it does not end outside 0 to 1."""
    half = wilson(10, 20)
    assert half is not None
    assert (round(half.low, 3), round(half.high, 3)) == (0.299, 0.701)
    nobody, everybody = wilson(0, 10), wilson(10, 10)
    assert nobody is not None
    assert everybody is not None
    assert nobody.low == nobody.value == 0.0
    assert everybody.high == everybody.value == 1.0
    assert wilson(0, 0) is None


def test_a_group_far_below_the_rest_is_flagged() -> None:
    """With its ratio, the adjusted test, and the recall of those who are truly Good."""
    found = fairness_of(*_case({"Lawyer": (30, 100), "Doctor": (60, 100)}).values())
    lawyer = _group(found, "Lawyer")
    assert lawyer.impact == Impact.adverse
    assert lawyer.ratio is not None
    assert (lawyer.rows, lawyer.favourable, lawyer.rest, lawyer.ratio.value) == (100, 0.3, 0.6, 0.5)
    # Three groups: both occupations have the same table, and the one age band has no others.
    alone = fisher_exact([[30, 70], [60, 40]]).pvalue
    assert lawyer.p_value == pytest.approx(3 * alone)
    assert lawyer.recall_good is not None
    assert (lawyer.truly_good, lawyer.recall_good.value) == (100, 0.3)
    assert _group(found, "Doctor").impact == Impact.none
    assert [each.name for each in found.adverse] == ["Lawyer"]
    assert (found.rows, found.customers, found.design_effect) == (200, 200, 1.0)


def test_few_rows_are_not_enough_to_flag_a_group() -> None:
    """The same shares on a tenth of the rows: below four fifths, and possibly chance."""
    found = fairness_of(*_case({"Lawyer": (3, 10), "Doctor": (6, 10)}).values())
    lawyer = _group(found, "Lawyer")
    assert lawyer.ratio is not None
    assert lawyer.ratio.value == 0.5
    assert lawyer.p_value > 0.05
    assert lawyer.impact == Impact.uncertain
    assert not found.adverse


def test_many_rows_do_not_make_a_small_difference_adverse() -> None:
    """Nine tenths is above four fifths, however certain."""
    found = fairness_of(*_case({"Lawyer": (1800, 4000), "Doctor": (2000, 4000)}).values())
    lawyer = _group(found, "Lawyer")
    assert lawyer.p_value < 0.001
    assert lawyer.impact == Impact.none


def test_the_months_of_one_customer_count_as_one() -> None:
    """Three equal months of everybody tell as much as one of each."""
    good = {"Lawyer": (6, 20), "Doctor": (12, 20)}
    once = fairness_of(*_case(good).values())
    thrice = fairness_of(*_case(good, months=3).values())
    assert thrice.design_effect == pytest.approx(3.0)
    assert (thrice.rows, thrice.customers) == (120, 40)
    for name in _OCCUPATIONS:
        one, three = _group(once, name), _group(thrice, name)
        assert three.rows == 3 * one.rows
        assert dict(three.ratio or ()) == pytest.approx(dict(one.ratio or ()))
        assert three.p_value == pytest.approx(one.p_value)
        assert dict(three.recall_good or ()) == pytest.approx(dict(one.recall_good or ()))


def test_months_that_do_not_resemble_each_other_count_as_rows() -> None:
    """The design effect is 1 where customers differ as much within as between, and never less."""
    rng = np.random.default_rng(0)
    customers = np.repeat(np.arange(4_000), 2)
    groups = np.zeros(8_000, dtype=int)
    assert design_effect(rng.random(8_000) < 0.3, customers, groups) == pytest.approx(1, abs=0.05)
    opposite = np.tile([True, False], 4_000)
    assert design_effect(opposite, customers, groups) == 1.0
    everyone = np.ones(8_000, dtype=bool)
    assert design_effect(everyone, customers, groups) == 2.0, "nothing tells: as alike as can be"


def test_groups_by_protected_features(raw_rows: pd.DataFrame) -> None:
    """A word as it is, a number in quarters; a list cannot be grouped, which is on record."""
    protected = ["age", "credit_mix", "annual_income", "num_of_loan", "type_of_loan"]
    rows = raw_rows.assign(credit_mix=raw_rows["credit_mix"].mask(raw_rows.index % 5 == 0, " "))
    rows.loc[rows.index[:7], "annual_income"] = np.nan
    predicted = rows[schema.TARGET].to_numpy(dtype=str)
    found = fairness_of(rows, predicted, protected, base_dts=["2025-03-10"])
    of_kind = {
        kind: {each.name: each for each in found.groups if each.kind == kind}
        for kind in dict.fromkeys(each.kind for each in found.groups)
    }
    assert list(of_kind) == [
        "age band", "occupation", "credit mix", "annual income", "num of loan"
    ]  # fmt: skip
    assert set(of_kind["credit mix"]) == {"Bad", "Standard", "Good", "unknown"}
    quarters = of_kind["annual income"]
    assert quarters.pop("unknown").rows == 7
    sizes = [each.rows for each in quarters.values()]
    assert len(sizes) == 4
    assert max(sizes) - min(sizes) <= 10
    assert {name.split()[0] for name in quarters} == {"over", "up"}
    for groups in ("age band", "occupation", "credit mix", "num of loan"):
        assert sum(each.rows for each in of_kind[groups].values()) == len(rows)
    assert found.not_grouped == ["type_of_loan"]
    assert found.base_dts == ["2025-03-10"]


def test_a_model_that_predicts_nobody_good_is_measured_all_the_same(raw_rows: pd.DataFrame) -> None:
    """There is no ratio, and nothing to flag."""
    found = fairness_of(raw_rows, np.full(len(raw_rows), "Poor"))
    assert all(each.ratio is None and each.p_value == 1.0 for each in found.groups)
    assert not found.adverse
    assert Fairness.model_validate_json(found.model_dump_json()) == found

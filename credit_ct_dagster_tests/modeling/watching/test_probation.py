"""What labelled answers say of a champion and of the model before."""

import pandas as pd
import pytest

from credit_ct_dagster.contracts.decision import Ground
from credit_ct_dagster.contracts.probation import Verdict
from credit_ct_dagster.contracts.utility import Metric, Utility
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.evidence import compare
from credit_ct_dagster.modeling.watching.looks import width
from credit_ct_dagster.modeling.watching.paired import paired, pooled
from credit_ct_dagster.modeling.watching.probation import Findings, evaluate
from credit_ct_dagster.modeling.watching.probation_rules import ProbationRules
from credit_ct_dagster_tests.modeling.watching.shadowed import (
    SERVED,
    SHADOW,
    answers,
    identity,
    pairs,
    shadow,
)

_UTILITY = Utility(metric=Metric.accuracy)
_RULES = ProbationRules(draws=400)


def _paired(
    given: pd.DataFrame, scored: pd.DataFrame, day: str = "2025-03-05", after: str = "2025-03-01"
) -> pd.DataFrame:
    return paired(given, scored, day, [SERVED], [SHADOW], after)


def _evaluated(rows: pd.DataFrame, ground: Ground = Ground.better, **rules: object) -> Findings:
    return evaluate(rows, ground, identity("2025-02-01"), _UTILITY, _RULES.model_copy(update=rules))


def test_answers_are_joined_with_those_of_the_shadow() -> None:
    """By source and key: of one model each, with a label, and of a customer."""
    given = pd.concat(
        [
            answers(
                ("a", "c1", "Good", "2025-04-01"),
                ("b", "c2", None, None),
                ("c", None, "Good", "2025-04-01"),
                ("d", "c4", "Poor", "2025-04-01"),
                ("not scored", "c5", "Poor", "2025-04-01"),
            ),
            answers(("e", "c6", "Good", "2025-04-01"), tag="m:another"),
        ]
    )
    scored = pd.concat([shadow(*"abcde"), shadow(*"abcde", tag="m:third", predicted="Standard")])
    rows = _paired(given, scored)
    assert rows[schema.CUSTOMER].tolist() == ["c1", "c4"]
    assert rows[schema.TARGET].tolist() == ["Good", "Poor"]
    assert rows["predicted"].tolist() == ["Good", "Good"]
    assert rows["predicted_in_shadow"].tolist() == ["Poor", "Poor"]
    assert rows["probability_poor_in_shadow"].tolist() == [0.7, 0.7]
    assert set(rows["day"]) == {"2025-03-05"}


def test_labels_that_a_model_may_have_learned_are_no_evidence() -> None:
    """Those up to the base date of the newer model: a batch scores rows that old."""
    given = answers(("a", "c1", "Good", "2025-03-01"), ("b", "c2", "Good", "2025-03-02"))
    assert _paired(given, shadow("a", "b"))[schema.CUSTOMER].tolist() == ["c2"]


def test_a_label_counts_once_however_often_its_customer_was_answered() -> None:
    """With the first answer, so that a later day changes nothing of the evidence before."""
    first = _paired(answers(("a", "c1", "Good", "2025-04-01")), shadow("a"), "2025-03-05")
    second = _paired(
        answers(("b", "c1", "Good", "2025-04-01"), ("c", "c1", "Poor", "2025-04-09")),
        shadow("b", "c"),
        "2025-03-06",
    )
    rows = pooled([first, second, second.iloc[:0]])
    assert rows["day"].tolist() == ["2025-03-05", "2025-03-06"]
    assert rows["label_date"].tolist() == ["2025-04-01", "2025-04-09"]
    assert pooled([]).empty
    assert pooled([second.iloc[:0]]).empty


def test_a_worse_champion_is_found_worse_and_a_better_one_confirmed() -> None:
    """By the gate's own comparison, with the champion in the challenger's place."""
    rows = pairs(600, served=0.5, shadow=0.75)
    worse = _evaluated(rows)
    assert worse.verdict == Verdict.worse
    assert worse.comparison is not None
    expected = compare(
        rows, rows["predicted"].to_numpy(str), rows["predicted_in_shadow"].to_numpy(str), _UTILITY,
        _RULES.model_copy(update={"confidence": 0.99}),
    )  # fmt: skip
    assert (
        worse.comparison.challenger
        == expected.challenger
        == ((rows["predicted"] == rows[schema.TARGET]).mean())
    )
    value, high = expected.difference.value, expected.difference.high
    assert worse.comparison.difference.value == value
    assert worse.comparison.difference.high == pytest.approx(
        value + width(600, 0.99) * (high - value)
    )
    assert "of the model of 2025-02-01 before it, difference -0." in worse.sentence
    assert "on 600 labelled answers of 600 customers, of 2025-03-05 to 2025-03-06" in worse.sentence
    assert _evaluated(pairs(600, served=0.75, shadow=0.5)).verdict == Verdict.confirmed


def test_equal_models_are_confirmed_once_the_margin_is_excluded() -> None:
    """Not inferior by 2 points, as the gate has it for old champions; before, it is undecided."""
    few, many = pairs(600, 0.7, 0.7), pairs(30_000, 0.7, 0.7)
    assert _evaluated(few).verdict == Verdict.undecided
    assert _evaluated(many, draws=200).verdict == Verdict.confirmed


def test_a_champion_of_an_old_one_may_be_worse_by_the_margin() -> None:
    """The gate has promoted it as not inferior: what it was allowed is no ground to go."""
    rows = pairs(40_000, served=0.70, shadow=0.725)
    assert _evaluated(rows, draws=200).verdict == Verdict.worse
    assert _evaluated(rows, Ground.aged, draws=200).verdict != Verdict.worse
    assert _evaluated(pairs(4_000, 0.6, 0.7), Ground.aged).verdict == Verdict.worse


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (pairs(0, 0.5, 0.9), "no label of any answer is known yet"),
        (pairs(99, 0.2, 0.9), "only 99 labels are known (min_rows: 100)"),
        (pairs(600, 0.2, 0.9, customers=29), "only 29 customers have a label (min_customers: 30)"),
        (pairs(600, 1, 1), "only 0 labelled answers differ between the two models"),
    ],
)
def test_too_few_labels_decide_nothing(rows: pd.DataFrame, why: str) -> None:
    """By the limits of the gate, whatever the difference."""
    found = _evaluated(rows)
    assert found.verdict == Verdict.undecided
    assert why in found.sentence

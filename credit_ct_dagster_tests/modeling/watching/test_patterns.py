"""In what way values disagree: each pattern is found from the data, and none is made up."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest

from credit_ct_dagster.contracts.serving_skew import Pattern
from credit_ct_dagster.modeling import schema
from credit_ct_dagster_tests.modeling.watching.skewed import as_json, changed, compared, patterns

_Value = Callable[[Any], Any]


def _kinds(
    rows: pd.DataFrame, feature: str, change: _Value, share: float = 0.4
) -> dict[Pattern, tuple[int, str]]:
    """The patterns of a feature of which a share of the values is changed, one by one."""
    served = changed(rows, feature, lambda values: values.map(change, na_action="ignore"), share)
    found = compared(served, rows)
    assert all(each.disagreeing == 0 for name, each in found.items() if name != feature)
    return patterns(found[feature])


@pytest.mark.parametrize(
    ("feature", "change", "detail"),
    [
        ("credit_history_age", lambda months: months / 12, "/ 12"),
        ("credit_history_age", lambda months: months // 12, "/ 12"),
        ("credit_history_age", lambda months: round(months / 12, 1), "/ 12"),
        ("credit_history_age", lambda months: months * 30.4375, "* 30.4375"),
        ("annual_income", lambda amount: amount * 100, "* 100"),
        ("annual_income", lambda amount: amount / 1000, "/ 1,000"),
        ("annual_income", lambda amount: round(amount / 1000), "/ 1,000"),
        ("annual_income", lambda amount: round(amount / 12, 2), "/ 12"),
        ("monthly_inhand_salary", lambda amount: amount * 12, "* 12"),
        ("outstanding_debt", lambda amount: amount * 1.0837, "* 1.0837"),
        ("credit_utilization_ratio", lambda percent: percent / 100, "/ 100"),
        ("interest_rate", lambda percent: percent * 7, "* 7"),
        ("delay_from_due_date", lambda days: days * -1, "* -1"),
    ],
)
def test_a_constant_factor_is_another_unit(
    raw_rows: pd.DataFrame, feature: str, change: _Value, detail: str
) -> None:
    """Found from the data, also rounded, as years for months are, and negative."""
    found = _kinds(raw_rows, feature, change)
    assert detail in {name for _, name in found.values()}
    assert found[Pattern.unit][1] == detail
    explained, disagreeing = found[Pattern.unit][0], sum(rows for rows, _ in found.values())
    assert explained > 0.95 * disagreeing


@pytest.mark.parametrize(
    ("feature", "change", "detail"),
    [
        ("credit_history_age", lambda months: months - 1, "- 1"),
        ("num_credit_inquiries", lambda number: number + 2, "+ 2"),
        ("annual_income", lambda amount: amount + 1234.5, "+ 1,234.5"),
    ],
)
def test_a_constant_difference(
    raw_rows: pd.DataFrame, feature: str, change: _Value, detail: str
) -> None:
    """Such as the history of the month before, which a factor near 1 would nearly explain."""
    assert _kinds(raw_rows, feature, change) == {
        Pattern.shift: (pytest.approx(800, abs=120), detail)
    }


def _always(value: object, _: object) -> object:
    return value


def test_one_value_for_all(raw_rows: pd.DataFrame) -> None:
    """A default in place of the number or the word, and one where the store has nothing."""
    for feature, value in (
        ("annual_income", 0.0),
        ("age", 35.0),
        ("occupation", "Other"),
        ("credit_mix", "Standard"),
    ):
        found = _kinds(raw_rows, feature, partial(_always, value))
        assert set(found) == {Pattern.one_value}
    gaps = raw_rows.assign(monthly_balance=raw_rows["monthly_balance"].where(raw_rows.index > 300))
    filled = as_json(gaps).assign(monthly_balance=gaps["monthly_balance"].fillna(0.0))
    assert set(patterns(compared(filled, gaps)["monthly_balance"])) == {Pattern.one_value}
    known = as_json(gaps).assign(monthly_balance=raw_rows["monthly_balance"])
    kinds = patterns(compared(known, gaps)["monthly_balance"])
    assert set(kinds) == {Pattern.missing_in_store}


def test_values_of_another_feature(raw_rows: pd.DataFrame) -> None:
    """Two fields that were exchanged, numbers or words."""
    exchanged = {
        "monthly_balance": "amount_invested_monthly",
        "amount_invested_monthly": "monthly_balance",
        "occupation": "payment_behaviour",
    }
    whole = raw_rows.dropna(subset=[*exchanged, *exchanged.values()])
    served = as_json(whole).assign(**{name: whole[other] for name, other in exchanged.items()})
    found = compared(served, whole)
    for name, other in exchanged.items():
        [pattern] = found[name].patterns
        assert (pattern.kind, pattern.detail) == (Pattern.another_feature, other)


def test_numbers_as_text_and_other_types(raw_rows: pd.DataFrame) -> None:
    """A text that is a number is told from one that is none; lists and booleans are other types."""
    texts: list[_Value] = [str, " {:,.2f} ".format, "${:,.2f}".format]
    for change in texts:
        assert set(_kinds(raw_rows, "annual_income", change)) == {Pattern.number_as_text}
    others: list[_Value] = ["{:.0f} a year".format, bool, lambda number: [number]]
    for change in others:
        assert set(_kinds(raw_rows, "annual_income", change)) == {Pattern.other_type}
    others = [len, lambda text: text.split(","), bool]
    for change in others:
        assert set(_kinds(raw_rows, "type_of_loan", change)) == {Pattern.other_type}


def test_missing_on_one_side(raw_rows: pd.DataFrame) -> None:
    """As null, as a blank, or as a word for it; and what the store does not have."""
    whole = raw_rows.dropna()
    for feature in ("annual_income", "occupation", "type_of_loan"):
        for value in (None, " ", "NULL", "n/a"):
            served = as_json(whole)
            served.iloc[:50, served.columns.get_loc(feature)] = value
            found = patterns(compared(served, whole)[feature])
            assert found == {Pattern.missing_when_served: (50, "")}
        for value, kind in (("None", Pattern.missing_as_word), (None, None), ("", None)):
            gaps = whole.assign(**{feature: whole[feature].astype(object)})
            gaps.iloc[:50, gaps.columns.get_loc(feature)] = None
            served = as_json(gaps)
            served.iloc[:50, served.columns.get_loc(feature)] = value
            stored = gaps.astype(dict.fromkeys(schema.NUMERIC, "float64"))
            found = patterns(compared(served, stored)[feature])
            assert found == ({kind: (50, "")} if kind else {})


@pytest.mark.parametrize(
    ("feature", "change", "kind"),
    [
        ("occupation", str.upper, Pattern.spelling),
        ("payment_behaviour", lambda text: text.replace("_", " "), Pattern.spelling),
        ("type_of_loan", lambda text: f"{text.upper()} ,", Pattern.spelling),
        ("type_of_loan", lambda text: ",".join(sorted(text.split(","))[::-1]), Pattern.order),
        ("payment_behaviour", lambda text: text[:16], Pattern.cut_off),
        ("occupation", lambda word: f"code {word[::-1]}", Pattern.coding),
        ("payment_of_min_amount", {"Yes": "oui", "No": "non", "NM": "NM"}.get, Pattern.coding),
        ("credit_mix", {"Bad": "Good", "Good": "Bad", "Standard": "Standard"}.get, Pattern.other),
    ],
)
def test_words_that_differ(
    raw_rows: pd.DataFrame, feature: str, change: _Value, kind: Pattern
) -> None:
    """Spelling, order, length and coding are told apart; exchanged words are no coding."""
    found = _kinds(raw_rows, feature, change)
    assert set(found) == {kind}
    assert found[kind][0] > 100


def test_blanks_around_words_are_no_disagreement(raw_rows: pd.DataFrame) -> None:
    """The service takes them away, and so does the pipeline."""
    assert _kinds(raw_rows, "occupation", lambda word: f" {word}\t") == {}


@pytest.mark.parametrize(
    "change",
    [
        np.float32,
        lambda number: float(f"{number:.6g}"),
        lambda number: round(number, 2),
        lambda number: math.floor(number * 100) / 100,
        lambda number: number * (1 + 1e-9),
    ],
    ids=["single precision", "six digits", "rounded", "cut", "last digit"],
)
def test_fine_rounding_is_no_disagreement(raw_rows: pd.DataFrame, change: _Value) -> None:
    """Of any number: what is left out is a hundredth of what models scale it by, or less."""
    for feature in ("monthly_inhand_salary", "credit_utilization_ratio", "monthly_balance"):
        rows = raw_rows.assign(**{feature: raw_rows[feature] * 1.00123456789})
        served = changed(rows, feature, lambda values: values.map(change, na_action="ignore"))
        found = compared(served, rows)[feature]
        assert (found.disagreeing, *found.patterns) == (0,)
        assert found.rounded > 1_000


def test_coarse_rounding_is_a_disagreement(raw_rows: pd.DataFrame) -> None:
    """Ages to tens, percent to whole numbers; a month more is no rounding."""
    for feature, digits, detail in (("age", -1, "to 10"), ("credit_utilization_ratio", 0, "to 1")):
        found = _kinds(raw_rows, feature, partial(round, ndigits=digits))
        assert set(found) == {Pattern.rounding}
        assert found[Pattern.rounding][0] > 500
        assert found[Pattern.rounding][1] == detail


def test_numbers_that_have_nothing_in_common_are_other(raw_rows: pd.DataFrame) -> None:
    """Another customer's values are no unit, no difference and no default."""
    rng = np.random.default_rng(0)
    for feature in schema.FEATURES:
        values = raw_rows[feature].dropna()
        other = pd.Series(rng.permutation(values.to_numpy()), index=values.index)
        served = as_json(raw_rows.loc[values.index]).assign(**{feature: other})
        found = compared(served, raw_rows.loc[values.index])[feature]
        allowed = {Pattern.other, *([Pattern.order] if feature == "type_of_loan" else [])}
        assert {each.kind for each in found.patterns} <= allowed, feature
        assert found.patterns[0].kind == Pattern.other


def test_two_different_values_are_too_few_for_a_constant(raw_rows: pd.DataFrame) -> None:
    """Whatever stands for two values explains them; nothing is claimed of it."""
    rows = raw_rows.iloc[:200].assign(num_of_loan=[1.0, 2.0] * 100)
    served = as_json(rows).assign(num_of_loan=[3.0, 6.0] * 100)
    assert set(patterns(compared(served, rows)["num_of_loan"])) == {Pattern.other}


def test_infinite_numbers_are_compared(raw_rows: pd.DataFrame) -> None:
    """The store may hold one; nothing is computed from it, and no warning is raised."""
    stored = raw_rows.assign(
        annual_income=raw_rows["annual_income"].where(raw_rows.index > 9, np.inf)
    )
    served = as_json(stored)
    assert compared(served, stored)["annual_income"].disagreeing == 0
    served = served.assign(annual_income=raw_rows["annual_income"] * 12)
    found = patterns(compared(served, stored)["annual_income"])
    assert found[Pattern.unit][1] == "* 12"
    assert found[Pattern.other][0] <= 10

"""What was served is another row of the customer than the one that the store had."""

import numpy as np
import pandas as pd
import pytest

from credit_ct_dagster.contracts.serving_skew import Agreement, Pattern
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.watching.skew import feature_skew, with_later_rows
from credit_ct_dagster.modeling.watching.skew_rules import SkewRules
from credit_ct_dagster_tests.modeling.watching.skewed import as_json, patterns

_EVERY = tuple(schema.FEATURES)


@pytest.fixture(scope="module")
def months(raw_rows: pd.DataFrame) -> list[pd.DataFrame]:
    """Features of 400 customers in three months, the newest first; all but the names change."""
    rows = raw_rows[schema.FEATURES].iloc[:400]
    rng = np.random.default_rng(0)
    found = [rows]
    for _ in range(2):
        before = found[-1].copy()
        before["annual_income"] = (before["annual_income"] * rng.uniform(0.8, 0.95, 400)).round(2)
        before["credit_history_age"] -= 1
        before["occupation"] = rng.permutation(before["occupation"].to_numpy())
        found.append(before)
    return found


def test_a_feed_that_lags_behind_is_recognised(months: list[pd.DataFrame]) -> None:
    """By the values of an older row, of words and of numbers; the detail says which row."""
    stored, before, older = months
    customers = pd.Series(range(len(stored)), index=stored.index)
    served = as_json(stored)
    served.iloc[:100] = as_json(before).iloc[:100]
    lagging = as_json(older)
    for given, detail in ((served, "1 row before"), (lagging, "2 rows before")):
        found = feature_skew(given, stored, customers, SkewRules(), _EVERY, [before, older])
        skewed = [each for each in found if each.verdict == Agreement.disagrees]
        assert {each.feature for each in skewed} == {
            "annual_income", "credit_history_age", "occupation",
        }  # fmt: skip
        for each in skewed:
            (rows, said) = patterns(each)[Pattern.stale]
            assert (rows, said) == (each.disagreeing, detail)


def test_only_some_requests_have_an_older_row(months: list[pd.DataFrame]) -> None:
    """The others keep their pattern; a value that equals an older one by chance has it, too."""
    stored, before, _ = months
    customers = pd.Series(range(len(stored)), index=stored.index)
    served = as_json(before)
    [income] = [
        each
        for each in feature_skew(
            served, stored, customers, SkewRules(), _EVERY, [before.iloc[:150]]
        )
        if each.feature == "annual_income"
    ]
    kinds = patterns(income)
    assert kinds[Pattern.stale] == (
        before["annual_income"].iloc[:150].notna().sum(),
        "1 row before",
    )
    assert sum(rows for rows, _ in kinds.values()) == income.disagreeing
    in_years = as_json(stored).assign(credit_history_age=stored["credit_history_age"] / 12)
    found = feature_skew(in_years, stored, customers, SkewRules(), _EVERY, months[1:])
    assert set(patterns(found[0])) == {Pattern.unit}


def test_a_row_that_the_ledger_saw_late_may_have_been_served(months: list[pd.DataFrame]) -> None:
    """Then it is the one to compare with; otherwise that which was known is."""
    newest, known, _ = months
    served = as_json(known)
    served.iloc[:50] = as_json(newest).iloc[:50]
    compared = with_later_rows(served, known, newest.iloc[:200], _EVERY)
    expected = pd.concat([newest.iloc[:50], known.iloc[50:]])
    pd.testing.assert_frame_equal(compared, expected)
    assert with_later_rows(served, known, newest.iloc[:0], _EVERY) is known
    other = served.assign(annual_income=7.0)
    kept = with_later_rows(other.iloc[50:], known.iloc[50:], newest.iloc[50:], _EVERY)
    pd.testing.assert_frame_equal(kept, known.iloc[50:])

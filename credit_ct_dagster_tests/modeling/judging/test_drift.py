"""How far columns have moved."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from credit_ct_dagster.contracts.drift import MUCH, SOME, Verdict
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.drift import (
    PREDICTION,
    feature_drift,
    prediction_drift,
    psi,
)

_words = st.lists(st.sampled_from("abc"), min_size=1, max_size=30).map(pd.Series)


def test_psi_of_known_shares() -> None:
    """Half and half against nine tenths and one: worked out by hand."""
    reference, current = pd.Series(["a", "b"] * 50), pd.Series(["a"] * 90 + ["b"] * 10)
    expected = (0.9 - 0.5) * np.log(0.9 / 0.5) + (0.1 - 0.5) * np.log(0.1 / 0.5)
    assert psi(reference, current) == pytest.approx(expected)


@given(_words, _words)
def test_psi_is_symmetric_and_zero_only_without_change(one: pd.Series, other: pd.Series) -> None:
    """Whatever the words, and in whatever shares."""
    assert psi(one, other) == pytest.approx(psi(other, one))
    assert psi(one, other) >= 0
    assert psi(one, one) == 0


def test_verdicts_include_their_threshold() -> None:
    """At a threshold, the higher verdict counts."""
    assert [Verdict.of(index) for index in (0.0, SOME, MUCH)] == [*Verdict]


def test_the_same_rows_have_not_moved(raw_rows: pd.DataFrame) -> None:
    """Every feature of the schema is compared, and is stable."""
    found = feature_drift(raw_rows, raw_rows)
    assert {each.column for each in found} == set(schema.FEATURES)
    assert all(each.psi == 0 and each.verdict == Verdict.stable for each in found)
    assert all(each.ks == 0 for each in found if each.column in schema.NUMERIC)


def test_what_moved_comes_first(raw_rows: pd.DataFrame) -> None:
    """A shifted number, a word that replaced others, and values that went missing are found."""
    moved = raw_rows.assign(annual_income=raw_rows["annual_income"] * 2, credit_mix="Bad")
    moved.loc[moved.index[: len(moved) // 2], "monthly_balance"] = None
    found = {each.column: each for each in feature_drift(raw_rows, moved)}
    much = [name for name, each in found.items() if each.verdict == Verdict.much]
    assert set(much) == {"annual_income", "credit_mix", "monthly_balance"}
    assert list(found)[:3] == much
    assert found["annual_income"].ks is not None
    assert found["annual_income"].ks > 0.2
    assert found["credit_mix"].ks is None


def test_bins_are_those_of_the_reference() -> None:
    """A column of one value has one bin below it and one above; nothing divides by zero."""
    frame = pd.DataFrame({name: [1.0] * 20 for name in schema.NUMERIC})
    frame = frame.assign(**dict.fromkeys(schema.WORDS, "x"))
    other = frame.assign(age=2.0, annual_income=np.nan)
    found = {each.column: each for each in feature_drift(frame, other)}
    assert found["age"].verdict == found["annual_income"].verdict == Verdict.much
    assert found["annual_income"].ks is None
    assert found["num_of_loan"].psi == 0


def test_features_that_the_reference_lacks_are_left_out(raw_rows: pd.DataFrame) -> None:
    """A champion may be older than a feature; one without any value is compared all the same."""
    found = feature_drift(raw_rows.drop(columns=["age", "credit_mix"]), raw_rows)
    assert {each.column for each in found} == set(schema.FEATURES) - {"age", "credit_mix"}
    [moved, *_] = feature_drift(raw_rows.assign(age=np.nan), raw_rows)
    assert (moved.column, moved.verdict, moved.ks) == ("age", Verdict.much, None)


def test_predictions_move_too() -> None:
    """Shares of classes are compared as shares of words are."""
    same = prediction_drift(np.array(["Poor", "Good"]), np.array(["Good", "Poor"]))
    assert (same.column, same.psi) == (PREDICTION, 0)
    shifted = prediction_drift(np.array(["Poor", "Good"] * 9), np.array(["Good"] * 18))
    assert shifted.verdict == Verdict.much


def test_a_blank_word_has_not_moved_from_a_missing_one(raw_rows: pd.DataFrame) -> None:
    """The same rows, loaded by another program, do not drift."""
    blank = raw_rows.assign(**{name: raw_rows[name].fillna(" ") for name in schema.WORDS})
    assert all(each.psi == 0 for each in feature_drift(raw_rows, blank))

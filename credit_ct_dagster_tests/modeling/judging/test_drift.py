"""How far columns have moved."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import fisher_exact

from credit_ct_dagster.contracts.drift import MUCH, SIGNIFICANCE, SOME, Verdict
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.drift import (
    PREDICTION,
    feature_drift,
    model_drift,
    prediction_drift,
)


def test_verdicts_include_their_threshold() -> None:
    """At a threshold, the higher verdict counts; at the level of the test, the lower one."""
    certain, chance = SIGNIFICANCE / 2, SIGNIFICANCE
    stable, uncertain, some, much = Verdict
    assert [Verdict.of(psi, certain) for psi in (0.0, SOME, MUCH)] == [stable, some, much]
    assert [Verdict.of(psi, chance) for psi in (0.0, SOME, MUCH)] == [stable, uncertain, uncertain]
    assert [Verdict.of(psi, None) for psi in (0.0, SOME, MUCH)] == [stable, some, much]
    assert [each.is_drift for each in Verdict] == [False, False, True, True]


def test_the_same_rows_have_not_moved(raw_rows: pd.DataFrame) -> None:
    """Every feature of the schema is compared, and is stable."""
    found = feature_drift(raw_rows, raw_rows)
    assert {each.column for each in found} == set(schema.FEATURES)
    assert all(each.psi == 0 and each.verdict == Verdict.stable for each in found)
    assert all(each.p_value == 1.0 and each.respelled == 0 for each in found)
    assert all(each.missing is not None and each.missing.psi == 0 for each in found)
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


def test_missing_values_are_compared_apart_from_the_others(raw_rows: pd.DataFrame) -> None:
    """Values that went missing at random have not moved, but their share has, by 19 points."""
    half = raw_rows.iloc[::2]
    some = raw_rows.iloc[1::2].assign(credit_mix=lambda rows: rows["credit_mix"].copy())
    some.loc[some.index[::5], ["credit_mix", "annual_income"]] = None
    found = {each.column: each for each in feature_drift(half, some)}
    for name in ("credit_mix", "annual_income"):
        drift = found[name]
        assert drift.missing is not None
        assert drift.psi < SOME
        assert drift.missing.reference < 0.01
        assert drift.missing.current == pytest.approx(0.2, abs=0.01)
        assert drift.missing.verdict == drift.verdict == Verdict.much
        assert drift.sentence.startswith(f"{name} (missing in 20.")
        assert (drift.reference_rows, drift.rows) == (
            half[name].notna().sum(), some[name].notna().sum()
        )  # fmt: skip


def test_bins_are_those_of_the_reference() -> None:
    """A column of one value has one bin below it and one above; nothing divides by zero."""
    frame = pd.DataFrame({name: [1.0] * 20 for name in schema.NUMERIC})
    frame = frame.assign(**dict.fromkeys(schema.WORDS, "x"))
    other = frame.assign(age=2.0, annual_income=np.nan)
    found = {each.column: each for each in feature_drift(frame, other)}
    assert found["age"].verdict == found["annual_income"].verdict == Verdict.much
    assert found["annual_income"].ks is None
    assert found["annual_income"].psi == 0
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
    few = prediction_drift(np.array(["Poor", "Good"] * 2), np.array(["Good"] * 4))
    assert few.verdict == Verdict.uncertain


def _with_ages(*ages: float) -> pd.DataFrame:
    frame = pd.DataFrame({name: [1.0] * len(ages) for name in schema.NUMERIC})
    return frame.assign(**dict.fromkeys(schema.WORDS, "x"), age=ages)


@pytest.mark.parametrize(("other", "distance"), [(20.0, 0.0), (30.0, 1.0)])
def test_two_single_rows_tell_nothing(other: float, distance: float) -> None:
    """Whatever they hold: the tests have no evidence, and no warning of a library is raised."""
    found = {each.column: each for each in feature_drift(_with_ages(20.0), _with_ages(other))}
    assert (found["age"].ks, found["age"].ks_p_value) == (distance, 1.0)
    assert not any(each.verdict.is_drift for each in found.values())


def test_infinite_numbers_are_the_largest_and_the_smallest() -> None:
    """A bin is theirs where a tenth of the rows is infinite; nothing is computed from them."""
    reference = _with_ages(*([-np.inf] * 50), *np.linspace(20, 60, 100), *([np.inf] * 50))
    large = _with_ages(*([-1.7e308] * 50), *np.linspace(20, 60, 100), *([1.7e308] * 50))
    for before, after in ((reference, reference), (reference, large), (large, reference)):
        [age] = [each for each in feature_drift(before, after) if each.column == "age"]
        assert (age.psi, age.ks, age.verdict) == (0.0, 0.0, Verdict.stable)
    finite = _with_ages(*np.linspace(20, 60, 200))
    [age] = [each for each in feature_drift(reference, finite) if each.column == "age"]
    assert (age.verdict, age.ks) == (Verdict.much, pytest.approx(0.25, abs=0.01))


def test_all_tests_of_a_report_are_adjusted_for_together(raw_rows: pd.DataFrame) -> None:
    """The shares of the classes, of every feature, and of the missing values that there are."""
    moved = raw_rows.iloc[::2].assign(age=lambda rows: rows["age"] + 1)
    classes = [rows[schema.TARGET].to_numpy(dtype=str) for rows in (raw_rows, moved)]
    classes[1][:300] = "Good"
    first, *features = model_drift(raw_rows, moved, *classes)
    assert first.column == PREDICTION
    with_missing = sum(1 for each in features if raw_rows[each.column].isna().any())
    by_itself = prediction_drift(*classes)
    assert by_itself.p_value is not None
    tests = 1 + len(schema.FEATURES) + with_missing
    assert with_missing > 2
    assert first.p_value == pytest.approx(tests * by_itself.p_value)
    [age] = [each for each in features if each.column == "age"]
    [of_features] = [each for each in feature_drift(raw_rows, moved) if each.column == "age"]
    assert age.p_value == pytest.approx(min(1.0, (of_features.p_value or 0) * tests / (tests - 1)))


def test_halves_of_small_windows_have_not_drifted(raw_rows: pd.DataFrame) -> None:
    """140 rows against 140 others of the same population: a PSI of 0.10 or more is chance."""
    drawn = raw_rows.sample(280, random_state=0)
    found = feature_drift(drawn.iloc[:140], drawn.iloc[140:])
    beyond = [each for each in found if each.psi >= SOME]
    assert len(beyond) > 3
    assert all(each.verdict == Verdict.uncertain for each in beyond)
    assert not any(each.verdict.is_drift for each in found)


def test_a_blank_word_has_not_moved_from_a_missing_one(raw_rows: pd.DataFrame) -> None:
    """The same rows, loaded by another program, do not drift."""
    blank = raw_rows.assign(**{name: raw_rows[name].fillna(" ") for name in schema.WORDS})
    assert all(each.psi == 0 for each in feature_drift(raw_rows, blank))
    assert all(
        each.missing is not None and each.missing.psi == 0
        for each in feature_drift(raw_rows, blank)
    )


def test_another_spelling_is_not_drift_and_is_reported(raw_rows: pd.DataFrame) -> None:
    """Letter case, and blanks around and between words, in lists too; the share of rows is said."""
    rows = raw_rows.dropna(subset=schema.WORDS)
    spelled = rows.assign(
        type_of_loan=rows["type_of_loan"].str.upper().str.replace(",", " , "),
        occupation=rows["occupation"].where(
            rows.index % 2 == 0, " " + rows["occupation"].str.lower()
        ),
    )
    found = {each.column: each for each in feature_drift(rows, spelled)}
    assert all(each.psi == 0 and each.verdict == Verdict.stable for each in found.values())
    assert found["type_of_loan"].respelled == 1.0
    assert found["occupation"].respelled == pytest.approx((rows.index % 2 == 1).mean(), abs=1e-9)
    assert found["credit_mix"].respelled == 0


def test_lists_are_counted_by_row() -> None:
    """Ten loans of one kind in a row are one row that has this kind."""

    def frame(loans: list[str]) -> pd.DataFrame:
        return pd.DataFrame({"type_of_loan": loans})

    few = frame(["auto,home"] * 30 + ["home"] * 70)
    [same] = feature_drift(few, frame(["auto,auto,auto,home"] * 30 + ["home,home"] * 70))
    assert (same.psi, same.p_value, same.rows) == (0, 1.0, 100)
    [more] = feature_drift(few, frame(["auto,home"] * 60 + ["home"] * 40))
    assert more.psi == pytest.approx(0.3 * np.log(2) - 0.3 * np.log(4 / 7))
    assert more.verdict == Verdict.much
    [spelled] = feature_drift(few, frame(["auto AND home"] * 30 + ["home"] * 70))
    assert (spelled.psi, spelled.respelled) == (0, 0.0)  # as a model counts it
    # Of both kinds, auto moved more; the test is adjusted for two.
    [one] = feature_drift(few[:30], frame(["auto,home"] * 30))
    assert (one.psi, one.p_value) == (0, 1.0)
    assert more.p_value is not None
    assert more.p_value == pytest.approx(2 * fisher_exact([[30, 70], [60, 40]]).pvalue)


def test_rare_things_of_lists_count_as_one() -> None:
    """A hundred things that nobody had before are one thing that a hundred rows have."""
    few = pd.DataFrame({"type_of_loan": ["home"] * 200})
    other = pd.DataFrame({"type_of_loan": [f"home,kind {n}" for n in range(100)] + ["home"] * 100})
    [drift] = feature_drift(few, other)
    assert drift.verdict == Verdict.much
    assert drift.p_value == pytest.approx(2 * fisher_exact([[0, 200], [100, 100]]).pvalue)

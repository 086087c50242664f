"""Which rows are accepted, which are quarantined, and why."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from credit_ct_dagster.errors.inputs import RowTypesError
from credit_ct_dagster.loading.sample_data import generate
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.rows.quarantine import REASONS, check_rows, pandera_schema
from credit_ct_dagster.modeling.rows.row_rules import BOUNDS, Bounds, RowRules


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Merged rows that satisfy every rule."""
    labels, features = generate(1_000, date(2025, 8, 31), seed=0)
    merged = labels.merge(features, on=schema.KEY).assign(**{schema.BASE_DATE: "2025-08-31"})
    return merged[schema.MERGED_COLUMNS].astype(dict.fromkeys(schema.NUMERIC, "float64"))


def test_sample_rows_satisfy_every_rule(rows: pd.DataFrame) -> None:
    """All are accepted, and the quarantine is an empty table with all columns."""
    found = check_rows(rows, RowRules())
    pd.testing.assert_frame_equal(found.accepted, rows)
    assert found.quarantined.columns.tolist() == [*schema.MERGED_COLUMNS, REASONS]
    assert found.quarantined.empty
    assert found.sentence() == "All 1,000 rows satisfy every rule."


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("age", 13.9, "age must be 14 to 120"),
        ("age", 121.0, "age must be 14 to 120"),
        ("num_of_loan", -1.0, "num_of_loan must be 0 to 100"),
        ("interest_rate", 5797.0, "interest_rate must be 0 to 100"),
        ("annual_income", np.inf, "annual_income must be 0 to 1,000,000,000"),
        ("credit_mix", "_", "credit_mix must be Bad, Standard or Good"),
        ("payment_of_min_amount", "yes", "payment_of_min_amount must be Yes, No or NM"),
        ("credit_score", "Great", "credit_score must be Poor, Standard or Good"),
        ("credit_score", None, "credit_score must not be NULL"),
        ("date", "2025-02-29", "date must be a day that exists, YYYY-MM-DD"),
        ("date", "2025-2-3", "date must be a day that exists, YYYY-MM-DD"),
        ("payment_behaviour", "x" * 51, "payment_behaviour must have at most 50 characters"),
    ],
)
def test_a_broken_row_is_quarantined_with_its_reason(
    rows: pd.DataFrame, column: str, value: object, reason: str
) -> None:
    """The other rows are accepted as they are."""
    broken = rows.copy()
    broken.loc[7, column] = value
    found = check_rows(broken, RowRules())
    assert found.quarantined["id"].tolist() == [rows.loc[7, "id"]]
    assert found.quarantined[REASONS].tolist() == [reason]
    assert found.per_rule == {reason: 1}
    pd.testing.assert_frame_equal(found.accepted, rows.drop(index=7).reset_index(drop=True))


@pytest.mark.parametrize("column", schema.FEATURES)
def test_an_absent_feature_breaks_no_rule(rows: pd.DataFrame, column: str) -> None:
    """Every feature may be NULL."""
    absent = rows.copy()
    absent.loc[3, column] = None
    assert check_rows(absent, RowRules()).quarantined.empty


def test_a_negative_delay_is_a_payment_in_advance(rows: pd.DataFrame) -> None:
    """So it is accepted."""
    early = rows.assign(delay_from_due_date=-5.0)
    assert check_rows(early, RowRules()).quarantined.empty


def test_every_rule_that_a_row_breaks_is_counted(rows: pd.DataFrame) -> None:
    """The summary has the most broken rules first, and no value of a row."""
    broken = rows.copy()
    broken.loc[[1, 2], ["age", "credit_mix"]] = [-500, "?"]
    broken.loc[2, "num_of_loan"] = -100
    broken.loc[4, ["id", schema.CUSTOMER]] = broken.loc[5, ["id", schema.CUSTOMER]]
    found = check_rows(broken, RowRules())
    assert found.per_rule == {
        "age must be 14 to 120": 2,
        "credit_mix must be Bad, Standard or Good": 2,
        "id and customer_id must occur once": 2,
        "num_of_loan must be 0 to 100": 1,
    }
    assert found.quarantined_share == pytest.approx(0.004)
    assert "4 of 1,000 rows (0.40%) break a rule" in found.sentence()
    assert "age must be 14 to 120 (2 rows)" in found.sentence()
    for name in ("id", schema.CUSTOMER):
        assert not any(value in found.sentence() for value in found.quarantined[name])


@given(
    low=st.none() | st.floats(-1e6, 1e6), high=st.none() | st.floats(-1e6, 1e6), shown=st.floats()
)
def test_bounds_include_both_ends(low: float | None, high: float | None, shown: float) -> None:
    """A value is inside exactly when it is finite, not below low, and not above high."""
    if low is not None and high is not None and low > high:
        with pytest.raises(ValidationError, match="must not lie above"):
            Bounds(low=low, high=high)
        return
    rules = RowRules(bounds={"age": Bounds(low=low, high=high)})
    column = pandera_schema(rules).columns["age"]
    frame = pd.DataFrame({"age": [shown]})
    inside = np.isnan(shown) or (
        np.isfinite(shown) and (low is None or shown >= low) and (high is None or shown <= high)
    )
    if inside:
        column.validate(frame)
    else:
        with pytest.raises(Exception, match="age must be"):
            column.validate(frame)


def test_bounds_are_configuration(rows: pd.DataFrame) -> None:
    """They replace the platform's own; those of an unknown column are refused."""
    adults = RowRules(bounds={"age": Bounds(low=18, high=120)})
    found = check_rows(rows, adults)
    assert len(found.quarantined) == (rows["age"] < 18).sum() > 0
    with pytest.raises(ValidationError, match="bounds name shoe_size"):
        RowRules(bounds={"shoe_size": Bounds()})


def test_bounds_are_of_numbers() -> None:
    """A misspelt column would have none; a number without bounds accepts every finite value."""
    assert set(BOUNDS) <= set(schema.NUMERIC)
    assert str(RowRules().bounds_of("no such column")) == "any number"


def test_a_table_of_another_form_is_refused(rows: pd.DataFrame) -> None:
    """The columns that are missing, or of another type, are named."""
    with pytest.raises(RowTypesError, match="type: age"):
        check_rows(rows.drop(columns="age"), RowRules())
    with pytest.raises(RowTypesError, match="type: age"):
        check_rows(rows.assign(age="young"), RowRules())


@pytest.mark.parametrize("word", ["NULL", r"\N", "nan", "None"])
@pytest.mark.parametrize("column", ["occupation", "credit_mix", "type_of_loan"])
def test_words_for_a_missing_value_are_named(rows: pd.DataFrame, column: str, word: str) -> None:
    """They are not taken for an occupation, or for a kind of loan."""
    broken = rows.copy()
    broken.loc[7, column] = word
    found = check_rows(broken, RowRules())
    assert found.quarantined["id"].tolist() == [rows.loc[7, "id"]]
    assert f"{column} must be NULL, not a word such as 'NULL'" in found.quarantined[REASONS][0]


@pytest.mark.parametrize("blank", ["", " ", "\r", "\t \n"])
def test_a_blank_word_is_missing(rows: pd.DataFrame, blank: str) -> None:
    """It breaks no rule, in a column with a list of words neither; the given rows do not change."""
    given_rows = rows.copy()
    given_rows.loc[7, schema.WORDS] = blank
    found = check_rows(given_rows, RowRules())
    assert found.quarantined.empty
    assert found.accepted.loc[7, schema.WORDS].isna().all()
    assert (given_rows.loc[7, schema.WORDS] == blank).all()


def test_blanks_around_a_word_do_not_make_it_another_one(rows: pd.DataFrame) -> None:
    """A line end that a wrong `LOAD DATA` left in the last column."""
    given_rows = rows.copy()
    given_rows["credit_mix"] = given_rows["credit_mix"] + "\r"
    found = check_rows(given_rows, RowRules())
    assert found.quarantined.empty
    pd.testing.assert_series_equal(found.accepted["credit_mix"], rows["credit_mix"])


@pytest.mark.parametrize("label", ["Good\r", "Good ", " Good"])
def test_a_label_with_a_blank_or_a_line_end_is_named(rows: pd.DataFrame, label: str) -> None:
    """It looks right in every client, so the reason shows what to look for."""
    broken = rows.copy()
    broken.loc[7, "credit_score"] = label
    reasons = check_rows(broken, RowRules()).quarantined[REASONS][0]
    assert r"no blank or line end around its word, as in 'Good\r'" in reasons

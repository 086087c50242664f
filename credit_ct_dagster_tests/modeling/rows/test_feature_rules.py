"""Which feature rows may be scored: by the rules that training rows satisfy."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from credit_ct_dagster.errors.inputs import RowTypesError
from credit_ct_dagster.loading.sample_data import generate
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.rows.quarantine import REASONS, check_features, check_rows
from credit_ct_dagster.modeling.rows.row_rules import Bounds, RowRules


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Feature rows that satisfy every rule."""
    _, features = generate(300, date(2025, 8, 31), seed=0)
    found = features[[*schema.KEY, *schema.FEATURES]]
    exists = pd.to_datetime(found["date"], errors="coerce").notna()
    return found[exists].reset_index(drop=True)


def _spoiled(rows: pd.DataFrame) -> pd.DataFrame:
    spoiled = rows.copy()
    spoiled.loc[3, "age"] = 900.0
    spoiled.loc[4, "credit_mix"] = "_"
    spoiled.loc[5, "annual_income"] = np.inf
    spoiled.loc[6, "payment_behaviour"] = "None"
    spoiled.loc[7, "date"] = "2025-02-29"
    return spoiled


def test_rows_without_label_are_checked(rows: pd.DataFrame) -> None:
    """Neither a label nor a base date is needed."""
    found = check_features(rows, RowRules())
    pd.testing.assert_frame_equal(found.accepted, rows)
    assert found.quarantined.columns.tolist() == [*schema.KEY, *schema.FEATURES, REASONS]


def test_scoring_refuses_what_training_refuses(rows: pd.DataFrame) -> None:
    """With the same reasons, by the same bounds."""
    rules = RowRules(bounds={"age": Bounds(low=20, high=60)})
    features = _spoiled(rows)
    labelled = features.assign(**{schema.BASE_DATE: "2025-08-31", schema.TARGET: "Good"})
    training = check_rows(labelled[schema.MERGED_COLUMNS], rules)
    scoring = check_features(features, rules)
    assert len(scoring.quarantined) >= 5
    pd.testing.assert_frame_equal(
        scoring.quarantined, training.quarantined[scoring.quarantined.columns]
    )
    assert scoring.per_rule == training.per_rule


def test_rows_with_one_key_are_all_refused(rows: pd.DataFrame) -> None:
    """Which of them is right cannot be known; months of one customer differ in their key."""
    twice = pd.concat([rows, rows.iloc[[2]]])
    found = check_features(twice, RowRules())
    assert found.per_rule == {"id, customer_id and date must occur once": 2}
    other_month = rows.iloc[[2]].assign(date="2025-01-31")
    assert check_features(pd.concat([rows, other_month]), RowRules()).quarantined.empty


def test_an_absent_column_is_named(rows: pd.DataFrame) -> None:
    """With the table that has to be corrected."""
    with pytest.raises(RowTypesError, match=r"rows are missing .*: age\. Correct the table"):
        check_features(rows.drop(columns="age"), RowRules())

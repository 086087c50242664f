"""Scaling and missing values."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import RobustScaler

from credit_ct_dagster.contracts.splits import ScalersRecord
from credit_ct_dagster.errors.inputs import UnusableRowsError
from credit_ct_dagster.loading.sample_data import generate
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.rows.preparation import (
    fit_scalers,
    prepare,
    record_of,
    restore,
    scalers_fingerprint,
    scalers_of,
)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Raw features with missing numbers and words."""
    return generate(2_000, date(2025, 8, 31), seed=0)[1]


def test_scaled_values_are_scikit_learns(rows: pd.DataFrame) -> None:
    """Each column equals one RobustScaler over all columns, to 1e-9, NaN included."""
    train = rows.head(1_000)
    expected = RobustScaler().fit(train[schema.NUMERIC]).transform(rows[schema.NUMERIC])
    prepared = prepare(rows, fit_scalers(train))[schema.NUMERIC].to_numpy()
    np.testing.assert_allclose(prepared, expected, rtol=0, atol=1e-9, equal_nan=True)
    assert np.isnan(prepared).any()


def test_scalers_are_a_dict_by_column(rows: pd.DataFrame) -> None:
    """As other systems load it: one fitted scaler per numeric column."""
    scalers = fit_scalers(rows)
    assert list(scalers) == schema.NUMERIC
    assert scalers["age"].transform(pd.DataFrame({"age": [rows["age"].median()]})) == 0


def test_scalers_read_from_their_record_scale_the_same(rows: pd.DataFrame) -> None:
    """What is read back is data, to the last bit; a scaler that is not finite stays one."""
    scalers = fit_scalers(rows.head(1_000))
    stored = ScalersRecord.from_json(record_of(scalers).to_json(), "robust_scaler.json")
    read = scalers_of(stored)
    assert scalers_fingerprint(read) == scalers_fingerprint(scalers)
    pd.testing.assert_frame_equal(prepare(rows, read), prepare(rows, scalers))
    scalers["age"].scale_[0] = np.inf
    assert np.isnan(scalers_of(record_of(scalers))["age"].scale_[0])


def test_only_words_and_numbers_change(rows: pd.DataFrame) -> None:
    """Missing words are replaced, other columns and the input stay unchanged."""
    before = rows.copy()
    prepared = prepare(rows, fit_scalers(rows))
    assert not prepared[schema.WORDS].isna().any(axis=None)
    absent = rows["type_of_loan"].isna()
    assert (prepared.loc[absent, "type_of_loan"] == schema.MISSING_WORD).all()
    pd.testing.assert_frame_equal(prepared[schema.KEY], rows[schema.KEY])
    pd.testing.assert_frame_equal(rows, before)


def test_a_column_without_a_value_is_refused(rows: pd.DataFrame) -> None:
    """A scaler cannot be fitted to nothing; the column is named."""
    with pytest.raises(UnusableRowsError, match="row has a value of age, interest_rate"):
        fit_scalers(rows.assign(age=np.nan, interest_rate=np.nan))


def test_restoring_undoes_preparing(rows: pd.DataFrame) -> None:
    """Words and missing values are restored exactly, numbers up to the last digit."""
    scalers = fit_scalers(rows.head(500))
    restored = restore(prepare(rows, scalers), scalers)
    for column in schema.WORDS:
        assert restored[column].isna().equals(rows[column].isna())
        assert restored[column].dropna().equals(rows[column].dropna())
    pd.testing.assert_frame_equal(
        restored[schema.NUMERIC], rows[schema.NUMERIC].astype(float), rtol=1e-12
    )


def test_blank_words_are_prepared_as_missing_ones(rows: pd.DataFrame) -> None:
    """Whatever table or program they come from, in training and in prediction."""
    some = rows.head(4).assign(occupation=["", " ", "Writer\r", None])
    prepared = prepare(some, fit_scalers(rows))
    missing = schema.MISSING_WORD
    assert prepared["occupation"].tolist() == [missing, missing, "Writer", missing]

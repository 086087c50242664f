"""From raw rows to what the model takes: scaled numbers, no missing words."""

from collections.abc import Mapping
from hashlib import blake2b
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from credit_ct_dagster.contracts.splits import Scale, ScalersRecord
from credit_ct_dagster.errors.inputs import UnusableRowsError
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.rows.missing import with_blanks_missing

if TYPE_CHECKING:
    from sklearn.preprocessing import RobustScaler

Scalers = Mapping[str, "RobustScaler"]


def fit_scalers(train: pd.DataFrame) -> dict[str, "RobustScaler"]:
    """Fit one RobustScaler per numeric feature, on training rows only.

    Raises:
        UnusableRowsError: A feature has no value at all.
    """
    # scikit-learn takes a second to import; definitions import this module.
    from sklearn.preprocessing import RobustScaler

    absent = [column for column in schema.NUMERIC if train[column].isna().all()]
    if absent:
        raise UnusableRowsError(
            f"No training row has a value of {', '.join(absent)}: load feature rows that have one"
            " (credit-ct load), then run this base date again."
        )
    return {column: RobustScaler().fit(train[[column]]) for column in schema.NUMERIC}


def scalers_fingerprint(scalers: Scalers) -> str:
    """A hash of what the scalers were fitted to, 32 hexadecimal digits."""
    learned = np.array([[s.center_[0], s.scale_[0]] for s in scalers.values()])
    return blake2b("\n".join(scalers).encode() + learned.tobytes(), digest_size=16).hexdigest()


def record_of(scalers: Scalers) -> ScalersRecord:
    """What scalers learned, as data: unlike a pickle, it can be read without executing anything."""
    return ScalersRecord(
        columns={
            column: Scale(center=_finite(scaler.center_[0]), scale=_finite(scaler.scale_[0]))
            for column, scaler in scalers.items()
        }
    )


def scalers_of(record: ScalersRecord) -> dict[str, "RobustScaler"]:
    """The scalers that a record describes, equal to those that were fitted."""
    from sklearn.preprocessing import RobustScaler

    scalers = {}
    for column, learned in record.columns.items():
        scaler = RobustScaler()
        scaler.center_ = np.array([np.nan if learned.center is None else learned.center])
        scaler.scale_ = np.array([np.nan if learned.scale is None else learned.scale])
        scaler.n_features_in_ = 1
        scaler.feature_names_in_ = np.array([column], dtype=object)
        scalers[column] = scaler
    return scalers


def _finite(value: float) -> float | None:
    return float(value) if isfinite(value) else None


def prepare(rows: pd.DataFrame, scalers: Scalers) -> pd.DataFrame:
    """Scale the numbers and replace the missing words; other columns pass through.

    Args:
        rows: Raw rows with the columns `schema.FEATURES`, among others.
        scalers: One fitted scaler per numeric feature.

    Returns:
        A new frame. Missing numbers stay NaN; missing words, and blank ones, become
        `schema.MISSING_WORD`.
    """
    words = with_blanks_missing(rows[schema.WORDS]).astype(object)
    return rows.assign(
        **{column: scaler.transform(rows[[column]])[:, 0] for column, scaler in scalers.items()},
        **{
            column: words[column].where(words[column].notna(), schema.MISSING_WORD)
            for column in words
        },
    )


def restore(rows: pd.DataFrame, scalers: Scalers) -> pd.DataFrame:
    """Invert `prepare`, up to the last digit of a number.

    Args:
        rows: Prepared rows, perhaps of a release whose schema lacked some of the words.
        scalers: Those that they were prepared with.
    """
    return rows.assign(
        **{
            column: scaler.inverse_transform(rows[[column]].to_numpy())[:, 0]
            for column, scaler in scalers.items()
        },
        **{
            column: rows[column].astype(object).where(rows[column] != schema.MISSING_WORD, None)
            for column in schema.WORDS
            if column in rows
        },
    )

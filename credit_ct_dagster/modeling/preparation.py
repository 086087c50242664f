"""From raw rows to what the model takes: scaled numbers, no missing words."""

from collections.abc import Mapping
from hashlib import blake2b

import numpy as np
import pandas as pd
from sklearn.preprocessing import RobustScaler

from credit_ct_dagster.errors import DataError
from credit_ct_dagster.modeling import schema

Scalers = Mapping[str, RobustScaler]


def fit_scalers(train: pd.DataFrame) -> dict[str, RobustScaler]:
    """Fit one RobustScaler per numeric feature, on training rows only.

    Raises:
        DataError: A feature has no value at all.
    """
    absent = [column for column in schema.NUMERIC if train[column].isna().all()]
    if absent:
        raise DataError(f"No training row has a value of {', '.join(absent)}.")
    return {column: RobustScaler().fit(train[[column]]) for column in schema.NUMERIC}


def scalers_fingerprint(scalers: Scalers) -> str:
    """A hash of what the scalers learned, 32 hexadecimal digits."""
    learned = np.array([[s.center_[0], s.scale_[0]] for s in scalers.values()])
    return blake2b("\n".join(scalers).encode() + learned.tobytes(), digest_size=16).hexdigest()


def prepare(rows: pd.DataFrame, scalers: Scalers) -> pd.DataFrame:
    """Scale the numbers and name the missing words; other columns pass through.

    Args:
        rows: Raw rows with the columns `schema.FEATURES`, among others.
        scalers: One fitted scaler per numeric feature.

    Returns:
        A new frame. Missing numbers stay NaN, missing words become `schema.MISSING_WORD`.
    """
    words = rows[schema.WORDS].astype(object)
    return rows.assign(
        **{column: scaler.transform(rows[[column]])[:, 0] for column, scaler in scalers.items()},
        **{
            column: words[column].where(words[column].notna(), schema.MISSING_WORD)
            for column in words
        },
    )


def restore(rows: pd.DataFrame, scalers: Scalers) -> pd.DataFrame:
    """Undo `prepare`, up to the last digit of a number.

    Args:
        rows: Prepared rows.
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
        },
    )

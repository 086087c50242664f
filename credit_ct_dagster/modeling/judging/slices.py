"""Groups of customers in which a model is measured separately."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from credit_ct_dagster.contracts.assessment import Slice
from credit_ct_dagster.modeling import schema

_FAVOURABLE = "Good"
_BANDS = [0, 25, 35, 45, 55, np.inf]
_BAND_NAMES = ["0 to 24", "25 to 34", "35 to 44", "45 to 54", "55 and over"]
_UNKNOWN = "unknown"


def age_band(rows: pd.DataFrame) -> pd.Series:
    """The age band per raw row, as text."""
    bands = pd.cut(rows["age"], _BANDS, right=False, labels=_BAND_NAMES)
    return bands.astype(object).where(bands.notna(), _UNKNOWN).rename("age band")


def occupation(rows: pd.DataFrame) -> pd.Series:
    """The occupation per raw row, as text."""
    words = rows["occupation"]
    return words.where(words.notna(), _UNKNOWN)


SLICES: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "age band": age_band,
    "occupation": occupation,
}


def slices_of(rows: pd.DataFrame, predicted: np.ndarray, min_rows: int) -> list[Slice]:
    """Measure a model in every group.

    Args:
        rows: Labelled raw rows.
        predicted: Classes, shape (rows,).
        min_rows: The disparate impact of others is not measured against smaller groups.
    """
    right = predicted == rows[schema.TARGET].to_numpy(dtype=str)
    seen = pd.DataFrame({"right": right, "good": predicted == _FAVOURABLE}, index=rows.index)
    found = []
    for kind, slice_of in SLICES.items():
        groups = seen.groupby(slice_of(rows)).agg(
            rows=("right", "size"), accuracy=("right", "mean"), good=("good", "mean")
        )
        highest = groups.loc[groups["rows"] >= min_rows, "good"].max()
        for name, group in groups.iterrows():
            found.append(
                Slice(
                    kind=kind,
                    name=str(name),
                    rows=int(group["rows"]),
                    accuracy=float(group["accuracy"]),
                    favourable=float(group["good"]),
                    disparate_impact=float(group["good"] / highest) if highest > 0 else None,
                )
            )
    return found

"""Groups of customers that a model is looked at in by themselves."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

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


@dataclass(frozen=True)
class Slice:
    """How a model does in one group.

    Attributes:
        kind: Of `SLICES`.
        name: The group.
        rows: In it.
        accuracy: Share of right predictions.
        favourable: Share that is predicted "Good".
        disparate_impact: That share, divided by the highest of its kind among groups with enough
            rows; below 0.8 is commonly taken as adverse impact (29 CFR 1607.4 D). None when nobody
            is predicted "Good".
    """

    kind: str
    name: str
    rows: int
    accuracy: float
    favourable: float
    disparate_impact: float | None


def slices_of(rows: pd.DataFrame, predicted: np.ndarray, min_rows: int) -> list[Slice]:
    """Measure a model in every group.

    Args:
        rows: Labelled raw rows.
        predicted: Classes, shape (rows,).
        min_rows: Smaller groups are no yardstick for others.
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
            impact = float(group["good"] / highest) if highest > 0 else None
            found.append(
                Slice(
                    kind,
                    str(name),
                    int(group["rows"]),
                    float(group["accuracy"]),
                    float(group["good"]),
                    impact,
                )
            )
    return found

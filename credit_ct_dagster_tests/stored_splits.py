"""Splits as a run stores them, of few rows: what judges models, without training one."""

from collections.abc import Mapping, Sequence

import pandas as pd

from credit_ct_dagster.contracts.files import (
    MERGED_ROWS_FILE,
    PREPROCESSING_FOLDER,
    QUARANTINE_FILE,
    SCALERS_FILE,
    SCALERS_FOLDER,
    SPLIT_FILES,
    SPLITS_SUMMARY_FILE,
)
from credit_ct_dagster.contracts.splits import Quarantine, Scale, ScalersRecord, SplitsSummary
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.rows.splitting import data_fingerprint


def rows_of(base_dt: str, customers: Sequence[int]) -> pd.DataFrame:
    """A raw row per customer, labelled on the base date itself."""
    count = len(customers)
    values = {
        schema.BASE_DATE: [base_dt] * count,
        "id": [f"{base_dt[2:].replace('-', '')}{number}" for number in customers],
        schema.CUSTOMER: [f"C{number}" for number in customers],
        "date": [base_dt] * count,
        **{name: [float(number) for number in customers] for name in schema.NUMERIC},
        **{name: ["a word"] * count for name in schema.WORDS},
        schema.TARGET: [schema.CLASSES[number % 3] for number in customers],
    }
    return pd.DataFrame(values)[schema.MERGED_COLUMNS]


def store_splits(
    artifacts: ArtifactsIOManager,
    base_dt: str,
    rows: pd.DataFrame | None = None,
    archive: bool = True,
) -> None:
    """Store every row in each of the splits, with scalers that change nothing.

    Args:
        artifacts: Where to.
        base_dt: The base date.
        rows: Raw rows. [default: of three customers]
        archive: Whether the merged rows are stored as well.
    """
    merged = rows_of(base_dt, [1, 2, 3]) if rows is None else rows
    files: Mapping[str, object] = {
        **dict.fromkeys(SPLIT_FILES.values(), merged),
        **({MERGED_ROWS_FILE: merged} if archive else {}),
        QUARANTINE_FILE: merged.head(0),
        SPLITS_SUMMARY_FILE: _summary(base_dt, merged),
    }
    artifacts.write(PREPROCESSING_FOLDER, base_dt, files)
    scalers = ScalersRecord(columns={name: Scale(center=0, scale=1) for name in schema.NUMERIC})
    artifacts.write(SCALERS_FOLDER, base_dt, {SCALERS_FILE: scalers})


def _summary(base_dt: str, merged: pd.DataFrame) -> SplitsSummary:
    fingerprint = data_fingerprint(merged)
    return SplitsSummary(
        base_dt=base_dt,
        window=base_dt,
        data_fingerprint=fingerprint,
        fingerprints=dict.fromkeys(SPLIT_FILES, fingerprint),
        scalers_fingerprint="",
        rows=dict.fromkeys(SPLIT_FILES, len(merged)),
        customers=dict.fromkeys(SPLIT_FILES, len(merged)),
        labels={},
        seen_share=0.85,
        quarantine=Quarantine(rows=0, share=0, max_share=0, per_rule={}, sentence=""),
        present={name: 1.0 for name in schema.FEATURES if name in merged},
    )

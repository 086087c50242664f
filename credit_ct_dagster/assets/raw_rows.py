"""The rows of a base date as they were merged, before they were prepared."""

from typing import TYPE_CHECKING

from credit_ct_dagster.contracts import files
from credit_ct_dagster.contracts.splits import ScalersRecord, SplitsSummary
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.rows.missing import with_blanks_missing
from credit_ct_dagster.partitions import LabelWindow

# pandas and scikit-learn are imported where rows are read: they take seconds.
if TYPE_CHECKING:
    import pandas as pd


def raw_rows(artifacts: ArtifactsIOManager, base_dt: str, split: str) -> "pd.DataFrame":
    """The raw rows of one split, in the order of its file; blank words are missing.

    Raises:
        MixedArtifactsError: The merged rows are not those that the splits were made from.
    """
    from credit_ct_dagster.modeling.rows.splitting import require_fingerprint

    folder = artifacts.open(files.PREPROCESSING_FOLDER, base_dt)
    prepared = folder[files.SPLIT_FILES[split]]
    if files.MERGED_ROWS_FILE not in folder:
        return _restored_from_scaled(artifacts, base_dt, prepared)
    merged = folder[files.MERGED_ROWS_FILE]
    fingerprint = folder.read(SplitsSummary).data_fingerprint
    require_fingerprint(merged, fingerprint, f"merged rows in {folder.path}")
    keys = ["id", schema.CUSTOMER]
    rows = prepared[keys].merge(merged, on=keys, how="left")[list(merged.columns)]
    return with_blanks_missing(rows)


def _restored_from_scaled(
    artifacts: ArtifactsIOManager, base_dt: str, prepared: "pd.DataFrame"
) -> "pd.DataFrame":
    """Scaled rows turned back: for base dates whose merged rows were not archived."""
    from credit_ct_dagster.modeling.rows.preparation import restore, scalers_of

    learned = artifacts.open(files.SCALERS_FOLDER, base_dt).read(ScalersRecord)
    return restore(prepared, scalers_of(learned))


def raw_holdouts(artifacts: ArtifactsIOManager, base_dt: str, windows: int) -> "list[pd.DataFrame]":
    """The holdout of a base date, and of earlier ones whose label windows do not overlap.

    Args:
        artifacts: Where the splits are.
        base_dt: The base date.
        windows: At most this many holdouts.
    """
    found = [base_dt]
    needed = (files.SPLIT_FILES["holdout"], files.SPLITS_SUMMARY_FILE)
    for earlier, folder in reversed(list(artifacts.open_all(files.PREPROCESSING_FOLDER))):
        if len(found) == windows:
            break
        # Half of an old base date, as a lifecycle rule leaves it, is no evidence.
        does_not_overlap = earlier < LabelWindow.of(found[-1]).start.isoformat()
        if does_not_overlap and all(file in folder for file in needed):
            found.append(earlier)
    return [raw_rows(artifacts, each, "holdout") for each in found]

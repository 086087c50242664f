"""The rows of a base date as they were merged, before they were prepared."""

import logging
from collections.abc import Container, Mapping, Sequence
from typing import TYPE_CHECKING

from credit_ct_dagster.contracts import files
from credit_ct_dagster.contracts.splits import ScalersRecord, SplitsSummary
from credit_ct_dagster.errors.base import CreditCtError, UnavailableError
from credit_ct_dagster.errors.inputs import UnusableRowsError
from credit_ct_dagster.errors.stores import MixedArtifactsError
from credit_ct_dagster.io_managers.artifacts import ArtifactFolder, ArtifactsIOManager
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.rows.missing import with_blanks_missing
from credit_ct_dagster.partitions import LabelWindow, exists

# pandas and scikit-learn are imported where rows are read: they take seconds.
if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

HOLDOUT_FILES = (
    files.SPLITS_SUMMARY_FILE,
    files.SPLIT_FILES["holdout"],
    files.MERGED_ROWS_FILE,
    f"encoders/{files.SCALERS_FILE}",
)
"""What `raw_holdouts` reads of a base date, below its preprocessing folder."""

_KEYS = [schema.ID, schema.CUSTOMER]

_NAMED = 3
"""So many base dates that are passed over are named, each with its reason."""


def raw_rows(artifacts: ArtifactsIOManager, base_dt: str, split: str) -> "pd.DataFrame":
    """The raw rows of one split, in the order of its file; blank words are missing.

    Raises:
        MixedArtifactsError: The split or the merged rows are not those that the summary describes.
    """
    return raw_splits(artifacts, base_dt, [split])[split]


def raw_splits(
    artifacts: ArtifactsIOManager, base_dt: str, splits: Sequence[str]
) -> "dict[str, pd.DataFrame]":
    """The raw rows of several splits, per split; see `raw_rows`. The merged rows are read once."""
    folder = artifacts.open(files.PREPROCESSING_FOLDER, base_dt)
    summary = folder.read(SplitsSummary)
    is_archived = files.MERGED_ROWS_FILE in folder
    prepared = {}
    for name in splits:
        rows = _prepared(folder, summary, name)
        # A million rows take a GiB: of those that are archived as they were, only keys are needed.
        prepared[name] = rows[_KEYS] if is_archived else rows
    return _raw(artifacts, base_dt, prepared)


def _prepared(folder: ArtifactFolder, summary: SplitsSummary, split: str) -> "pd.DataFrame":
    """The rows of a split as they were prepared, if they are those that the summary describes."""
    from credit_ct_dagster.modeling.rows.splitting import require_fingerprint

    rows = folder[files.SPLIT_FILES[split]]
    require_fingerprint(rows, summary.fingerprints.get(split, ""), f"{split} rows in {folder.path}")
    return rows


def _raw(
    artifacts: ArtifactsIOManager, base_dt: str, prepared: "Mapping[str, pd.DataFrame]"
) -> "dict[str, pd.DataFrame]":
    """What a base date's prepared rows were before; of the archive, or else scaled back."""
    from credit_ct_dagster.modeling.rows.preparation import restore, scalers_of
    from credit_ct_dagster.modeling.rows.splitting import require_fingerprint

    folder = artifacts.open(files.PREPROCESSING_FOLDER, base_dt)
    if files.MERGED_ROWS_FILE not in folder:
        learned = artifacts.open(files.SCALERS_FOLDER, base_dt).read(ScalersRecord)
        scalers = scalers_of(learned)
        return {name: restore(rows, scalers) for name, rows in prepared.items()}
    merged = folder[files.MERGED_ROWS_FILE]
    fingerprint = folder.read(SplitsSummary).data_fingerprint
    require_fingerprint(merged, fingerprint, f"merged rows in {folder.path}")
    places = merged[_KEYS].assign(place=range(len(merged)))
    return {
        name: with_blanks_missing(_same(rows, merged, places)) for name, rows in prepared.items()
    }


def _same(rows: "pd.DataFrame", merged: "pd.DataFrame", places: "pd.DataFrame") -> "pd.DataFrame":
    """The merged rows with the keys of some rows, in their order.

    Args:
        rows: Hold the keys.
        merged: All merged rows.
        places: Their keys, each with its `place` among them.

    Raises:
        MixedArtifactsError: A row is not among the merged ones.
    """
    chosen = rows[_KEYS].merge(places, on=_KEYS, how="left")["place"]
    if chosen.isna().any():
        raise MixedArtifactsError(
            "Prepared rows are not among the merged rows in the archive: another run has replaced"
            " one of the two. Materialize preprocessed_splits for their base date again."
        )
    # Once copied, where a join of all columns copies them twice.
    found = merged.take(chosen.to_numpy(dtype="int64"))
    return found.set_axis(range(len(found)), copy=False)


def raw_holdouts(
    artifacts: ArtifactsIOManager, base_dt: str, windows: int, log: logging.Logger = logger
) -> "dict[str, pd.DataFrame]":
    """The holdout of a base date, and of earlier ones whose label windows do not overlap.

    Args:
        artifacts: Where the splits are.
        base_dt: The base date.
        windows: At most this many holdouts, 1 or more; there are fewer where no more exist.
        log: Gets the base dates that are passed over, each with the reason.

    Returns:
        Raw rows per base date, newest first, this base date's before all others. Several may have
        the same month of a customer, where a label was dated anew: `pooled_holdout` counts it once.

    Raises:
        CreditCtError: The holdout of the base date itself cannot be read.
        UnavailableError: The object store does not answer.
    """
    own = {base_dt: raw_rows(artifacts, base_dt, "holdout")}
    return own | earlier_holdouts(artifacts, base_dt, windows - 1, log)


def earlier_holdouts(
    artifacts: ArtifactsIOManager, base_dt: str, count: int, log: logging.Logger = logger
) -> "dict[str, pd.DataFrame]":
    """The holdouts that are pooled with that of a base date, newest first.

    Each is that of the newest base date whose label window ends before the one before it begins.
    One of which a part is missing or damaged, or that lacks a feature of this release, is passed
    over, and the next older one takes its place: half of a base date is no evidence.

    Args:
        artifacts: Where the splits are.
        base_dt: The base date; it need not have any splits yet.
        count: At most this many. No other base date's files are read.
        log: Gets the base dates that are passed over, each with the reason.

    Raises:
        UnavailableError: The object store does not answer.
    """
    found: dict[str, pd.DataFrame] = {}
    passed_over: dict[str, str] = {}
    start = LabelWindow.of(base_dt).start.isoformat()
    for earlier in _base_dates(artifacts) if count > 0 else ():
        if earlier >= start:
            continue
        try:
            found[earlier] = whole_holdout(artifacts, earlier)
        except UnavailableError:
            raise
        except CreditCtError as error:
            passed_over[earlier] = error.sentence
            continue
        if len(found) == count:
            break
        start = LabelWindow.of(earlier).start.isoformat()
    if passed_over:
        log.warning(_sentence(base_dt, passed_over))
    return found


def whole_holdout(artifacts: ArtifactsIOManager, base_dt: str) -> "pd.DataFrame":
    """The raw holdout rows of an earlier base date, if they can judge the models of this release.

    Raises:
        UnavailableError: The object store does not answer.
        CreditCtError: A file is missing or damaged, is not what the summary describes, or lacks a
            feature.
    """
    folder = artifacts.open(files.PREPROCESSING_FOLDER, base_dt)
    # The summary is small, and tells of most base dates that cannot be used that they cannot.
    summary = folder.read(SplitsSummary)
    if summary.present:
        _require_features(summary.present)
    prepared = _prepared(folder, summary, "holdout")
    _require_features(prepared)
    return _raw(artifacts, base_dt, {"holdout": prepared})["holdout"]


def _base_dates(artifacts: ArtifactsIOManager) -> list[str]:
    """Those that have a folder of splits, newest first; what is no base date is left out."""
    names = [name for name, _ in artifacts.open_all(files.PREPROCESSING_FOLDER)]
    return [name for name in reversed(names) if exists(name)]


def _require_features(names: Container[str]) -> None:
    """Excluded features as well: the champion may still use them, and cards group rows by them."""
    absent = [name for name in schema.FEATURES if name not in names]
    if absent:
        raise UnusableRowsError(
            f"Its rows have no {', '.join(absent)}, which this release trains on. To have them"
            " judge models, materialize features_target and preprocessed_splits for it again."
        )


def _sentence(base_dt: str, passed_over: Mapping[str, str]) -> str:
    reasons = [f"{earlier}: {reason}" for earlier, reason in passed_over.items()]
    count, more = len(reasons), len(reasons) - _NAMED
    return " ".join(
        [
            f"The holdout rows of {count} earlier base date{'s' if count > 1 else ''} cannot judge"
            f" the model of base date {base_dt}; older ones take their place, where there are any.",
            *reasons[:_NAMED],
            *([f"And {more} more."] if more > 0 else []),
        ]
    )

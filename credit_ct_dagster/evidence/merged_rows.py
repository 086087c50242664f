"""The rows of base dates as Dagster knows them: how many were merged, and whether they expired."""

from dataclasses import dataclass

import dagster as dg

from credit_ct_dagster.errors.base import with_reference
from credit_ct_dagster.partitions import last_expired
from credit_ct_dagster.resources.feature_store.merge import MergeResult
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.runs.dagster_internals import last_failed_check
from credit_ct_dagster.runs.failures import check_code, reference_metadata
from credit_ct_dagster.runs.history import BASE_DATE, RunHistory

FEATURES_TARGET = dg.AssetKey("features_target")
ROW_COUNT = "dagster/partition_row_count"
LABELS = "labels"
WITHOUT_FEATURES = "labels_without_features"
LATER_FEATURES = "labels_with_later_features"
INVALID_DATES = "labels_with_invalid_date"
POINT_IN_TIME = "point_in_time"
EXPIRED_ROWS = "expired_rows"
"""Metadata of an observation: how many rows of its base date retention has deleted."""
EXPIRY_CHECK = "rows_have_not_expired"


def rows_merged(instance: dg.DagsterInstance, base_dt: str) -> int | None:
    """How many rows the newest merge of a base date reported; none if there was no merge."""
    return _reported(instance, base_dt, ROW_COUNT)


@dataclass(frozen=True)
class UnmergedLabels:
    """Labels of a window, and those that its training rows lack.

    Attributes:
        labels: All of them, those on days that do not exist included.
        without_features: Those without a feature row.
        with_later_features: Those with feature rows, but none dated on or before their day.
        with_invalid_date: Those on days that do not exist.
    """

    labels: int
    without_features: int
    with_later_features: int
    with_invalid_date: int

    @property
    def unmerged(self) -> int:
        """How many the training rows lack."""
        return self.without_features + self.with_later_features + self.with_invalid_date


def labels_not_merged(instance: dg.DagsterInstance, base_dt: str) -> UnmergedLabels:
    """The labels of a window that its newest merge found; all 0 if there was no merge."""
    invalid = _reported(instance, base_dt, INVALID_DATES) or 0
    return UnmergedLabels(
        labels=(_reported(instance, base_dt, LABELS) or 0) + invalid,
        without_features=_reported(instance, base_dt, WITHOUT_FEATURES) or 0,
        with_later_features=_reported(instance, base_dt, LATER_FEATURES) or 0,
        with_invalid_date=invalid,
    )


def merged_at_a_point_in_time(instance: dg.DagsterInstance, base_dt: str) -> bool | None:
    """Whether the newest merge of a base date was configured to; None if it did not report it."""
    merged = _newest_merge(instance, base_dt)
    merge = merged.asset_materialization if merged else None
    reported = merge.metadata.get(POINT_IN_TIME) if merge else None
    return None if reported is None else bool(reported.value)


def _reported(instance: dg.DagsterInstance, base_dt: str, name: str) -> int | None:
    merged = _newest_merge(instance, base_dt)
    merge = merged.asset_materialization if merged else None
    number = merge.metadata.get(name) if merge else None
    return int(str(number.value)) if number else None


def report_expired(
    context: dg.AssetExecutionContext, feature_store: FeatureStore, merged: MergeResult
) -> None:
    """Report base dates whose rows have expired, by an observation and by the expiry check.

    These are the base dates that this merge deleted, and those that an earlier merge deleted
    without a report, because it was killed before it could.
    """
    expired = _unreported(context, feature_store, merged) | dict(merged.expired)
    for base_dt, rows in expired.items():
        known = base_dt in merged.expired
        expired_by = f"the merge of {context.partition_key}" if known else "an earlier merge"
        sentence = (
            f"The {rows:,} rows of base date {base_dt} have expired: {expired_by} deleted them."
            f" Materialize features_target for {base_dt} to merge them again."
        )
        context.log_event(
            dg.AssetObservation(
                context.asset_key,
                partition=base_dt,
                description=sentence,
                metadata={EXPIRED_ROWS: rows, "expired_by": expired_by},
            )
        )
        # No run checks the base date now, and its last result is that the rows have not expired.
        RunHistory(context.instance).report_check_result(
            _expiry_failed(context.asset_key, base_dt, rows, sentence)
        )


def _expiry_failed(
    asset: dg.AssetKey, base_dt: str, rows: int, sentence: str
) -> dg.AssetCheckEvaluation:
    code = check_code(EXPIRY_CHECK)
    return dg.AssetCheckEvaluation(
        asset,
        EXPIRY_CHECK,
        passed=False,
        severity=dg.AssetCheckSeverity.WARN,
        description=with_reference(sentence, code),
        metadata={BASE_DATE: base_dt, "observed": 0, "limit": rows, **reference_metadata(code)},
        partition=base_dt,
    )


def _newest_merge(instance: dg.DagsterInstance, base_dt: str) -> dg.EventLogRecord | None:
    merges = instance.fetch_materializations(
        dg.AssetRecordsFilter(FEATURES_TARGET, asset_partitions=[base_dt]), limit=1
    ).records
    return merges[0] if merges else None


def _unreported(
    context: dg.AssetExecutionContext, feature_store: FeatureStore, merged: MergeResult
) -> dict[str, int]:
    """Rows that earlier merges deleted, of base dates that Dagster still shows as merged."""
    newest = last_expired(context.partition_key, feature_store.retention_days) or ""
    events = context.instance.get_latest_storage_id_by_partition
    observed = events(context.asset_key, dg.DagsterEventType.ASSET_OBSERVATION)
    shown = [
        base_dt
        for base_dt, number in events(
            context.asset_key, dg.DagsterEventType.ASSET_MATERIALIZATION
        ).items()
        if base_dt <= newest
        and base_dt not in merged.expired
        and observed.get(base_dt, -1) < number
    ]
    present = feature_store.row_counts() if shown else {}
    rows = {
        base_dt: rows_merged(context.instance, base_dt)
        for base_dt in shown
        if base_dt not in present and not _was_reported(context.instance, base_dt)
    }
    return {base_dt: count for base_dt, count in rows.items() if count}


def _was_reported(instance: dg.DagsterInstance, base_dt: str) -> bool:
    """Whether the check failed since the merge: its result outlives the run that observed it."""
    key = dg.AssetCheckKey(FEATURES_TARGET, EXPIRY_CHECK)
    failed_at, merge = last_failed_check(instance, key, base_dt), _newest_merge(instance, base_dt)
    return bool(failed_at and merge and failed_at > merge.timestamp)

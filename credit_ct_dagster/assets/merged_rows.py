"""The rows of base dates as Dagster knows them: how many were merged, and that they expired."""

import dagster as dg
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from credit_ct_dagster.partitions import last_expired
from credit_ct_dagster.resources.feature_store.store import FeatureStore, MergeResult
from credit_ct_dagster.runs.history import RunHistory

FEATURES_TARGET = dg.AssetKey("features_target")
ROW_COUNT = "dagster/partition_row_count"
EXPIRED_ROWS = "expired_rows"
"""Metadata of an observation: how many rows of its base date retention has deleted."""
EXPIRY_CHECK = "rows_have_not_expired"


def rows_merged(instance: dg.DagsterInstance, base_dt: str) -> int | None:
    """How many rows the newest merge of a base date reported; none if there was no merge."""
    merged = _newest_merge(instance, base_dt)
    merge = merged.asset_materialization if merged else None
    rows = merge.metadata.get(ROW_COUNT) if merge else None
    return int(str(rows.value)) if rows else None


def _newest_merge(instance: dg.DagsterInstance, base_dt: str) -> dg.EventLogRecord | None:
    merges = instance.fetch_materializations(
        dg.AssetRecordsFilter(FEATURES_TARGET, asset_partitions=[base_dt]), limit=1
    ).records
    return merges[0] if merges else None


def tell_expired(
    context: dg.AssetExecutionContext, feature_store: FeatureStore, merged: MergeResult
) -> None:
    """Say of base dates that their rows are gone, by an observation and by their check.

    Those are the ones that this merge deleted, and those whose rows are gone of which nothing was
    said, as when the merge that deleted them was killed before it could.
    """
    deleted = _untold(context, feature_store, merged) | dict(merged.expired)
    for base_dt, rows in deleted.items():
        known = base_dt in merged.expired
        expired_by = f"the merge of {context.partition_key}" if known else "an earlier merge"
        sentence = (
            f"The {rows:,} rows of base date {base_dt} have expired: {expired_by} deleted them."
            f" Materialize features_target for {base_dt} to bring them back."
        )
        context.log_event(
            dg.AssetObservation(
                context.asset_key,
                partition=base_dt,
                description=sentence,
                metadata={EXPIRED_ROWS: rows, "expired_by": expired_by},
            )
        )
        # No run checks the base date now, and its last evaluation says that the rows are there.
        RunHistory(context.instance).say(
            dg.AssetCheckEvaluation(
                context.asset_key,
                EXPIRY_CHECK,
                passed=False,
                severity=dg.AssetCheckSeverity.WARN,
                description=sentence,
                metadata={"base_dt": base_dt, "observed": 0, "limit": rows},
                partition=base_dt,
            )
        )


def _untold(
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
    there = feature_store.row_counts() if shown else {}
    rows = {
        base_dt: rows_merged(context.instance, base_dt)
        for base_dt in shown
        if base_dt not in there and not _said_already(context.instance, base_dt)
    }
    return {base_dt: count for base_dt, count in rows.items() if count}


def _said_already(instance: dg.DagsterInstance, base_dt: str) -> bool:
    """Whether the check failed since the merge: its result outlives the run that observed it."""
    said = instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(FEATURES_TARGET, EXPIRY_CHECK),
        limit=1,
        status={AssetCheckExecutionRecordStatus.FAILED},
        partition_filter=PartitionKeyFilter(key=base_dt),
    )
    merge = _newest_merge(instance, base_dt)
    return bool(said and said[0].event and merge and said[0].event.timestamp > merge.timestamp)

"""The rows of base dates as Dagster knows them: how many were merged, and that they expired."""

import dagster as dg

from credit_ct_dagster.partitions import last_expired
from credit_ct_dagster.resources.feature_store import FeatureStore, MergeResult
from credit_ct_dagster.resources.run_history import RunHistory

FEATURES_TARGET = dg.AssetKey("features_target")
ROW_COUNT = "dagster/partition_row_count"
EXPIRED_ROWS = "expired_rows"
"""Metadata of an observation: how many rows of its base date retention has deleted."""
EXPIRY_CHECK = "rows_have_not_expired"


def rows_merged(instance: dg.DagsterInstance, base_dt: str) -> int | None:
    """How many rows the newest merge of a base date reported; none if there was no merge."""
    merges = instance.fetch_materializations(
        dg.AssetRecordsFilter(FEATURES_TARGET, asset_partitions=[base_dt]), limit=1
    ).records
    merge = merges[0].asset_materialization if merges else None
    rows = merge.metadata.get(ROW_COUNT) if merge else None
    return int(str(rows.value)) if rows else None


def tell_expired(
    context: dg.AssetExecutionContext, feature_store: FeatureStore, merged: MergeResult
) -> None:
    """Say of base dates that their rows are gone, by an observation and by their check.

    Those are the ones that this merge deleted, and those of a merge that was killed before it could
    say so.
    """
    deleted = _untold(context, feature_store) | dict(merged.expired)
    for base_dt, rows in deleted.items():
        known = base_dt in merged.expired
        expired_by = f"the merge of {context.partition_key}" if known else "a merge that was killed"
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


def _untold(context: dg.AssetExecutionContext, feature_store: FeatureStore) -> dict[str, int]:
    """Rows of expired base dates that Dagster still shows as merged, and that are not there."""
    newest = last_expired(context.partition_key, feature_store.retention_days) or ""
    events = context.instance.get_latest_storage_id_by_partition
    observed = events(context.asset_key, dg.DagsterEventType.ASSET_OBSERVATION)
    shown = [
        base_dt
        for base_dt, number in events(
            context.asset_key, dg.DagsterEventType.ASSET_MATERIALIZATION
        ).items()
        if base_dt <= newest and observed.get(base_dt, -1) < number
    ]
    there = feature_store.row_counts() if shown else {}
    rows = {
        base_dt: rows_merged(context.instance, base_dt)
        for base_dt in shown
        if base_dt not in there and base_dt != context.partition_key
    }
    return {base_dt: count for base_dt, count in rows.items() if count}

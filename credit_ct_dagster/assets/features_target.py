"""Labels of one month, joined to their features."""

import dagster as dg
from pydantic import Field

from credit_ct_dagster.assets.config import refuses_bad_values
from credit_ct_dagster.assets.source_tables import credit_score, credit_score_features
from credit_ct_dagster.decisions.promotions import Promotions
from credit_ct_dagster.errors.inputs import EmptyWindowError
from credit_ct_dagster.evidence.merged_rows import (
    INVALID_DATES,
    LABELS,
    LATER_FEATURES,
    POINT_IN_TIME,
    ROW_COUNT,
    WITHOUT_FEATURES,
    report_expired,
)
from credit_ct_dagster.metadata.columns import column_schema
from credit_ct_dagster.metadata.tables import counts_table
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.packaging.server_ahead import start_server_ahead
from credit_ct_dagster.resources.base_date_lock import BaseDateLock
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.resources.feature_store.tables import FEATURES as FEATURES_TABLE
from credit_ct_dagster.resources.feature_store.tables import LABELS as LABELS_TABLE
from credit_ct_dagster.resources.feature_store.tables import LABELS as LABEL_TABLE
from credit_ct_dagster.resources.feature_store.tables import TRAINING_ROWS
from credit_ct_dagster.runs.failures import base_date_of_run, failing_clearly

_SOURCES = {LABELS_TABLE: [*schema.KEY, schema.TARGET], FEATURES_TABLE: schema.FEATURES}


class MergeConfig(dg.Config):
    """Which features a label takes."""

    point_in_time: bool = Field(
        default=True,
        description="Whether a label takes the newest features dated on or before its day, as they"
        " were known when the class was to be predicted, and is left out if there are none. false"
        " takes the newest up to the base date, or else the oldest after it: only where the date of"
        " the features is that of their delivery, not that of what they describe",
    )


@refuses_bad_values(MergeConfig)
@dg.asset(
    deps=[credit_score, credit_score_features],
    group_name="feature_store",
    owners=["team:ml-platform"],
    kinds={"sql", "table"},
    metadata=column_schema(schema.MERGED_COLUMNS, _SOURCES),
)
def features_target(
    context: dg.AssetExecutionContext,
    config: MergeConfig,
    feature_store: FeatureStore,
    base_date_lock: BaseDateLock,
    promotions: dg.ResourceParam[Promotions],
) -> dg.MaterializeResult:
    """Merged training rows of one base date.

    Labels dated from one month before the base date to the base date, both included, joined to
    their features on id and customer: those dated on or before the label's day, never later ones.
    The base date's earlier rows and expired base dates are deleted in the same transaction. Labels
    on days that do not exist are omitted; of several labels or feature rows with one id and
    customer, the newest counts.
    """
    base_dt = base_date_of_run(context)
    with failing_clearly(context):
        base_date_lock.ensure_held()
        start_server_ahead(context, promotions)
        merged = feature_store.merge(base_dt, point_in_time=config.point_in_time)
        report_expired(context, feature_store, merged)
        if not merged.rows_inserted:
            raise EmptyWindowError(
                f"the window {merged.window} never had rows: no label dated inside it has features"
                " of its day or before. Load the labels and features that are missing, then run"
                " this base date again."
            )
    if merged.labels_with_later_features:
        context.log.warning(
            f"Base date {base_dt}: {merged.labels_with_later_features:,} labels have features, but"
            " none dated on or before the label's day; they are not merged."
        )
    context.log.info(f"{merged.rows_inserted} rows merged for {base_dt}, labels {merged.window}")
    return dg.MaterializeResult(
        metadata={
            ROW_COUNT: merged.rows_inserted,
            "window": str(merged.window),
            LABELS: merged.labels,
            WITHOUT_FEATURES: merged.labels_without_features,
            LATER_FEATURES: merged.labels_with_later_features,
            POINT_IN_TIME: config.point_in_time,
            "rows_superseded": merged.rows_superseded,
            INVALID_DATES: sum(merged.invalid_dates.values()),
            **counts_table("invalid_dates", "date", merged.invalid_dates, LABEL_TABLE, "labels"),
            "rows_expired": sum(merged.expired.values()),
            **counts_table(
                "expired_base_dates", "base_dt", merged.expired, "the events of this asset"
            ),
            "table": f"{feature_store.location} {TRAINING_ROWS}",
        }
    )

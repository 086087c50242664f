"""What must hold of the merged rows of a base date."""

from datetime import date, timedelta
from statistics import median

import dagster as dg
from pydantic import Field

from credit_ct_dagster.assets.features_target import features_target
from credit_ct_dagster.assets.merged_rows import EXPIRY_CHECK, rows_merged
from credit_ct_dagster.checks.results import base_date_of, result
from credit_ct_dagster.errors import CreditCtError
from credit_ct_dagster.partitions import LabelWindow
from credit_ct_dagster.resources.feature_store.store import FeatureStore


class WindowConfig(dg.Config):
    """How many rows a window needs."""

    min_rows: int = Field(default=200, ge=1, description="Fewer cannot train and judge a model")
    min_share: float = Field(
        default=0.5, ge=0, le=1, description="Of the median of the last base dates' rows"
    )
    last_base_dates: int = Field(default=7, ge=0, description="How many days to look back")


@dg.asset_check(
    asset=features_target,
    blocking=True,
    description="The window has enough rows to train on, compared with the last base dates.",
)
def window_has_enough_rows(
    context: dg.AssetCheckExecutionContext, config: WindowConfig
) -> dg.AssetCheckResult:
    """Compare the rows with what the last base dates reported; none of their rows is read."""
    base_dt = base_date_of(context)
    rows = rows_merged(context.instance, base_dt) or 0
    day = date.fromisoformat(base_dt)
    earlier = [
        count
        for back in range(1, config.last_base_dates + 1)
        if (count := rows_merged(context.instance, (day - timedelta(days=back)).isoformat()))
    ]
    usual = median(earlier) if earlier else None
    limit = max(config.min_rows, round(config.min_share * usual) if usual else 0)
    window = LabelWindow.of(base_dt)
    sentence = f"{rows:,} rows in the window {window}, at least {limit:,}."
    if not rows:
        sentence = f"the window {window} never had rows: no label dated inside it has features."
    if usual:
        sentence += f" The last {len(earlier)} base dates had {usual:,.0f} (median)."
    if rows < limit:
        sentence += " Load the labels and features that are missing, then run this base date again."
    return result(context, passed=rows >= limit, observed=rows, limit=limit, sentence=sentence)


@dg.asset_check(
    asset=features_target,
    name=EXPIRY_CHECK,
    description="The rows that were merged are still in the feature store; only warns. A later"
    " merge whose retention deletes them fails this check for their base date.",
)
def rows_have_not_expired(
    context: dg.AssetCheckExecutionContext, feature_store: FeatureStore
) -> dg.AssetCheckResult:
    """Count them."""
    base_dt = base_date_of(context)
    merged = rows_merged(context.instance, base_dt) or 0
    try:
        there = feature_store.row_counts(base_dt).get(base_dt, 0)
    except CreditCtError as error:  # a check that only warns stops no base date
        there, sentence = 0, f"it is not known whether the {merged:,} rows are there: {error}"
    else:
        sentence = f"{there:,} of {merged:,} merged rows are in the feature store."
        if there < merged:
            sentence += (
                f" The others have expired: retention deletes a base date"
                f" {feature_store.retention_days} days later. Materialize features_target for this"
                " base date to bring them back."
            )
    return result(
        context,
        passed=there >= merged,
        observed=there,
        limit=merged,
        sentence=sentence,
        severity=dg.AssetCheckSeverity.WARN,
    )

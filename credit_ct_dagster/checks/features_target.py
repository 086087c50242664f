"""What must hold of the merged rows of a base date."""

from statistics import median

import dagster as dg
from pydantic import Field

from credit_ct_dagster.assets.features_target import features_target
from credit_ct_dagster.checks.results import base_date_of, needs_base_date, result
from credit_ct_dagster.days import days_before
from credit_ct_dagster.errors.base import CreditCtError
from credit_ct_dagster.evidence.merged_rows import EXPIRY_CHECK, labels_not_merged, rows_merged
from credit_ct_dagster.partitions import LabelWindow
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.rounding import told_apart
from credit_ct_dagster.runs.failures import failing_clearly


class WindowConfig(dg.Config):
    """How many rows a window needs."""

    min_rows: int = Field(
        default=200,
        ge=1,
        description="Fails the check below this number of merged rows, 1 or more. With fewer than"
        " 200, the holdout (15 %) has too few rows to judge a model by",
    )
    min_share: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Fails the check below this share of the median of earlier base dates, 0 to 1."
        " Half of the usual rows means that a delivery is missing, not that business is slow",
    )
    last_base_dates: int = Field(
        default=7,
        ge=0,
        description="Compares with the base dates of this number of days before, 0 or more; 0"
        " compares with none. A week evens out single days",
    )


@dg.asset_check(
    asset=features_target,
    blocking=True,
    description="The window has enough rows to train on, also in comparison with earlier base"
    " dates.",
)
@needs_base_date
def window_has_enough_rows(
    context: dg.AssetCheckExecutionContext, config: WindowConfig
) -> dg.AssetCheckResult:
    """Compare the row counts that the merges reported, without reading any row."""
    base_dt = base_date_of(context)
    rows = rows_merged(context.instance, base_dt) or 0
    earlier = [
        count
        for back in range(1, config.last_base_dates + 1)
        if (count := rows_merged(context.instance, days_before(base_dt, back)))
    ]
    usual = median(earlier) if earlier else None
    limit = max(config.min_rows, round(config.min_share * usual) if usual else 0)
    window = LabelWindow.of(base_dt)
    sentence = f"{rows:,} rows in the window {window}; at least {limit:,} are required."
    if not rows:
        sentence = (
            f"the window {window} never had rows: no label dated inside it has features of its day"
            " or before."
        )
    if usual:
        sentence += f" The last {len(earlier)} base dates had {usual:,.0f} (median)."
    if rows < limit:
        sentence += (
            " Load the labels and features that are missing, then run this base date again. If it"
            f" was a mistake: credit-ct prune --failed-runs-of {base_dt} --yes."
        )
    return result(context, passed=rows >= limit, observed=rows, limit=limit, sentence=sentence)


_OF_LATER_FEATURES = (
    "Load the features as they were on the label's day or before (credit-ct load). If their date is"
    " only that of their delivery, set point_in_time: false for features_target (for every run:"
    " in the file RUN_CONFIG)."
)


class UnmergedConfig(dg.Config):
    """How many labels of a window may be left out of its training rows."""

    max_unmerged_share: float = Field(
        default=0.05,
        ge=0,
        lt=1,
        description="Fails the check below when a larger share of the window's labels was not"
        " merged, 0 to 1. Single labels without features are normal; more than 5 % point to keys"
        " that are written differently, or to features that were delivered late or not at all",
    )


@dg.asset_check(
    asset=features_target,
    blocking=True,
    description="Nearly all labels of the window have features that were known on their day, and a"
    " day that exists, so that the training rows are not a selection of them.",
)
@needs_base_date
def window_labels_are_merged(
    context: dg.AssetCheckExecutionContext, config: UnmergedConfig, feature_store: FeatureStore
) -> dg.AssetCheckResult:
    """Compare what the merge reported; only a failure looks at keys, to name the likely cause."""
    base_dt = base_date_of(context)
    found = labels_not_merged(context.instance, base_dt)
    share, limit = found.unmerged / max(1, found.labels), config.max_unmerged_share
    of_all, at_most = told_apart(".1%", share, limit), told_apart(".1%", limit, share)
    sentence = (
        f"{found.unmerged:,} of {found.labels:,} labels of the window {LabelWindow.of(base_dt)}"
        f" ({of_all}) were not merged: {found.without_features:,} have no features,"
        f" {found.with_later_features:,} have features, but none dated on or before the label's"
        f" day, {found.with_invalid_date:,} have a date that is no day. At most {at_most} may be"
        " (max_unmerged_share)."
    )
    if share > limit:
        with failing_clearly(context):
            if found.without_features:
                sentence += f" {feature_store.why_without_features(base_dt)}"
            if found.with_later_features:
                sentence += f" {feature_store.why_later_features(base_dt)} {_OF_LATER_FEATURES}"
        sentence += " Correct labels or features, then run this base date again."
    return result(
        context,
        passed=share <= limit,
        observed=share,
        limit=limit,
        sentence=sentence,
        labels=found.labels,
        labels_without_features=found.without_features,
        labels_with_later_features=found.with_later_features,
        labels_with_invalid_date=found.with_invalid_date,
    )


@dg.asset_check(
    asset=features_target,
    name=EXPIRY_CHECK,
    description="The merged rows are still in the feature store. A failure only warns; a later"
    " merge whose retention deletes them reports it for their base date.",
)
@needs_base_date
def rows_have_not_expired(
    context: dg.AssetCheckExecutionContext, feature_store: FeatureStore
) -> dg.AssetCheckResult:
    """Count the rows in the feature store."""
    base_dt = base_date_of(context)
    merged = rows_merged(context.instance, base_dt) or 0
    try:
        present = feature_store.row_counts(base_dt).get(base_dt, 0)
    except CreditCtError as error:  # a check that only warns does not stop a base date
        present = 0
        sentence = f"the {merged:,} merged rows could not be counted: {error.sentence}"
    else:
        sentence = f"{present:,} of {merged:,} merged rows are in the feature store."
        if present < merged:
            sentence += (
                f" The others have expired: retention deletes the rows of a base date"
                f" {feature_store.retention_days} days later. Materialize features_target for this"
                " base date to merge them again."
            )
    return result(
        context,
        passed=present >= merged,
        observed=present,
        limit=merged,
        sentence=sentence,
        severity=dg.AssetCheckSeverity.WARN,
    )

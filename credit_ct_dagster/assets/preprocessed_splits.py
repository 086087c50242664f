"""Scaled train, validation and holdout rows, and the scalers."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self

import dagster as dg
from pydantic import Field, model_validator

from credit_ct_dagster.assets.config import refuses_bad_values
from credit_ct_dagster.assets.features_target import features_target
from credit_ct_dagster.contracts import files
from credit_ct_dagster.contracts.splits import Limits, Quarantine, RecentRows, SplitsSummary
from credit_ct_dagster.errors.inputs import EmptyWindowError, UnusableRowsError
from credit_ct_dagster.evidence.merged_rows import rows_merged
from credit_ct_dagster.io_managers.artifacts import FOLDER, ArtifactsIOManager
from credit_ct_dagster.metadata.columns import column_schema
from credit_ct_dagster.metadata.tables import counts_table, rounded, shown_table, table_of
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.rows.missing import with_blanks_missing
from credit_ct_dagster.modeling.rows.row_rules import Bounds, RowRules
from credit_ct_dagster.partitions import LabelWindow
from credit_ct_dagster.resources.base_date_lock import BaseDateLock
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.runs.failures import base_date_of_run, failing_clearly

# What sorts, splits and scales is imported where it is used: pandera and scikit-learn take seconds.
if TYPE_CHECKING:
    import pandas as pd

    from credit_ct_dagster.modeling.rows.preparation import Scalers
    from credit_ct_dagster.modeling.rows.quarantine import CheckedRows


_RECENT_DAYS = 7
"""A week, so that what is delivered on some days of the week only is evened out."""


class BoundsConfig(Bounds, dg.Config):
    """The lowest and the highest value that a number may have."""


class SplitConfig(RowRules, dg.Config):
    """Which rows are fit to train on, and how their customers are divided.

    Customers in neither train nor validation are the holdout.
    """

    archive_rows: bool = Field(
        default=True,
        description="Archives the merged rows next to the splits, so that the model can be made"
        " again once they have expired in the feature store",
    )
    from_archive: bool = Field(
        default=False,
        description="Reads the rows from that archive instead of the feature store",
    )
    bounds: dict[str, BoundsConfig] = Field(
        default_factory=dict, description=RowRules.model_fields["bounds"].description
    )

    train_share: float = Field(
        default=0.70,
        gt=0,
        lt=1,
        description="Share of the customers to train on, above 0 and below 1; 0.70 as in the bank's"
        " first pipeline",
    )
    val_share: float = Field(
        default=0.15,
        gt=0,
        lt=1,
        description="Share of the customers to choose the model with, above 0 and below 1; the rest"
        " is the holdout",
    )

    @model_validator(mode="after")
    def _holdout_has_a_share(self) -> Self:
        if self.train_share + self.val_share >= 1:
            raise ValueError("train_share + val_share must stay below 1: the rest is the holdout")
        return self


@refuses_bad_values(SplitConfig)
@dg.multi_asset(
    outs={
        "preprocessed_splits": dg.AssetOut(
            description="Train, validation and holdout rows of one base date: numbers scaled by"
            " scalers fitted on train, missing words named, missing numbers kept. A customer is on"
            " one side only, on every base date. Rows that break a rule are in quarantine instead.",
            group_name="training",
            owners=["team:ml-platform"],
            kinds={"pandas", "scikitlearn", "parquet"},
            io_manager_key="artifacts",
            metadata={
                FOLDER: files.PREPROCESSING_FOLDER,
                **column_schema(
                    schema.MERGED_COLUMNS, {features_target.key.path[-1]: schema.MERGED_COLUMNS}
                ),
            },
        ),
        "robust_scalers": dg.AssetOut(
            description="One fitted RobustScaler per numeric feature, in a dict by column.",
            group_name="training",
            owners=["team:ml-platform"],
            kinds={"scikitlearn"},
            io_manager_key="artifacts",
            metadata={FOLDER: files.SCALERS_FOLDER},
        ),
    },
    name="preprocessing",
    deps=[features_target],
)
def preprocessing(
    context: dg.AssetExecutionContext,
    config: SplitConfig,
    feature_store: FeatureStore,
    artifacts: dg.ResourceParam[ArtifactsIOManager],
    base_date_lock: BaseDateLock,
) -> Iterator[dg.Output]:
    """Set rows that break a rule aside, split by customer, fit the scalers on train, and scale."""
    from credit_ct_dagster.modeling.rows.preparation import fit_scalers, prepare, record_of
    from credit_ct_dagster.modeling.rows.quarantine import check_rows
    from credit_ct_dagster.modeling.rows.splitting import split_by_customer

    base_dt = base_date_of_run(context)
    with failing_clearly(context):
        base_date_lock.ensure_held()
        # Rows of an earlier run must not be taken for those of one that fails below.
        artifacts.remove(files.PREPROCESSING_FOLDER, base_dt, files.QUARANTINE_FILE)
        if config.from_archive:
            rows = artifacts.open(files.PREPROCESSING_FOLDER, base_dt)[files.MERGED_ROWS_FILE]
        else:
            rows = feature_store.read(base_dt)
        if rows.empty:
            raise EmptyWindowError(_why_empty(context, feature_store))
        checked = check_rows(rows, config)
        folder, _ = artifacts.write(
            files.PREPROCESSING_FOLDER, base_dt, {files.QUARANTINE_FILE: checked.quarantined}
        )
        if checked.accepted.empty:
            raise UnusableRowsError(
                f"No row remains to train on: {checked.sentence()} The rows are in"
                f" {files.QUARANTINE_FILE} of {folder}: correct them in the source tables, then run"
                " this base date again."
            )
        splits = split_by_customer(checked.accepted, config.train_share, config.val_share)
        scalers = fit_scalers(splits["train"])
    prepared = {name: prepare(split, scalers) for name, split in splits.items()}
    summary = _summary(base_dt, config, rows, checked, prepared, scalers)
    yield dg.Output(
        {
            **{files.SPLIT_FILES[name]: frame for name, frame in prepared.items()},
            **({files.MERGED_ROWS_FILE: rows} if config.archive_rows else {}),
            files.SPLITS_SUMMARY_FILE: summary,
        },
        "preprocessed_splits",
        metadata=_metadata(summary),
    )
    yield dg.Output(
        {files.SCALERS_FILE: record_of(scalers), files.SCALERS_FOR_OTHERS_FILE: scalers},
        "robust_scalers",
        metadata=_table_of(scalers),
    )


def _summary(
    base_dt: str,
    config: SplitConfig,
    rows: "pd.DataFrame",
    checked: "CheckedRows",
    prepared: "Mapping[str, pd.DataFrame]",
    scalers: "Scalers",
) -> SplitsSummary:
    from credit_ct_dagster.modeling.rows.preparation import scalers_fingerprint
    from credit_ct_dagster.modeling.rows.splitting import data_fingerprint

    return SplitsSummary(
        base_dt=base_dt,
        window=str(LabelWindow.of(base_dt)),
        data_fingerprint=data_fingerprint(rows),
        fingerprints={name: data_fingerprint(split) for name, split in prepared.items()},
        scalers_fingerprint=scalers_fingerprint(scalers),
        rows={name: len(split) for name, split in prepared.items()},
        customers={name: int(s[schema.CUSTOMER].nunique()) for name, s in prepared.items()},
        labels={
            name: {c: int((split[schema.TARGET] == c).sum()) for c in schema.CLASSES}
            for name, split in prepared.items()
        },
        seen_share=config.train_share + config.val_share,
        quarantine=Quarantine(
            rows=len(checked.quarantined),
            share=checked.quarantined_share,
            max_share=config.max_quarantined_share,
            per_rule=checked.per_rule,
            sentence=checked.sentence(config.max_quarantined_share),
        ),
        shares={
            "train": config.train_share,
            "val": config.val_share,
            "holdout": 1 - config.train_share - config.val_share,
        },
        largest_customer_rows=_of_largest_customer(rows),
        largest_customer_rows_of={name: _of_largest_customer(s) for name, s in prepared.items()},
        present=_present(rows),
        recent=_recent(rows, base_dt),
        limits=limits_of(config),
    )


def _of_largest_customer(rows: "pd.DataFrame") -> int:
    return int(rows[schema.CUSTOMER].value_counts().max())


def _present(rows: "pd.DataFrame") -> dict[str, float]:
    """Per feature, the share of rows that have a value."""
    shares = with_blanks_missing(rows)[schema.FEATURES].notna().mean()
    return {name: float(share) for name, share in shares.items()}


def _recent(rows: "pd.DataFrame", base_dt: str) -> RecentRows | None:
    """The rows of the last week; a window of a month hides for weeks what a delivery lacks."""
    since = LabelWindow.of(base_dt).days[-_RECENT_DAYS]
    recent = rows[rows[schema.DATE].astype(str).str[:10] >= since]
    if recent.empty:
        return None
    return RecentRows(since=since, rows=len(recent), present=_present(recent))


def limits_of(rules: RowRules) -> dict[str, Limits]:
    """The bounds of every number, as a record keeps them."""
    return {
        name: Limits.model_validate(rules.bounds_of(name).model_dump(include={"low", "high"}))
        for name in schema.NUMERIC
    }


def _metadata(summary: SplitsSummary) -> dict[str, Any]:
    quarantine = summary.quarantine
    splits = [
        {
            "split": name,
            "rows": rows,
            "customers": summary.customers[name],
            **summary.labels[name],
        }
        for name, rows in summary.rows.items()
    ]
    return {
        "dagster/partition_row_count": sum(summary.rows.values()),
        "splits": table_of(splits),
        "rows_quarantined": quarantine.rows,
        **counts_table("quarantined_per_rule", "rule", quarantine.per_rule, SplitsSummary.FILE),
        "window": summary.window,
        "data_fingerprint": summary.data_fingerprint,
    }


def _table_of(scalers: "Scalers") -> dict[str, Any]:
    rows = [
        {
            "feature": name,
            "median": rounded(float(scaler.center_[0])),
            "interquartile_range": rounded(float(scaler.scale_[0])),
        }
        for name, scaler in scalers.items()
    ]
    return shown_table("scalers", rows, files.SCALERS_FILE)


def _why_empty(context: dg.AssetExecutionContext, feature_store: FeatureStore) -> str:
    """Whether the rows of a base date have expired or never existed, and what to do."""
    window = LabelWindow.of(context.partition_key)
    rows = rows_merged(context.instance, context.partition_key)
    if rows:
        return (
            f"The {rows} rows of the window {window} have expired: retention deletes a base"
            f" date {feature_store.retention_days} days later. Materialize features_target for this"
            " base date again, or set from_archive: true in the configuration of preprocessing to"
            " take the rows that it was trained on."
        )
    labels = feature_store.labels_in(window)
    if rows is not None or not labels:
        return (
            f"The window {window} never had rows: {labels} labels are dated inside it, and none has"
            " features of its day or before. Load labels and features of these days, then"
            " materialize features_target."
        )
    return (
        f"The window {window} has {labels} labels, but no merged rows: they expired or were never"
        " merged. Materialize features_target for this base date."
    )

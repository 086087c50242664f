"""Scaled train, validation and holdout rows, and the scalers."""

from collections.abc import Iterator
from typing import Self

import dagster as dg
from pydantic import Field, model_validator

from credit_ct_dagster.assets.columns import column_schema
from credit_ct_dagster.assets.config import refuses_bad_values
from credit_ct_dagster.assets.failures import failing_clearly
from credit_ct_dagster.assets.features_target import features_target
from credit_ct_dagster.assets.merged_rows import rows_merged
from credit_ct_dagster.errors import DataError, EmptyWindowError
from credit_ct_dagster.io_managers.artifacts import (
    FOLDER,
    PREPROCESSING_FOLDER,
    ArtifactsIOManager,
)
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.preparation import fit_scalers, prepare, scalers_fingerprint
from credit_ct_dagster.modeling.row_rules import Bounds, RowRules, sort_out
from credit_ct_dagster.modeling.splitting import (
    SPLIT_FILES,
    data_fingerprint,
    split_by_customer,
)
from credit_ct_dagster.partitions import LabelWindow, base_date_partitions
from credit_ct_dagster.resources.base_date_lock import BaseDateLock
from credit_ct_dagster.resources.feature_store.store import FeatureStore

SPLITS_SUMMARY = "summary.json"
QUARANTINE_FILE = "quarantine.parquet"
ARCHIVE_FILE = "features_target.parquet"
SCALERS_FILE = "robust_scaler.joblib"
SCALERS_FOLDER = f"{PREPROCESSING_FOLDER}/encoders"


class BoundsConfig(Bounds, dg.Config):
    """Between which values a number must lie."""


class SplitConfig(RowRules, dg.Config):
    """Which rows are fit to train on, and how their customers are divided.

    What train and validation leave is the holdout.
    """

    archive_rows: bool = Field(
        default=True,
        description="Keep the merged rows beside the splits, so that the model can be made again"
        " when they have expired",
    )
    from_archive: bool = Field(
        default=False, description="Take the rows from that archive, not from the feature store"
    )
    bounds: dict[str, BoundsConfig] = Field(
        default_factory=dict, description=RowRules.model_fields["bounds"].description
    )

    train_share: float = Field(default=0.70, gt=0, lt=1, description="Customers to train on")
    val_share: float = Field(
        default=0.15, gt=0, lt=1, description="Customers to choose the model with"
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
                FOLDER: PREPROCESSING_FOLDER,
                **column_schema(schema.MERGED_COLUMNS),
            },
        ),
        "robust_scalers": dg.AssetOut(
            description="One fitted RobustScaler per numeric feature, in a dict by column.",
            group_name="training",
            owners=["team:ml-platform"],
            kinds={"scikitlearn"},
            io_manager_key="artifacts",
            metadata={FOLDER: SCALERS_FOLDER},
        ),
    },
    name="preprocessing",
    deps=[features_target],
    partitions_def=base_date_partitions,
)
def preprocessing(
    context: dg.AssetExecutionContext,
    config: SplitConfig,
    feature_store: FeatureStore,
    artifacts: dg.ResourceParam[ArtifactsIOManager],
    base_date_lock: BaseDateLock,
) -> Iterator[dg.Output]:
    """Sort out what breaks a rule, split by customer, fit the scalers on train, scale."""
    base_dt = context.partition_key
    with failing_clearly(context):
        if config.from_archive:
            rows = artifacts.open(PREPROCESSING_FOLDER, base_dt)[ARCHIVE_FILE]
        else:
            rows = feature_store.read(base_dt)
        if rows.empty:
            raise EmptyWindowError(_why_empty(context, feature_store))
        sorted_rows = sort_out(rows, config)
        if sorted_rows.kept.empty:
            raise DataError(f"No row is left to train on: {sorted_rows.sentence()}")
        splits = split_by_customer(sorted_rows.kept, config.train_share, config.val_share)
        scalers = fit_scalers(splits["train"])
    prepared = {name: prepare(split, scalers) for name, split in splits.items()}
    summary = {
        "base_dt": base_dt,
        "window": str(LabelWindow.of(base_dt)),
        "data_fingerprint": data_fingerprint(rows),
        "fingerprints": {name: data_fingerprint(split) for name, split in prepared.items()},
        "scalers_fingerprint": scalers_fingerprint(scalers),
        "rows": {name: len(split) for name, split in splits.items()},
        "customers": {name: int(s[schema.CUSTOMER].nunique()) for name, s in splits.items()},
        "labels": {
            name: {c: int((split[schema.TARGET] == c).sum()) for c in schema.CLASSES}
            for name, split in splits.items()
        },
        "seen_share": config.train_share + config.val_share,
        "quarantine": {
            "rows": len(sorted_rows.quarantined),
            "share": sorted_rows.quarantined_share,
            "max_share": config.max_quarantined_share,
            "per_rule": dict(sorted_rows.per_rule),
            "sentence": sorted_rows.sentence(),
        },
    }
    yield dg.Output(
        {
            **{SPLIT_FILES[name]: frame for name, frame in prepared.items()},
            QUARANTINE_FILE: sorted_rows.quarantined,
            **({ARCHIVE_FILE: rows} if config.archive_rows else {}),
            SPLITS_SUMMARY: summary,
        },
        "preprocessed_splits",
        metadata={
            "dagster/partition_row_count": len(sorted_rows.kept),
            "rows_quarantined": len(sorted_rows.quarantined),
            "quarantined_per_rule": dg.MetadataValue.json(dict(sorted_rows.per_rule)),
            **{key: summary[key] for key in ("window", "data_fingerprint")},
            **{key: dg.MetadataValue.json(summary[key]) for key in ("rows", "customers", "labels")},
        },
    )
    yield dg.Output(
        {SCALERS_FILE: scalers},
        "robust_scalers",
        metadata={
            "scalers": dg.MetadataValue.table(
                [
                    dg.TableRecord(
                        {
                            "feature": name,
                            "median": float(scaler.center_[0]),
                            "interquartile_range": float(scaler.scale_[0]),
                        }
                    )
                    for name, scaler in scalers.items()
                ]
            )
        },
    )


def _why_empty(context: dg.AssetExecutionContext, feature_store: FeatureStore) -> str:
    """Whether the rows of a base date expired or never existed, and what to do."""
    window = LabelWindow.of(context.partition_key)
    rows = rows_merged(context.instance, context.partition_key)
    if rows:
        return (
            f"the {rows} rows of the window {window} have expired: retention deletes a base"
            f" date {feature_store.retention_days} days later. Materialize features_target for this"
            " base date again, or set from_archive: true in the configuration of preprocessing to"
            " take the rows that it was trained on."
        )
    labels = feature_store.labels_in(window)
    if rows is not None or not labels:
        return (
            f"the window {window} never had rows: {labels} labels are dated inside it, and none has"
            " features. Load labels and features of these days, then materialize features_target."
        )
    return (
        f"the window {window} has {labels} labels, but no merged rows: they expired or were never"
        " merged. Materialize features_target for this base date."
    )

"""The best model of a base date, ready to serve."""

from typing import Self

import dagster as dg
from pydantic import Field, model_validator

from credit_ct_dagster.assets.columns import column_schema
from credit_ct_dagster.assets.config import refuses_bad_values
from credit_ct_dagster.assets.preprocessed_splits import limits_of
from credit_ct_dagster.assets.raw_rows import raw_rows
from credit_ct_dagster.contracts import files
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.package import PackageRecord
from credit_ct_dagster.contracts.search import SearchSummary
from credit_ct_dagster.contracts.splits import ScalersRecord, SplitsSummary
from credit_ct_dagster.errors.stores import MixedArtifactsError
from credit_ct_dagster.io_managers.artifacts import ArtifactFolder, ArtifactsIOManager
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.answers.scorer_data import PROTECTED, scorer_record
from credit_ct_dagster.modeling.rows.row_rules import RowRules
from credit_ct_dagster.resources.base_date_lock import BaseDateLock
from credit_ct_dagster.resources.bentoml_store import BentoMLStore
from credit_ct_dagster.runs.failures import failing_clearly
from credit_ct_dagster.runs.processes import is_over


class PackageConfig(dg.Config):
    """What a bank adds to a package."""

    protected_features: list[str] = Field(
        default=list(PROTECTED),
        description="The features that the bank marks as protected. A reason that rests on one of"
        " them is given, and raises a compliance flag.",
    )

    @model_validator(mode="after")
    def _known_features(self) -> Self:
        unknown = sorted(set(self.protected_features) - set(schema.FEATURES))
        if unknown:
            raise ValueError(f"protected_features names {', '.join(unknown)}: not a feature")
        return self


@refuses_bad_values(PackageConfig)
@dg.asset(
    group_name="serving",
    owners=["team:ml-platform"],
    kinds={"bentoml"},
    metadata=column_schema(schema.FEATURES),
)
def bentoml_model(
    context: dg.AssetExecutionContext,
    config: PackageConfig,
    tuned_runs: ArtifactFolder,
    preprocessed_splits: ArtifactFolder,
    robust_scalers: ArtifactFolder,
    artifacts: dg.ResourceParam[ArtifactsIOManager],
    bentoml_store: BentoMLStore,
    base_date_lock: BaseDateLock,
) -> dg.MaterializeResult:
    """The best model in the BentoML store, as one object that takes raw rows.

    It is an MLflow pyfunc, which works where this platform is not installed. Its probabilities are
    calibrated on the validation rows, by the method with the lowest log-loss there. Its labels name
    the base date, the MLflow run, the Dagster run and the data it was made from; its metadata holds
    the parameters and metrics.
    """
    # Measured: scikit-learn takes 1.5 s to import, which only this step needs.
    from credit_ct_dagster.modeling.answers.calibration import calibrate
    from credit_ct_dagster.modeling.answers.golden import golden_rows
    from credit_ct_dagster.modeling.rows.preparation import scalers_fingerprint, scalers_of
    from credit_ct_dagster.modeling.rows.splitting import require_fingerprint

    base_dt = context.partition_key
    with failing_clearly(context):
        base_date_lock.ensure_held()
        removed = bentoml_store.remove_unrecorded(
            base_dt, lambda tag, run_id: _is_unrecorded(context, tag, run_id)
        )
        if removed:
            context.log.info(f"Removed packages of killed runs: {', '.join(removed)}")
        search, model = tuned_runs.read(SearchSummary), tuned_runs[files.BEST_MODEL_FILE]
        learned = robust_scalers.read(ScalersRecord)
        scalers = scalers_of(learned)
        if scalers_fingerprint(scalers) != search.scalers_fingerprint:
            raise MixedArtifactsError(
                "The scalers are not those of the rows that the model was trained on. Materialize"
                " tuned_runs for this base date again."
            )
        val = preprocessed_splits[files.SPLIT_FILES["val"]]
        require_fingerprint(val, search.fingerprints["val"], "validation rows of the model")
        calibration = calibrate(model, val)
        identity = ModelIdentity(
            base_dt=base_dt,
            mlflow_run_id=search.mlflow.best_run_id,
            dagster_run_id=context.run.run_id,
            data_fingerprint=search.data_fingerprint,
        )
        record = PackageRecord(
            seen_share=search.seen_share,
            calibration=calibration.method,
            log_loss_per_calibration=calibration.log_losses,
        )
        train = raw_rows(artifacts, base_dt, "train")
        limits = preprocessed_splits.read(SplitsSummary).limits or limits_of(RowRules())
        best = search.best
        tag = bentoml_store.save(
            tuned_runs.content(files.BEST_MODEL_FILE),
            scorer_record(
                scales=learned.columns,
                calibrated=calibration.model.calibrated,
                train=train,
                limits=limits,
                protected=config.protected_features,
            ),
            identity,
            record,
            metadata={
                **best.params,
                "trees": best.iterations,
                **{f"val_{name}": value for name, value in best.val.items()},
                **{f"holdout_{name}": value for name, value in best.holdout.items()},
            },
            golden=golden_rows(train, scalers, calibration.model, limits),
        )
    return dg.MaterializeResult(
        metadata={
            "bentoml_tag": tag,
            "holdout_accuracy": best.holdout["accuracy"],
            "calibration": calibration.method,
            "log_loss_per_calibration": dg.MetadataValue.json(dict(calibration.log_losses)),
            "package_sha256": bentoml_store.sha256(tag),
            **identity.labels(),
        }
    )


def _is_unrecorded(context: dg.AssetExecutionContext, tag: str, run_id: str) -> bool:
    """Whether a package of a Dagster run that has ended was never reported as materialized."""
    if not is_over(context.instance, run_id):
        return False
    return tag not in reported_packages(context.instance, context.partition_key)


def reported_packages(instance: dg.DagsterInstance, base_dt: str) -> dict[str, str]:
    """The packages that runs of a base date reported: hash per tag, empty in earlier releases."""
    events = instance.fetch_materializations(
        dg.AssetRecordsFilter(dg.AssetKey("bentoml_model"), asset_partitions=[base_dt]), limit=1000
    ).records
    found = {}
    for event in events:
        if event.asset_materialization is not None:
            metadata = event.asset_materialization.metadata
            tag, sha256 = metadata.get("bentoml_tag"), metadata.get("package_sha256")
            if tag is not None:
                found[str(tag.value)] = str(sha256.value) if sha256 is not None else ""
    return found

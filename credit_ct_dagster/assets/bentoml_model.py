"""The best model of a base date, ready to serve."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field, field_validator

from credit_ct_dagster.assets.config import refuses_bad_values
from credit_ct_dagster.assets.preprocessed_splits import limits_of
from credit_ct_dagster.contracts import files
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.package import PackageRecord
from credit_ct_dagster.contracts.search import SearchSummary
from credit_ct_dagster.contracts.splits import ScalersRecord, SplitsSummary
from credit_ct_dagster.decisions.promotions import Promotions
from credit_ct_dagster.errors.inputs import UnusableRowsError
from credit_ct_dagster.errors.stores import MixedArtifactsError
from credit_ct_dagster.io_managers.artifacts import ArtifactFolder, ArtifactsIOManager
from credit_ct_dagster.io_managers.raw_rows import raw_splits
from credit_ct_dagster.metadata.columns import column_schema
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.answers.scorer_data import scorer_record
from credit_ct_dagster.modeling.rows.row_rules import RowRules
from credit_ct_dagster.packaging.packaged_figures import (
    figures_of_package,
    shown_calibration,
    shown_figures,
    shown_rule,
)
from credit_ct_dagster.packaging.recalibration import (
    loaded,
    newest_but_of,
    recalibration_of,
    restored,
    rows_to_calibrate_on,
    too_few,
)
from credit_ct_dagster.packaging.server_ahead import start_server_ahead
from credit_ct_dagster.resources.base_date_lock import BaseDateLock
from credit_ct_dagster.resources.bentoml_store import BentoMLStore
from credit_ct_dagster.resources.model_policy import ModelPolicy
from credit_ct_dagster.runs.failures import failing_clearly
from credit_ct_dagster.runs.processes import is_over

# pandas and scikit-learn take seconds to import, which whoever only loads the definitions does not
# need.
if TYPE_CHECKING:
    import pandas as pd

    from credit_ct_dagster.modeling.answers.calibration import Calibration
    from credit_ct_dagster.modeling.answers.class_weights import ChosenRule
    from credit_ct_dagster.scorer.ordinal import Model


class PackageConfig(dg.Config):
    """How the model of a base date is packaged."""

    calibrate_on: str | None = Field(
        default=None,
        description="Calibrates the probabilities, and chooses the class rule, on the validation"
        " rows of another base date, YYYY-MM-DD: recalibrates a champion on newer rows. By default"
        " on those of the model's own base date: to package a recalibrated model again without"
        " calibrate_on restores the calibration that it was trained with",
    )
    refit: bool = Field(
        default=False,
        description="Fits the best model once more, with as many trees, to training and validation"
        " rows. Calibration and class rule are those of the model that has not seen the latter."
        " Off, because validation rows then no longer show how good the package is",
    )

    @field_validator("calibrate_on")
    @classmethod
    def _is_a_day(cls, value: str | None) -> str | None:
        if value is not None and date.fromisoformat(value).isoformat() != value:
            raise ValueError("must be a base date, YYYY-MM-DD")
        return value


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
    policy: ModelPolicy,
    promotions: dg.ResourceParam[Promotions],
) -> dg.MaterializeResult:
    """The best model in the BentoML store, as one object that takes raw rows.

    It is an MLflow pyfunc, which works where this platform is not installed. Its probabilities are
    calibrated on the validation rows, by the method with the lowest log-loss there; its classes
    follow from them by the rule that serves the declared utility (UTILITY) best there. Its labels
    name the base date, the MLflow run, the Dagster run and the data it was made from; its metadata
    holds the parameters, and metrics of the classes and probabilities that it gives.
    """
    # Measured: scikit-learn takes 1.5 s to import, which only this step needs.
    from credit_ct_dagster.modeling.answers.calibration import transferred
    from credit_ct_dagster.modeling.answers.golden import golden_rows
    from credit_ct_dagster.modeling.rows.preparation import scalers_fingerprint, scalers_of
    from credit_ct_dagster.modeling.rows.splitting import require_fingerprint
    from credit_ct_dagster.scorer.scorer import Scorer

    base_dt = context.partition_key
    with failing_clearly(context):
        base_date_lock.ensure_held()
        start_server_ahead(context, promotions)
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
        splits = {name: preprocessed_splits[files.SPLIT_FILES[name]] for name in ("train", "val")}
        for name, rows in splits.items():
            require_fingerprint(rows, search.fingerprints[name], f"{name} rows of the model")
        rows, seen_share = splits["val"], search.seen_share
        if config.calibrate_on not in (None, base_dt):
            rows, seen_share = rows_to_calibrate_on(
                config.calibrate_on, artifacts, scalers, splits["train"]
            )
            seen_share = max(seen_share, search.seen_share)
        calibration, rule = _fitted_answers(model, rows, splits["train"], policy)
        if config.calibrate_on is not None and not calibration.log_losses:
            raise UnusableRowsError(too_few(base_dt, config.calibrate_on))
        served = calibration.model
        made: Model | bytes = tuned_runs.content(files.BEST_MODEL_FILE)
        if config.refit:
            made = refitted = _refitted(search, splits, served.features)
            served = transferred(served, refitted)
        identity = ModelIdentity(
            base_dt=base_dt,
            mlflow_run_id=search.mlflow.best_run_id,
            dagster_run_id=context.run.run_id,
            data_fingerprint=search.data_fingerprint,
        )
        record = PackageRecord(
            seen_share=seen_share,
            calibration=calibration.method,
            log_loss_per_calibration=calibration.log_losses,
            class_weights=rule.weights,
            macro_f1_per_rule=rule.macro_f1,
            calibrated_on=config.calibrate_on or base_dt,
            refitted=config.refit,
        )
        raw = raw_splits(artifacts, base_dt, files.SPLITS)
        limits = preprocessed_splits.read(SplitsSummary).limits or limits_of(RowRules())
        data = scorer_record(
            model=served.model,
            scales=learned.columns,
            calibrated=served.calibrated,
            train=raw["train"],
            limits=limits,
            protected=policy.protected_features,
            rule=rule.data,
            utility=policy.chosen_for,
        )
        scorer = Scorer(served.model, data.model_dump(mode="json"))
        figures = figures_of_package(scorer, record, raw)
        before = newest_but_of(bentoml_store, identity)
        compared = None
        if record.calibrated_on != base_dt:
            reported = reported_packages(context.instance, base_dt)
            old = loaded(before, bentoml_store, reported, context.log)
            compared = recalibration_of(scorer, record, old, artifacts, context.log)
        best = search.best
        tag = bentoml_store.save(
            made,
            data,
            identity,
            record,
            metadata={**best.params, "trees": best.iterations, **figures},
            golden=golden_rows(raw["train"], scalers, served, limits, rule.data),
        )
    _warn_of_excluded(context, policy, served.features)
    if compared is not None:
        (context.log.warning if compared.is_worse else context.log.info)(compared.sentence)
    elif config.calibrate_on is None and before and before.calibrated_on != base_dt:
        context.log.warning(restored(before))
    return dg.MaterializeResult(
        metadata={
            "bentoml_tag": tag,
            **shown_figures(figures),
            **(compared.metadata() if compared else {}),
            **shown_calibration(record),
            "refitted": record.refitted,
            **shown_rule(rule, policy),
            "package_sha256": bentoml_store.sha256(tag),
            **identity.labels(),
        }
    )


def _fitted_answers(
    model: "Model", rows: "pd.DataFrame", train: "pd.DataFrame", policy: ModelPolicy
) -> "tuple[Calibration, ChosenRule]":
    """How a model's scores become probabilities, and these become classes."""
    from credit_ct_dagster.modeling.answers.calibration import calibrate
    from credit_ct_dagster.modeling.answers.class_weights import choose_rule

    calibration = calibrate(model, rows)
    labels = train[schema.TARGET].value_counts().to_dict()
    return calibration, choose_rule(calibration, rows, labels, policy.chosen_for)


def _refitted(
    search: SearchSummary, splits: "Mapping[str, pd.DataFrame]", features: Sequence[str]
) -> "Model":
    """The best model, fitted once more to training and validation rows."""
    from credit_ct_dagster.modeling.search.refit import refit

    best = search.best
    if not best.trees:
        raise MixedArtifactsError(
            f"The model of base date {search.base_dt} cannot be fitted again (refit: true): an"
            " earlier release searched it, and did not record all of its parameters. Materialize"
            " tuned_runs for this base date again."
        )
    params = {**best.params, **best.fixed}
    return refit(params, best.trees, splits["train"], splits["val"], features)


def _warn_of_excluded(
    context: dg.AssetExecutionContext, policy: ModelPolicy, features: Sequence[str]
) -> None:
    """A model that was searched before a feature was excluded still uses it."""
    excluded = [name for name in policy.excluded_features if name in features]
    if excluded:
        context.log.warning(
            f"The model of base date {context.partition_key} was trained on {', '.join(excluded)},"
            " which EXCLUDED_FEATURES names now. Materialize tuned_runs, bentoml_model and"
            " champion_model for this base date to have one that does without."
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

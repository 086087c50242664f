"""The search for the best model of a base date."""

import time
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field, field_validator

from credit_ct_dagster.assets.config import refuses_bad_values
from credit_ct_dagster.assets.tables import table_of
from credit_ct_dagster.contracts import files
from credit_ct_dagster.contracts.splits import SplitsSummary
from credit_ct_dagster.io_managers.artifacts import FOLDER, ArtifactFolder
from credit_ct_dagster.modeling.search.search_space import TuningParameters
from credit_ct_dagster.runs.failures import failing_clearly

# What searches and draws is imported where it is used: MLflow takes seconds.
if TYPE_CHECKING:
    import pandas as pd

    from credit_ct_dagster.contracts.search import SearchSummary
    from credit_ct_dagster.resources.mlflow.tracking import MlflowTracking
    from credit_ct_dagster.search.search import SearchRequest, SearchResult

_TRIALS_SHOWN = 10
_IN_FILE_ONLY = ("run_id", "reason", "seconds", "tracking_seconds")


class TuningConfig(TuningParameters, dg.Config):
    """The search, and where its trials are fitted."""

    n_jobs: int = Field(
        default=-1,
        ge=-1,
        description="Fits this many trials at the same time on this machine, from 1; -1: one per"
        " core, which the benchmarks found fastest",
    )
    thread_count: int = Field(
        default=-1,
        ge=-1,
        description="Gives each fit this many threads, from 1; -1: the cores, which fits at the"
        " same time divide among them if they have fewer than 20,000 training rows, and share if"
        " they have more: the last fits leave none idle",
    )
    resume: bool = Field(
        default=True,
        description="Retains the trials that an earlier search of the same rows and configuration"
        " finished: they would end the same way. false starts anew",
    )

    @field_validator("n_jobs", "thread_count")
    @classmethod
    def _not_zero(cls, value: int) -> int:
        if value == 0:
            raise ValueError("must be -1, or 1 and more")
        return value

    def parameters(self) -> TuningParameters:
        """What decides how the search ends."""
        return TuningParameters(**self.model_dump(include=set(TuningParameters.model_fields)))


@refuses_bad_values(TuningConfig)
@dg.asset(
    group_name="training",
    owners=["team:ml-platform"],
    kinds={"catboost", "optuna", "mlflow"},
    io_manager_key="artifacts",
    metadata={FOLDER: files.MODEL_FOLDER},
    # dagster-mlflow's resource has no type to be injected by.
    required_resource_keys={
        "artifacts", "base_date_lock", "dask", "mlflow", "policy", "study_storage", "tracking",
    },
)  # fmt: skip
def tuned_runs(
    context: dg.AssetExecutionContext, config: TuningConfig, preprocessed_splits: ArtifactFolder
) -> dg.Output[dict[str, Any]]:
    """One MLflow run per candidate, the table of all trials, and the best model.

    The best has the highest validation accuracy, then the lowest log-loss, then the lowest number.
    Metrics are those of the model itself, not of the best iteration per metric, and of the class of
    its highest raw score: the class rule is chosen when the model is packaged. Only the best model
    is scored on the holdout. Trials that an interrupted search of the same rows finished are
    retained.
    """
    from credit_ct_dagster.modeling.search.trials import trials_table
    from credit_ct_dagster.search.search import SearchStores, search
    from credit_ct_dagster.search.summary import summary_of

    resources = context.resources
    tracking: MlflowTracking = resources.tracking
    with failing_clearly(context):
        resources.base_date_lock.ensure_held()
        started = time.perf_counter()
        splits = preprocessed_splits.read(SplitsSummary)
        request = _request(context, config, preprocessed_splits, splits)
        read_seconds = time.perf_counter() - started
        stores = SearchStores(tracking, resources.study_storage, resources.artifacts)
        result = search(request, stores, context.log)
        summary = summary_of(request, result, splits, tracking, read_seconds)
        urls = {
            "mlflow_run": tracking.run_url(request.parent_run_id),
            "mlflow_best_run": tracking.run_url(result.best_run_id),
        }
    table = trials_table(result.trials)
    return dg.Output(
        {
            files.TRIALS_FILE: table,
            files.BEST_MODEL_FILE: result.model,
            files.SEARCH_SUMMARY_FILE: summary,
        },
        metadata={
            "val_accuracy": result.best.metrics["accuracy"],
            "holdout_accuracy": result.holdout["accuracy"],
            "holdout_macro_f1": result.holdout["macro_f1"],
            "best_params": dg.MetadataValue.json(
                {**result.best.params, "iterations": result.best.iterations}
            ),
            **{name: dg.MetadataValue.url(url) for name, url in urls.items()},
            **_others(summary),
            "trials": _best_of(table),
            **_pictures(request, result),
        },
    )


def _others(summary: "SearchSummary") -> dict[str, dg.MetadataValue]:
    """Where texts are counted: the rows with kinds that count as any other, which none names."""
    if not summary.other_kinds:
        return {}
    return {"rows_with_other_kinds": dg.MetadataValue.json(dict(summary.other_kinds))}


def _request(
    context: dg.AssetExecutionContext,
    config: TuningConfig,
    folder: ArtifactFolder,
    splits: SplitsSummary,
) -> "SearchRequest":
    """The search that a configuration describes, with its rows."""
    from credit_ct_dagster.modeling.rows.splitting import require_fingerprint
    from credit_ct_dagster.search.search import Machines, SearchRequest

    rows = {name: folder[file] for name, file in files.SPLIT_FILES.items()}
    for name, split in rows.items():
        require_fingerprint(split, splits.fingerprints[name], f"{name} rows in {folder.path}")
    scheduler = context.resources.dask.scheduler
    return SearchRequest(
        base_dt=context.partition_key,
        rows=rows,
        fingerprints=splits.fingerprints,
        data_fingerprint=splits.data_fingerprint,
        features=context.resources.policy.features,
        parameters=config.parameters(),
        machines=Machines(config.n_jobs, config.thread_count, scheduler),
        resume=config.resume,
        parent_run_id=context.resources.mlflow.active_run().info.run_id,
        dagster_run_id=context.run.run_id,
    )


def _pictures(request: "SearchRequest", result: "SearchResult") -> dict[str, dg.MetadataValue]:
    from credit_ct_dagster.modeling.judging.evaluation import confusion, feature_importances
    from credit_ct_dagster.modeling.pages.plots import (
        confusion_matrix_svg,
        importances_svg,
        markdown_of,
        search_svg,
    )

    counts = confusion(result.model, request.rows["holdout"])
    pictures = {
        "search": search_svg(result.trials, result.curves),
        "confusion_matrix": confusion_matrix_svg(counts, f"Holdout, {request.base_dt}"),
        "feature_importances": importances_svg(feature_importances(result.model)),
    }
    return {
        name: dg.MetadataValue.md(markdown_of(name.replace("_", " "), svg))
        for name, svg in pictures.items()
    }


def _best_of(table: "pd.DataFrame") -> dg.TableMetadataValue:
    """The first rows, completed trials with the highest accuracy before all others.

    All of them, with their times and the reasons of those that failed, are in the file. The page of
    events loads the metadata of a hundred base dates at once.
    """
    ordered = table.sort_values(
        ["state", "val_accuracy", "trial"], ascending=[True, False, True], na_position="last"
    )
    left_out = [name for name in ordered if name in _IN_FILE_ONLY or name.startswith("val_f1_")]
    few = ordered.head(_TRIALS_SHOWN).drop(columns=left_out)
    rounded = few.round(4).astype(object)
    return table_of(rounded.where(rounded.notna(), None).to_dict("records"))

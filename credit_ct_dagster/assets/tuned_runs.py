"""The search for the best model of a base date."""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field, field_validator

from credit_ct_dagster.assets.config import refuses_bad_values
from credit_ct_dagster.contracts import files
from credit_ct_dagster.contracts.splits import SplitsSummary
from credit_ct_dagster.io_managers.artifacts import FOLDER, ArtifactFolder
from credit_ct_dagster.metadata.markdown import link
from credit_ct_dagster.metadata.tables import MOST_ROWS, counts_table, rounded, table_of
from credit_ct_dagster.modeling.search.search_space import TuningParameters
from credit_ct_dagster.resources.dagster_ui import DagsterUI
from credit_ct_dagster.resources.stored_pages import stored_pages
from credit_ct_dagster.runs.failures import failing_clearly

# What searches and draws is imported where it is used: MLflow takes seconds.
if TYPE_CHECKING:
    import pandas as pd

    from credit_ct_dagster.contracts.search import SearchSummary
    from credit_ct_dagster.resources.mlflow.tracking import MlflowTracking
    from credit_ct_dagster.search.search import SearchRequest, SearchResult

_COLUMNS = {
    "trial": "trial",
    "state": "state",
    "depth": "depth",
    "rsm": "rsm",
    "l2_leaf_reg": "l2",
    "iterations": "trees",
    "val_accuracy": "accuracy",
    "val_macro_f1": "macro_f1",
    "val_log_loss": "log_loss",
}
"""Of the table of trials, with the short words that people see. Figures are of validation rows."""


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
        "artifacts", "base_date_lock", "dagster_ui", "dask", "mlflow", "policy", "study_storage",
        "tracking",
    },
)  # fmt: skip
def tuned_runs(
    context: dg.AssetExecutionContext, config: TuningConfig, preprocessed_splits: ArtifactFolder
) -> dg.Output[dict[str, Any]]:
    """One MLflow run per candidate, the table of all trials, and the best model.

    The best has the highest validation accuracy, then the lowest log-loss, then the lowest number.
    Metrics are those of the model itself, not of the best iteration per metric, and of the class of
    its highest raw score: the class rule is chosen when the model is packaged. Log-loss is that of
    the raw scores, divided by their sum; trees are counted, and candidates stopped, by the
    minimised loss (loss_function), which has another scale. Only the best model is scored on the
    holdout. Trials that an interrupted search of the same rows finished are retained.
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
        links = {
            "mlflow_run": link("the search", tracking.run_url(request.parent_run_id)),
            "mlflow_best_run": link("its best trial", tracking.run_url(result.best_run_id)),
        }
    table = trials_table(result.trials)
    pictures = _pictures(request, result)
    return dg.Output(
        {
            files.TRIALS_FILE: table,
            files.BEST_MODEL_FILE: result.model,
            files.SEARCH_SUMMARY_FILE: summary,
        },
        metadata={
            "val_accuracy": rounded(result.best.metrics["accuracy"]),
            "holdout_accuracy": rounded(result.holdout["accuracy"]),
            "holdout_macro_f1": rounded(result.holdout["macro_f1"]),
            "trials_by_state": _by_state(summary),
            "model_card": dg.MetadataValue.url(resources.dagster_ui.card_path(request.base_dt)),
            **shown_pictures(resources.dagster_ui, request.base_dt, pictures),
            "trials": _best_of(table),
            **links,
            **tracking.shown_command,
            # Where texts are counted: kinds that count as any other, which none names.
            **counts_table("rows_with_other_kinds", "split", summary.other_kinds, summary.FILE),
            **stored_pages(tracking.model_name, pictures),
        },
    )


def _by_state(summary: "SearchSummary") -> str:
    counts = summary.trials.model_dump(exclude={"total"})
    return ", ".join(f"{count:,} {state}" for state, count in counts.items() if count)


def shown_pictures(
    ui: DagsterUI, base_dt: str, names: Iterable[str]
) -> dict[str, dg.MetadataValue]:
    """Pictures that the page shows by itself: Dagster does that with Markdown which is short."""
    return {
        Path(name).stem: dg.MetadataValue.md(f"![{name}]({ui.picture_path(base_dt, name)})")
        for name in names
    }


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
        card_url=context.resources.dagster_ui.card_url(context.partition_key),
    )


def _pictures(request: "SearchRequest", result: "SearchResult") -> dict[str, str]:
    """SVG by the name of the file."""
    from credit_ct_dagster.modeling.judging.evaluation import confusion, feature_importances
    from credit_ct_dagster.modeling.pages.plots import (
        confusion_matrix_svg,
        importances_svg,
        search_svg,
    )

    counts = confusion(result.model, request.rows["holdout"])
    loss = str(request.parameters.fixed()["loss_function"])
    return {
        "search.svg": search_svg(result.trials, result.curves, loss),
        "confusion_matrix.svg": confusion_matrix_svg(counts, f"Holdout, {request.base_dt}"),
        "feature_importances.svg": importances_svg(feature_importances(result.model)),
    }


def _best_of(table: "pd.DataFrame") -> dg.TableMetadataValue:
    """The first rows: the best trial, other completed ones by their rank, then all others.

    All of them, with their times and the reasons of those that failed, are in the file. The page of
    events loads the metadata of a hundred base dates at once.
    """
    ordered = table.sort_values(
        ["state", "val_accuracy", "val_log_loss", "trial"],
        ascending=[True, False, True, True],
        na_position="last",
    )
    few = ordered.head(MOST_ROWS)[[name for name in _COLUMNS if name in ordered]]
    short = few.rename(columns=_COLUMNS).round(4).astype(object)
    return table_of(short.where(short.notna(), None).to_dict("records"))

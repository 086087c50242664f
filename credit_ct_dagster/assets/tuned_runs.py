"""The search for the best model of a base date."""

import time
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import dagster as dg
import pandas as pd
from pydantic import Field, field_validator

from credit_ct_dagster.assets.config import refuses_bad_values
from credit_ct_dagster.assets.failures import failing_clearly
from credit_ct_dagster.assets.preprocessed_splits import SPLITS_SUMMARY
from credit_ct_dagster.assets.tables import table_of
from credit_ct_dagster.io_managers.artifacts import (
    FOLDER,
    MODEL_FOLDER,
    ArtifactFolder,
    ArtifactsIOManager,
)
from credit_ct_dagster.modeling.evaluation import confusion, evaluate, feature_importances
from credit_ct_dagster.modeling.local_workers import LocalWorkers
from credit_ct_dagster.modeling.plots import confusion_matrix_png, importances_png, search_png
from credit_ct_dagster.modeling.search_space import Params, TuningParameters
from credit_ct_dagster.modeling.splitting import SPLIT_FILES, SPLITS, require_fingerprint
from credit_ct_dagster.modeling.training import TrainingData
from credit_ct_dagster.modeling.trials import Trial, TrialState, trials_table
from credit_ct_dagster.modeling.tuning import TrialWorkers, best_of, completed_of, kept_trials, tune
from credit_ct_dagster.partitions import base_date_partitions
from credit_ct_dagster.resources.mlflow.tracking import (
    BASE_DATE_TAG,
    BEST_RUN_TAG,
    DAGSTER_RUN_TAG,
    FINGERPRINT_TAG,
    SEARCH_TAG,
    MlflowTracking,
    Nesting,
    failures_told,
)
from credit_ct_dagster.resources.study_storage import StudyStorage, search_id, study_name

TRIALS_FILE = "trials.parquet"
BEST_MODEL_FILE = "best.cbm"
SUMMARY_FILE = "summary.json"

_CURVES_SHOWN = 10


class TuningConfig(TuningParameters, dg.Config):
    """The search, and how it is run."""

    n_jobs: int = Field(
        default=-1, ge=-1, description="Trials at the same time, on this machine; -1: one per core"
    )
    thread_count: int = Field(
        default=-1,
        ge=-1,
        description="Threads of each fit; -1: the cores divided among the trials at the same time",
    )
    dask_scheduler: str | None = Field(
        default=None,
        description="Fit trials on the workers of this Dask scheduler, such as tcp://host:8786"
        " [default: DASK_SCHEDULER_ADDRESS; if neither is set, on this machine]",
    )
    resume: bool = Field(
        default=True,
        description="Keep the trials that an earlier search of the same rows and configuration"
        " finished; false begins afresh",
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
    partitions_def=base_date_partitions,
    group_name="training",
    owners=["team:ml-platform"],
    kinds={"catboost", "optuna", "mlflow"},
    io_manager_key="artifacts",
    metadata={FOLDER: MODEL_FOLDER},
    required_resource_keys={
        "base_date_lock",
        "mlflow",
        "tracking",
        "study_storage",
        "artifacts",
        "dask",
    },
)
def tuned_runs(
    context: dg.AssetExecutionContext, config: TuningConfig, preprocessed_splits: ArtifactFolder
) -> dg.Output[dict[str, Any]]:
    """One MLflow run per candidate, the table of all trials, and the best model.

    The best has the highest validation accuracy, of equals the lowest log-loss, of equals the
    earliest. Every metric is of the model that is kept. The holdout is scored once, with the best.
    Trials that an interrupted search of the same rows and configuration finished are kept.
    """
    base_dt = context.partition_key
    tracking: MlflowTracking = context.resources.tracking
    seconds = _Stopwatch()
    with failing_clearly(context):
        splits = preprocessed_splits[SPLITS_SUMMARY]
        train, val, holdout = (_read(preprocessed_splits, name, splits) for name in SPLITS)
        parent_run_id = context.resources.mlflow.active_run().info.run_id
        tracking.reopen(parent_run_id)
        seconds.lap("read")
        search, trials = _search(context, config, splits, train, val, parent_run_id)
        seconds.lap("tune")
        best = best_of(trials)
        assert best is not None
        assert best.run_id is not None
        model = tracking.load_model(best.run_id)
        on_holdout = evaluate(model, holdout)
        seconds.lap("evaluate")
        with failures_told("result of the search"):
            _describe(tracking, search, trials, best, on_holdout, parent_run_id)
            curves = {
                trial.number: tracking.curve(trial.run_id)
                for trial in completed_of(trials)[:_CURVES_SHOWN]
                if trial.run_id
            }
        seconds.lap("track")
        summary = _summary(context, splits, trials, best, on_holdout, seconds)
        mlflow_run, mlflow_best_run = map(tracking.run_url, (parent_run_id, best.run_id))
    table = trials_table(trials)
    pictures = {
        "search": search_png(trials, curves),
        "confusion_matrix": confusion_matrix_png(confusion(model, holdout), f"Holdout, {base_dt}"),
        "feature_importances": importances_png(feature_importances(model)),
    }
    return dg.Output(
        {TRIALS_FILE: table, BEST_MODEL_FILE: model, SUMMARY_FILE: summary},
        metadata={
            "val_accuracy": best.metrics["accuracy"],
            "holdout_accuracy": on_holdout["accuracy"],
            "holdout_macro_f1": on_holdout["macro_f1"],
            "best_params": dg.MetadataValue.json(best.params | {"iterations": best.iterations}),
            "mlflow_run": dg.MetadataValue.url(mlflow_run),
            "mlflow_best_run": dg.MetadataValue.url(mlflow_best_run),
            "trials": _records(table.drop(columns="run_id")),
            **{name: _picture(png, name.replace("_", " ")) for name, png in pictures.items()},
            "summary": dg.MetadataValue.json(summary),
        },
    )


def _summary(
    context: dg.AssetExecutionContext,
    splits: dict[str, Any],
    trials: Sequence[Trial],
    best: Trial,
    on_holdout: dict[str, float],
    seconds: "_Stopwatch",
) -> dict[str, Any]:
    """What the assets downstream, commands and people read of a search."""
    tracking: MlflowTracking = context.resources.tracking
    return {
        "base_dt": context.partition_key,
        "model_name": tracking.model_name,
        "rows": splits["rows"],
        "best": {
            "params": best.params,
            "iterations": best.iterations,
            "val": best.metrics,
            "holdout": on_holdout,
        },
        "trials": {
            "total": len(trials),
            **{state.value: sum(trial.state == state for trial in trials) for state in TrialState},
        },
        "seconds": seconds.laps
        | {
            "fits": sum(trial.seconds for trial in trials),
            "track_trials": sum(trial.tracking_seconds for trial in trials),
        },
        "mlflow": {
            "experiment_id": tracking.experiment_id(),
            "parent_run_id": context.resources.mlflow.active_run().info.run_id,
            "best_run_id": best.run_id,
        },
        "dagster_run_id": context.run.run_id,
        **{
            key: splits[key]
            for key in ("data_fingerprint", "fingerprints", "scalers_fingerprint", "seen_share")
        },
    }


class _Stopwatch:
    """Seconds between laps."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._since = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name], self._since = now - self._since, now


def _read(folder: ArtifactFolder, name: str, summary: dict[str, Any]) -> pd.DataFrame:
    """The rows of one split, which must be the ones that the summary describes."""
    rows = folder[SPLIT_FILES[name]]
    require_fingerprint(rows, summary["fingerprints"][name], f"{name} rows in {folder.path}")
    return rows


def _search(
    context: dg.AssetExecutionContext,
    config: TuningConfig,
    splits: dict[str, Any],
    train: pd.DataFrame,
    val: pd.DataFrame,
    parent_run_id: str,
) -> tuple[str, list[Trial]]:
    """Run what is left of the search; returns its id and all its trials."""
    base_dt, parameters = context.partition_key, config.parameters()
    tracking: MlflowTracking = context.resources.tracking
    storage: StudyStorage = context.resources.study_storage
    fingerprints = {name: splits["fingerprints"][name] for name in ("train", "val")}
    name = study_name(tracking.model_name, base_dt, parameters.fingerprint(*fingerprints.values()))
    with storage.open(name, parameters, context.log, afresh=not config.resume) as study:
        search = search_id(study)
        kept = len(kept_trials(study))
        if kept:
            context.log.info(f"{kept} trials of an earlier search are kept (resume: true)")
        nesting = Nesting(
            parent_run_id=parent_run_id,
            tags={
                BASE_DATE_TAG: base_dt,
                DAGSTER_RUN_TAG: context.run.run_id,
                FINGERPRINT_TAG: splits["data_fingerprint"],
                SEARCH_TAG: search,
            },
            fixed=parameters.fixed(),
        )
        tracking.describe(parent_run_id, nesting.tags, nesting.fixed, {})
        scheduler = config.dask_scheduler
        if scheduler is None:
            scheduler = context.resources.dask.scheduler
        workers: TrialWorkers
        if scheduler:
            # Dask takes a second to import, which only these searches need.
            from credit_ct_dagster.search.dask_workers import DaskWorkers, SharedSearch

            shared = SharedSearch(
                name, base_dt, fingerprints, parameters, config.thread_count, nesting
            )
            workers = DaskWorkers(scheduler, shared, tracking.tracker(nesting))
        else:
            workers = LocalWorkers(
                TrainingData.of(train, val),
                parameters,
                tracking.tracker(nesting),
                config.n_jobs,
                config.thread_count,
            )
        favourites = [parameters.centre(), *_last_winner(context.resources.artifacts, base_dt)]
        with workers:
            trials = tune(
                study,
                parameters,
                workers,
                favourites,
                on_progress=lambda progress: context.log.info(str(progress)),
            )
    return search, trials


def _last_winner(artifacts: ArtifactsIOManager, base_dt: str) -> list[Params]:
    """The parameters that won on the newest earlier base date, if there is one."""
    for earlier, folder in reversed(list(artifacts.open_all(MODEL_FOLDER))):
        if earlier < base_dt and SUMMARY_FILE in folder:
            return [folder[SUMMARY_FILE]["best"]["params"]]
    return []


def _describe(
    tracking: MlflowTracking,
    search: str,
    trials: Sequence[Trial],
    best: Trial,
    on_holdout: dict[str, float],
    parent_run_id: str,
) -> None:
    """Write the result of a search to its MLflow runs."""
    assert best.run_id is not None
    tracking.settle(search, {trial.run_id for trial in trials if trial.run_id}, parent_run_id)
    holdout_metrics = {f"holdout_{name}": value for name, value in on_holdout.items()}
    tracking.describe(best.run_id, {"credit_ct.best": "true"}, {}, holdout_metrics)
    tracking.describe(
        parent_run_id,
        {BEST_RUN_TAG: best.run_id},
        {},
        holdout_metrics | {f"val_{name}": value for name, value in best.metrics.items()},
    )


def _records(table: pd.DataFrame) -> dg.TableMetadataValue:
    rounded = table.round(4).astype(object)
    return table_of(rounded.where(rounded.notna(), None).to_dict("records"))


def _picture(png: bytes, title: str) -> dg.MarkdownMetadataValue:
    return dg.MetadataValue.md(f"![{title}](data:image/png;base64,{b64encode(png).decode()})")

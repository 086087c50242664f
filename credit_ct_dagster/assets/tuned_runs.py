"""The search for the best model of a base date."""

import time
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import dagster as dg
import pandas as pd

from credit_ct_dagster.assets.config import refuses_bad_values
from credit_ct_dagster.assets.failures import RETRY_ONCE, failing_clearly
from credit_ct_dagster.assets.preprocessed_splits import SPLIT_FILES, SPLITS_SUMMARY
from credit_ct_dagster.errors import CreditCtError
from credit_ct_dagster.io_managers.artifacts import FOLDER, ArtifactFolder
from credit_ct_dagster.modeling.evaluation import confusion, evaluate, feature_importances
from credit_ct_dagster.modeling.plots import confusion_matrix_png, importances_png
from credit_ct_dagster.modeling.splitting import SPLITS, data_fingerprint
from credit_ct_dagster.modeling.tuning import Trial, TuningParameters, best_of, tune
from credit_ct_dagster.partitions import base_date_partitions
from credit_ct_dagster.resources.mlflow_tracking import (
    BASE_DATE_TAG,
    BEST_RUN_TAG,
    DAGSTER_RUN_TAG,
    FINGERPRINT_TAG,
    MlflowTracking,
)

TRIALS_FILE = "trials.parquet"
BEST_MODEL_FILE = "best.cbm"
SUMMARY_FILE = "summary.json"


class TuningConfig(TuningParameters, dg.Config):
    """The search, as run configuration."""


@refuses_bad_values(TuningConfig)
@dg.asset(
    partitions_def=base_date_partitions,
    group_name="training",
    owners=["team:ml-platform"],
    kinds={"catboost", "mlflow"},
    io_manager_key="artifacts",
    metadata={FOLDER: "models/{model_name}/{base_dt}"},
    required_resource_keys={"mlflow", "tracking"},
    retry_policy=RETRY_ONCE,
)
def tuned_runs(
    context: dg.AssetExecutionContext, config: TuningConfig, preprocessed_splits: ArtifactFolder
) -> dg.Output[dict[str, Any]]:
    """One MLflow run per candidate, the table of all trials, and the best model.

    The best has the highest validation accuracy, of equals the lowest log-loss, of equals the
    earliest. Every metric is of the model that is kept. The holdout is scored once, with the best.
    """
    base_dt, run_id = context.partition_key, context.run.run_id
    tracking: MlflowTracking = context.resources.tracking
    started = time.perf_counter()
    with failing_clearly(base_dt):
        splits = preprocessed_splits[SPLITS_SUMMARY]
        train, val, holdout = (_read(preprocessed_splits, name, splits) for name in SPLITS)
    tags = {
        BASE_DATE_TAG: base_dt,
        DAGSTER_RUN_TAG: run_id,
        FINGERPRINT_TAG: splits["data_fingerprint"],
    }
    parent_run_id = context.resources.mlflow.active_run().info.run_id
    tracking.reopen(parent_run_id)
    tracking.describe(parent_run_id, tags, config.fixed(), {})
    seconds = {"read": time.perf_counter() - started}

    started = time.perf_counter()
    with failing_clearly(base_dt):
        trials = tune(
            train,
            val,
            config,
            tracking.tracker(parent_run_id, tags, config.fixed(), sample=train),
            on_progress=lambda done, total: context.log.info(_progress(done, total)),
        )
    seconds["tune"] = time.perf_counter() - started

    started = time.perf_counter()
    best = best_of(trials)
    assert best is not None
    assert best.model is not None
    assert best.run_id is not None
    on_holdout = evaluate(best.model, holdout)
    seconds["evaluate"] = time.perf_counter() - started
    holdout_metrics = {f"holdout_{name}": value for name, value in on_holdout.items()}
    tracking.describe(best.run_id, {"credit_ct.best": "true"}, {}, holdout_metrics)
    tracking.describe(
        parent_run_id,
        {BEST_RUN_TAG: best.run_id},
        {},
        holdout_metrics | {f"val_{name}": value for name, value in best.metrics.items()},
    )
    summary = {
        "base_dt": base_dt,
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
            **{
                state: sum(trial.state == state for trial in trials)
                for state in ("completed", "pruned", "failed")
            },
        },
        "seconds": seconds,
        "mlflow": {
            "experiment_id": tracking.experiment_id(),
            "parent_run_id": parent_run_id,
            "best_run_id": best.run_id,
        },
        "dagster_run_id": run_id,
        "data_fingerprint": splits["data_fingerprint"],
        "scalers_fingerprint": splits["scalers_fingerprint"],
    }
    table = _table(trials)
    matrix = confusion_matrix_png(confusion(best.model, holdout), f"Holdout, {base_dt}")
    importances = importances_png(feature_importances(best.model))
    return dg.Output(
        {TRIALS_FILE: table, BEST_MODEL_FILE: best.model, SUMMARY_FILE: summary},
        metadata={
            "val_accuracy": best.metrics["accuracy"],
            "holdout_accuracy": on_holdout["accuracy"],
            "holdout_macro_f1": on_holdout["macro_f1"],
            "best_params": dg.MetadataValue.json(best.params | {"iterations": best.iterations}),
            "mlflow_run": dg.MetadataValue.url(tracking.run_url(parent_run_id)),
            "mlflow_best_run": dg.MetadataValue.url(tracking.run_url(best.run_id)),
            "trials": dg.MetadataValue.table(
                [
                    dg.TableRecord({k: v for k, v in row.items() if pd.notna(v)})
                    for row in table.drop(columns="run_id").round(4).to_dict("records")
                ],
                schema=dg.TableSchema(
                    columns=[
                        dg.TableColumn(
                            name, "float" if table[name].dtype == "float64" else "string"
                        )
                        for name in table.columns.drop("run_id")
                    ]
                ),
            ),
            "confusion_matrix": _picture(matrix, "Confusion matrix of the holdout"),
            "feature_importances": _picture(importances, "Feature importances"),
            "summary": dg.MetadataValue.json(summary),
        },
    )


def _read(folder: ArtifactFolder, name: str, summary: dict[str, Any]) -> pd.DataFrame:
    """The rows of one split, which must be the ones that the summary describes."""
    rows = folder[SPLIT_FILES[name]]
    if data_fingerprint(rows) != summary["fingerprints"][name]:
        raise CreditCtError(
            f"The {name} rows in {folder.path} are not those of its summary: another run wrote them"
            " at the same time. Materialize preprocessed_splits again."
        )
    return rows


def _progress(trials: Sequence[Trial], total: int) -> str:
    last, best = trials[-1], best_of(trials)
    outcome = (
        f"accuracy {last.metrics['accuracy']:.4f}" if last.metrics else f"failed: {last.error}"
    )
    spent = sum(trial.seconds for trial in trials)
    left = spent / len(trials) * (total - len(trials))
    so_far = f", best {best.metrics['accuracy']:.4f} (trial {best.number})" if best else ""
    return f"trial {len(trials)}/{total}: {outcome}{so_far}, about {left:.0f} s left"


def _table(trials: Sequence[Trial]) -> pd.DataFrame:
    """One row per trial: its number, state, parameters, metrics, time, and MLflow run."""
    return pd.DataFrame(
        {
            "trial": trial.number,
            "state": trial.state,
            **trial.params,
            "iterations": trial.iterations,
            **{f"val_{name}": value for name, value in trial.metrics.items()},
            "seconds": trial.seconds,
            "error": trial.error,
            "run_id": trial.run_id,
        }
        for trial in trials
    )


def _picture(png: bytes, title: str) -> dg.MarkdownMetadataValue:
    return dg.MetadataValue.md(f"![{title}](data:image/png;base64,{b64encode(png).decode()})")

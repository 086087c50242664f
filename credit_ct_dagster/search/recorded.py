"""What people see of a search in MLflow, besides its trials: its rows, its progress, its result."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mlflow.entities import Dataset, DatasetInput, InputTag
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

from credit_ct_dagster.contracts.trial import Trial, TrialState
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.resources.mlflow.tags import (
    BEST_RUN_TAG,
    BEST_TAG,
    IN_PROGRESS,
    NOTE_TAG,
    trial_name,
)
from credit_ct_dagster.resources.mlflow.tracking import MlflowTracking

if TYPE_CHECKING:
    from credit_ct_dagster.search.search import SearchRequest

PROGRESS_METRIC = "best_val_accuracy"
"""On the run of a search: the best accuracy on validation after each completed trial."""


def record_start(
    tracking: MlflowTracking,
    request: "SearchRequest",
    tags: Mapping[str, str],
    fixed: Mapping[str, object],
) -> None:
    """Describe the run of a search that begins.

    Args:
        tracking: Where it is recorded.
        request: The search.
        tags: Tags of every run of it.
        fixed: Parameters that all its trials share.
    """
    note = f"{_about(request)}\n\n{IN_PROGRESS}"
    tracking.describe(request.parent_run_id, {**tags, NOTE_TAG: note}, fixed, {})
    tracking.log_data(request.parent_run_id, datasets_of(request))


def record_result(
    tracking: MlflowTracking,
    request: "SearchRequest",
    trials: Sequence[Trial],
    best: Trial,
    holdout: Mapping[str, float],
) -> None:
    """Write the result of a search to its runs; the parent has succeeded from then on.

    Args:
        tracking: Where it is recorded.
        request: The search.
        trials: All of them.
        best: The best one.
        holdout: Metrics of its model on the holdout.
    """
    assert best.run_id is not None
    on_holdout = {f"holdout_{name}": value for name, value in holdout.items()}
    on_val = {f"val_{name}": value for name, value in best.metrics.items()}
    tracking.describe(best.run_id, {BEST_TAG: "true"}, {}, on_holdout)
    tracking.log_data(best.run_id, datasets_of(request))
    name = trial_name(request.base_dt, best.number)
    result = (
        f"The best of {len(trials)} trials is [{name}]({tracking.run_url(best.run_id)}): accuracy"
        f" {best.metrics['accuracy']:.4f} on validation, {holdout['accuracy']:.4f} on the holdout."
    )
    card = f"\n\n[Model card]({request.card_url})" if request.card_url else ""
    tracking.describe(
        request.parent_run_id,
        {BEST_RUN_TAG: best.run_id, NOTE_TAG: f"{_about(request)}\n\n{result}{card}"},
        {},
        on_holdout | on_val,
        {PROGRESS_METRIC: _progress(trials)},
    )


def datasets_of(request: "SearchRequest") -> list[DatasetInput]:
    """The prepared rows of a search, as MLflow names data sets: without any value of them."""
    found = []
    for name, rows in request.rows.items():
        columns = [
            {"name": column, "type": "double" if column in schema.NUMERIC else "string"}
            for column in schema.MERGED_COLUMNS
            if column in rows
        ]
        dataset = Dataset(
            name=f"{request.base_dt} {name}",
            digest=request.fingerprints[name],
            source_type="dagster",
            source=json.dumps({"asset": "preprocessed_splits", "partition": request.base_dt}),
            schema=json.dumps({"mlflow_colspec": columns}),
            profile=json.dumps({"num_rows": len(rows), "num_elements": rows.size}),
        )
        found.append(DatasetInput(dataset, [InputTag(MLFLOW_DATASET_CONTEXT, name)]))
    return found


def _about(request: "SearchRequest") -> str:
    rows = ", ".join(f"{len(rows):,} {name}" for name, rows in request.rows.items())
    return (
        f"Search for the best model of base date {request.base_dt}: preset"
        f" {request.parameters.preset.value}, {len(request.features)} features, rows: {rows}."
    )


def _progress(trials: Sequence[Trial]) -> list[float]:
    best, found = 0.0, []
    for trial in trials:
        if trial.state == TrialState.completed:
            best = max(best, trial.metrics["accuracy"])
            found.append(best)
    return found

"""What killed processes left in MLflow: runs that are open, and trials that no search knows."""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from credit_ct_dagster.resources.mlflow.pages import all_pages
from credit_ct_dagster.resources.mlflow.tags import (
    BEST_RUN_TAG,
    DAGSTER_RUN_TAG,
    IN_PROGRESS,
    NOTE_TAG,
    PARENT_DAGSTER_RUN_TAG,
    REASON_TAG,
    SEARCH_TAG,
)

if TYPE_CHECKING:  # MLflow takes seconds to import
    from mlflow.entities import Run

    from credit_ct_dagster.resources.mlflow.tracking import MlflowTracking

_PARENT_RUN_TAG = "mlflow.parentRunId"


def status_of_parent(tags: Mapping[str, str]) -> str:
    """How a parent run, or an abandoned trial, ended: it has finished if its best run is known."""
    return "FINISHED" if BEST_RUN_TAG in tags else "FAILED"


def end_parent(tracking: "MlflowTracking", run_id: str, dagster_run_id: str) -> str:
    """Describe a parent run that ends without a model; returns how it ended."""
    tags = tracking.client.get_run(run_id).data.tags
    status = status_of_parent(tags)
    if status == "FAILED":
        why = f"It ended without a model; the page of Dagster run {dagster_run_id} says why."
        note = tags.get(NOTE_TAG, IN_PROGRESS).replace(IN_PROGRESS, why)
        tracking.client.set_tag(run_id, NOTE_TAG, note)
    return status


def settle(
    tracking: "MlflowTracking", search: str, run_ids: Collection[str], parent_run_id: str
) -> None:
    """Nest the trials of a search, those of earlier attempts too, under one run.

    A process that is killed just after it wrote a trial's run leaves one that the search does not
    know, and whose trial was fitted again. Such a run is marked as killed.

    Args:
        tracking: Where they are recorded.
        search: The search, as in `SEARCH_TAG`.
        run_ids: The runs of its trials.
        parent_run_id: The run to nest them under.
    """
    client = tracking.client
    with tracking.translated("nesting the runs of trials"):
        for run in _runs_where(tracking, f"tags.`{SEARCH_TAG}` = '{search}'"):
            run_id, tags = run.info.run_id, run.data.tags
            if run_id == parent_run_id or _PARENT_RUN_TAG not in tags:
                continue
            if run_id not in run_ids:
                client.set_tag(run_id, REASON_TAG, "Killed before the search knew of it")
                client.set_terminated(run_id, "KILLED")
            elif tags[_PARENT_RUN_TAG] != parent_run_id:
                client.set_tag(run_id, _PARENT_RUN_TAG, parent_run_id)


def end_abandoned(tracking: "MlflowTracking", is_over: Callable[[str], bool]) -> list[str]:
    """End the runs that a killed Dagster run left open, parents and trials.

    Args:
        tracking: Where they are recorded.
        is_over: Whether the Dagster run with an id has ended.

    Returns:
        The ids of the runs that were ended.
    """
    client, abandoned = tracking.client, {}
    with tracking.translated("ending abandoned runs"):
        for run in _runs_where(tracking, "attributes.status = 'RUNNING'"):
            tags = run.data.tags
            dagster_run_id = tags.get(DAGSTER_RUN_TAG) or tags.get(PARENT_DAGSTER_RUN_TAG)
            if dagster_run_id and is_over(dagster_run_id):
                abandoned[run.info.run_id] = dagster_run_id
        for run_id, dagster_run_id in abandoned.items():
            client.set_tag(run_id, REASON_TAG, "The process that executed it was killed")
            client.set_terminated(run_id, end_parent(tracking, run_id, dagster_run_id))
    return list(abandoned)


def _runs_where(tracking: "MlflowTracking", condition: str) -> "Iterator[Run]":
    """The runs of the experiment that meet a condition."""
    experiments = [tracking.experiment_id()]
    return all_pages(
        lambda token: tracking.client.search_runs(experiments, condition, page_token=token)
    )

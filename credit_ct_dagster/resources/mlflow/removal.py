"""Deletes runs from MLflow, with the models and files that belong to them."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from mlflow.entities import LoggedModel, Run, ViewType
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from credit_ct_dagster.partitions import day_of
from credit_ct_dagster.resources.mlflow import internals
from credit_ct_dagster.resources.mlflow.pages import all_pages
from credit_ct_dagster.resources.mlflow.tags import (
    BASE_DATE_TAG,
    BEST_RUN_TAG,
    PARENT_DAGSTER_RUN_TAG,
)
from credit_ct_dagster.resources.mlflow.tracking import MlflowTracking


class RemovableRuns:
    """The platform's runs of the experiment, as listed once, and their deletion."""

    def __init__(self, tracking: MlflowTracking) -> None:
        self._tracking = tracking
        self._client = tracking.client
        self._runs: dict[str, list[Run]] = defaultdict(list)
        self._models: dict[str, list[LoggedModel]] = defaultdict(list)
        experiment_id = tracking.existing_experiment_id()
        if experiment_id:
            with tracking.translated("listing the runs"):
                self._read(experiment_id)

    @property
    def deletes_permanently(self) -> bool:
        """Whether runs are deleted for good; a server keeps their rows, without files."""
        return internals.deletes_permanently(self._client)

    def per_base_date(self) -> dict[str, list[Run]]:
        """Runs per base date, trials before their parents.

        A run that failed before its base date was recorded counts for the day on which it started.
        """
        return self._runs

    def without_trials(self, dagster_run_ids: Collection[str]) -> list[Run]:
        """Runs of searches that Dagster runs began, and that neither found nor fitted a model.

        One with trials is where the next attempt goes on.
        """
        runs = [run for of_day in self._runs.values() for run in of_day]
        nesting = {run.data.tags.get(MLFLOW_PARENT_RUN_ID) for run in runs}
        return [
            run
            for run in runs
            if run.data.tags.get(PARENT_DAGSTER_RUN_TAG) in dagster_run_ids
            and BEST_RUN_TAG not in run.data.tags
            and run.info.run_id not in nesting
        ]

    def size(self, run: Run) -> int:
        """Bytes of the files of a run and its models."""
        with self._tracking.translated(f"listing the files of run {run.info.run_id}"):
            return sum(_size(repository) for repository in self._repositories(run))

    def remove(self, run: Run) -> None:
        """Delete the files of a run, then the run: after a kill in between, it is listed again."""
        run_id = run.info.run_id
        with self._tracking.translated(f"deleting run {run_id}"):
            for repository in self._repositories(run):
                repository.delete_artifacts()
                _remove_empty_parent(repository)
            for model in self._models[run_id]:
                self._client.delete_logged_model(model.model_id)
                if self.deletes_permanently:
                    internals.delete_model_permanently(self._client, model.model_id)
            self._client.delete_run(run_id)
            if self.deletes_permanently:
                internals.delete_run_permanently(self._client, run_id)

    def _read(self, experiment_id: str) -> None:
        experiments = [experiment_id]
        for run in all_pages(
            lambda token: self._client.search_runs(
                experiments, "", ViewType.ACTIVE_ONLY, page_token=token
            )
        ):
            tags = run.data.tags
            if BASE_DATE_TAG in tags:
                self._runs[tags[BASE_DATE_TAG]].append(run)
            elif PARENT_DAGSTER_RUN_TAG in tags:
                self._runs[day_of(run.info.start_time / 1000)].append(run)
        for model in all_pages(
            lambda token: self._client.search_logged_models(experiments, page_token=token)
        ):
            if model.source_run_id:
                self._models[model.source_run_id].append(model)
        for runs in self._runs.values():
            runs.sort(key=lambda run: MLFLOW_PARENT_RUN_ID not in run.data.tags)

    def _repositories(self, run: Run) -> Iterator[ArtifactRepository]:
        models = [model.artifact_location for model in self._models[run.info.run_id]]
        for uri in [*models, run.info.artifact_uri]:
            self._tracking.require_place(uri)
            yield get_artifact_repository(uri)


def _size(repository: ArtifactRepository, path: str | None = None) -> int:
    return sum(
        _size(repository, file.path) if file.is_dir else file.file_size or 0
        for file in repository.list_artifacts(path)
    )


def _remove_empty_parent(repository: ArtifactRepository) -> None:
    """On a disk, the files of a run lie in a folder `artifacts`, in a folder named after it."""
    if repository.artifact_uri.startswith("file:"):
        with suppress(OSError):
            Path(local_file_uri_to_path(repository.artifact_uri)).parent.rmdir()

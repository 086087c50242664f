"""The models that versions are registered of: packages, logged as they are to the trial's run."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.errors.models import MissingModelError
from credit_ct_dagster.resources.mlflow.pages import all_pages
from credit_ct_dagster.resources.mlflow.places import require_not_deleted
from credit_ct_dagster.resources.mlflow.tags import BASE_DATE_TAG, CONTENT_TAG, SCORER
from credit_ct_dagster.resources.mlflow.tracking import MlflowTracking, is_missing

if TYPE_CHECKING:  # MLflow takes seconds to import
    from mlflow.entities import Run


class Packages(Protocol):
    """Where packages are."""

    def mlflow_model(self, tag: str, sha256: str = "") -> AbstractContextManager[Path]:
        """The folder of the MLflow model that a package holds."""


class LoggedScorers:
    """Packages as models of MLflow runs; used inside `MlflowTracking.translated`."""

    def __init__(self, tracking: MlflowTracking) -> None:
        self._tracking = tracking

    def log(self, model: ModelIdentity, packages: Packages) -> str:
        """Make sure that the package of a model is logged to its run.

        Args:
            model: With its package, and the hash of that.
            packages: Where the package is.

        Returns:
            The id of the logged model.

        Raises:
            MissingModelError: The run was deleted.
            DeletedInMlflowError: It is in MLflow's trash.
        """
        from mlflow.entities import LoggedModelOutput, LoggedModelStatus

        client, run = self._tracking.client, self._run_of(model)
        found = self._logged(run, model.package_sha256)
        if found is not None:
            return found
        logged = client.create_logged_model(
            run.info.experiment_id,
            SCORER,
            source_run_id=run.info.run_id,
            tags={CONTENT_TAG: model.package_sha256, BASE_DATE_TAG: model.base_dt},
        )
        model_id = str(logged.model_id)
        self._tracking.require_place(logged.artifact_location)
        with packages.mlflow_model(model.bentoml_tag, model.package_sha256) as folder:
            client.log_model_artifacts(model_id, str(folder))
        client.log_outputs(run.info.run_id, [LoggedModelOutput(model_id, step=0)])
        client.finalize_logged_model(model_id, LoggedModelStatus.READY)
        return model_id

    def _logged(self, run: "Run", sha256: str) -> str | None:
        """The model with a content; what a killed process left half logged is deleted."""
        from mlflow.entities import LoggedModelStatus

        client, found = self._tracking.client, None
        of_run = f"source_run_id = '{run.info.run_id}' AND name = '{SCORER}'"
        for logged in all_pages(
            lambda token: client.search_logged_models(
                [run.info.experiment_id], of_run, page_token=token
            )
        ):
            if logged.status != LoggedModelStatus.READY:
                client.delete_logged_model(logged.model_id)
            elif logged.tags.get(CONTENT_TAG) == sha256:
                found = str(logged.model_id)
        return found

    def _run_of(self, model: ModelIdentity) -> "Run":
        from mlflow.exceptions import MlflowException

        run_id = model.mlflow_run_id
        try:
            run = self._tracking.client.get_run(run_id)
        except MlflowException as error:
            if not is_missing(error):
                raise
            raise MissingModelError(
                f"MLflow run {run_id} of base date {model.base_dt} was deleted. Run this base date"
                " again with resume: false in the configuration of tuned_runs."
            ) from error
        require_not_deleted(
            run.info.lifecycle_stage,
            f"run {run_id} of base date {model.base_dt}",
            f"runs restore --run-id {run_id}",
            self._tracking.location,
        )
        return run

"""MLflow's tracking store, by explicit run ids."""

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import dagster as dg
from pydantic import Field

from credit_ct_dagster.errors.models import MissingModelError
from credit_ct_dagster.makefile import command_of
from credit_ct_dagster.outages import Dependency, translated
from credit_ct_dagster.resources.mlflow.places import (
    database_file,
    files_beside,
    require_not_deleted,
    require_place,
)
from credit_ct_dagster.resources.mlflow.tags import (
    BASE_DATE_TAG,
    BEST_RUN_TAG,
    CURVE_METRIC,
    EARLIER_CURVE_METRIC,
    MODEL,
    MODEL_FILE,
    NOTE_TAG,
)

# MLflow and CatBoost take seconds to import, and the definitions import this module: methods import
# what they call.
if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput, Experiment
    from mlflow.exceptions import MlflowException

    from credit_ct_dagster.resources.mlflow.trials import Nesting, Tracker
    from credit_ct_dagster.scorer.ordinal import Model

_CLASSIC_VIEW = "workflowType=machine_learning"
"""MLflow 3 opens for agents and their traces, unless the browser or the address asks for runs."""
_LOCAL_UI = "http://127.0.0.1:5000"
"""Where the runs of a database are served."""
_EXPERIMENT_TAGS = {
    # What the experiment is about, for servers that choose the view by it.
    "mlflow.experimentKind": "custom_model_development",
    NOTE_TAG: "Searches for the best model: a run per base date, with its candidates"
    " nested below it.",
}


def is_missing(error: "MlflowException") -> bool:
    """Whether MLflow answered that what was requested does not exist."""
    return bool(error.error_code == "RESOURCE_DOES_NOT_EXIST")


class MlflowTracking(dg.ConfigurableResource):
    """The tracking store, by explicit run ids: MLflow's active run is not safe across threads."""

    tracking_uri: str = Field(
        description="Where runs are recorded: a database such as sqlite:///var/mlflow.db, or a"
        " server such as http://host:5000"
    )
    model_name: str = Field(description="Names the experiment that holds the runs")
    ui_url: str | None = Field(
        default=None,
        description="Where people open MLflow; by default the address of the server, and of a"
        " database http://127.0.0.1:5000",
    )

    @cached_property
    def client(self) -> "MlflowClient":
        """A client of the tracking store."""
        import mlflow

        store = database_file(self.tracking_uri)
        if store:
            store.parent.mkdir(parents=True, exist_ok=True)
        mlflow.set_tracking_uri(self.tracking_uri)  # what reads and writes models knows no other
        return mlflow.MlflowClient(self.tracking_uri)

    @property
    def location(self) -> str:
        """The address of the store, without user and password."""
        if database_file(self.tracking_uri):
            return self.tracking_uri
        server = urlsplit(self.tracking_uri)
        return server._replace(netloc=server.netloc.rpartition("@")[2]).geturl()

    def translated(self, doing: str) -> AbstractContextManager[None]:
        """Raise what MLflow raises in a block as an error of the platform.

        Args:
            doing: What the block does, for a person.

        Raises:
            MlflowUnavailableError: MLflow does not answer.
            MlflowRefusedError: It refused the request, and would again.
        """
        return translated(Dependency.mlflow, self.location, doing)

    def experiment_id(self) -> str:
        """The id of the model's experiment, which is created if it does not exist.

        The runs of a local store have their files beside it, not in the working directory.

        Raises:
            DeletedInMlflowError: It is in MLflow's trash.
            MovedStoreError: Its files are recorded elsewhere.
            MlflowUnavailableError: MLflow does not answer.
        """
        found = self._existing_experiment()
        if found is not None:
            with self.translated("describing the experiment"):
                for name in _EXPERIMENT_TAGS.keys() - found.tags.keys():  # of earlier releases
                    self.client.set_experiment_tag(
                        found.experiment_id, name, _EXPERIMENT_TAGS[name]
                    )
            return str(found.experiment_id)
        files = files_beside(self.tracking_uri)
        location = files.as_uri() if files else None
        with self.translated("creating the experiment"):
            return str(
                self.client.create_experiment(
                    self.model_name, artifact_location=location, tags=_EXPERIMENT_TAGS
                )
            )

    def existing_experiment_id(self) -> str | None:
        """The id of the model's experiment; None before it is created. See `experiment_id`."""
        found = self._existing_experiment()
        return str(found.experiment_id) if found else None

    def _existing_experiment(self) -> "Experiment | None":
        with self.translated("opening the experiment"):
            experiment = self.client.get_experiment_by_name(self.model_name)
        if experiment is None:
            return None
        require_not_deleted(
            experiment.lifecycle_stage,
            f"experiment {self.model_name}",
            f"experiments restore --experiment-id {experiment.experiment_id}",
            self.location,
        )
        self.require_place(experiment.artifact_location)
        return experiment

    def require_place(self, uri: str) -> None:
        """Make sure that files at a recorded place may be written.

        Raises:
            MovedStoreError: The embedded store recorded a folder that is not beside it.
        """
        require_place(uri, self.tracking_uri)

    def probe(self) -> str:
        """Look for the model's experiment, without creating it.

        Returns:
            The address of the store.

        Raises:
            DeletedInMlflowError: It is in MLflow's trash.
            MovedStoreError: Its files are recorded elsewhere.
            MlflowUnavailableError: MLflow does not answer.
        """
        self.existing_experiment_id()
        return self.location

    def run_url(self, run_id: str, page: str = "") -> str:
        """Where a person sees a run.

        Args:
            run_id: The run.
            page: One of its pages, such as `/artifacts/model_card.html`.
        """
        root = self.ui_url or (_LOCAL_UI if self.served_by else self.location)
        path = f"experiments/{self.experiment_id()}/runs/{run_id}{page}"
        return f"{root.rstrip('/')}/#/{path}?{_CLASSIC_VIEW}"

    @property
    def served_by(self) -> str:
        """The command that makes these pages answer; empty if a server does already."""
        is_server = self.tracking_uri.startswith(("http://", "https://"))
        return "" if self.ui_url or is_server else command_of("mlflow")

    @property
    def shown_command(self) -> dict[str, str]:
        """The same as metadata, beside links to these pages."""
        return {"mlflow_links_answer_after": self.served_by} if self.served_by else {}

    def tracker(self, nesting: "Nesting") -> "Tracker":
        """Records the trials of one search."""
        from credit_ct_dagster.resources.mlflow.trials import Tracker

        return Tracker(self, nesting)

    def load_model(self, run_id: str) -> "Model":
        """The model of a trial's run: CatBoost's own file, from which nothing is executed.

        Raises:
            MissingModelError: It was deleted.
            DeletedInMlflowError: The run is in MLflow's trash.
            MlflowUnavailableError: MLflow does not answer.
        """
        from mlflow.artifacts import download_artifacts
        from mlflow.exceptions import MlflowException

        from credit_ct_dagster.scorer.ordinal import load_model

        with self.translated("loading the model of the best trial"):
            try:
                stage = self.client.get_run(run_id).info.lifecycle_stage
                restore = f"runs restore --run-id {run_id}"
                require_not_deleted(stage, f"run {run_id}", restore, self.location)
                folder = Path(download_artifacts(f"runs:/{run_id}/{MODEL}"))
                return load_model(folder / MODEL_FILE)
            except MlflowException as error:
                if not is_missing(error):
                    raise
                raise MissingModelError(
                    f"The model of MLflow run {run_id}, the best of its search, was deleted:"
                    f" {str(error).splitlines()[0]} Run this base date again with resume: false in"
                    " the configuration of tuned_runs."
                ) from error

    def curve(self, run_id: str) -> list[float]:
        """The minimised loss of a trial on validation rows, after each tree."""
        with self.translated("reading the losses of a trial"):
            history = self.client.get_metric_history(
                run_id, CURVE_METRIC
            ) or self.client.get_metric_history(run_id, EARLIER_CURVE_METRIC)
        return [point.value for point in sorted(history, key=lambda point: point.step)]

    def base_date_of(self, run_id: str) -> str:
        """The base date that a run is about; empty for a run that the platform did not write."""
        with self.translated(f"reading run {run_id}"):
            return str(self.client.get_run(run_id).data.tags.get(BASE_DATE_TAG, ""))

    def reopen(self, run_id: str) -> None:
        """Remove from a parent run what an earlier attempt of the same search reported there."""
        with self.translated("opening the run of the search"):
            if BEST_RUN_TAG in self.client.get_run(run_id).data.tags:
                self.client.delete_tag(run_id, BEST_RUN_TAG)

    def describe(
        self,
        run_id: str,
        tags: Mapping[str, str],
        params: Mapping[str, Any],
        metrics: Mapping[str, float],
        curves: Mapping[str, Sequence[float]] | None = None,
    ) -> None:
        """Add tags, parameters and metrics to a run. Values of curves are at steps from 1."""
        from mlflow.entities import Metric, Param, RunTag

        now = int(time.time() * 1000)
        points = [
            Metric(name, value, now, step)
            for name, values in (curves or {}).items()
            for step, value in enumerate(values, 1)
        ]
        with self.translated("writing to a run"):
            self.client.log_batch(
                run_id,
                metrics=[Metric(name, value, now, 0) for name, value in metrics.items()] + points,
                params=[Param(name, str(value)) for name, value in params.items()],
                tags=[RunTag(name, value) for name, value in tags.items()],
            )

    def log_data(self, run_id: str, datasets: "Sequence[DatasetInput]") -> None:
        """Name the rows that a run worked on."""
        with self.translated("naming the rows of a run"):
            self.client.log_inputs(run_id, datasets)

    def log_text(self, run_id: str, text: str, file: str) -> None:
        """Store a text as a file of a run.

        Raises:
            MlflowUnavailableError: MLflow does not answer.
        """
        with self.translated(f"storing {file}"):
            self.require_place(self.client.get_run(run_id).info.artifact_uri)
            self.client.log_text(run_id, text, file)

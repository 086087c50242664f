"""MLflow: one parent run per Dagster run, one nested run per trial."""

import time
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import dagster as dg
import mlflow
import mlflow.catboost as catboost_flavor
import pandas as pd
import sqlalchemy as sa
from catboost import CatBoostClassifier
from catboost import __version__ as catboost_version
from dagster_mlflow import mlflow_tracking
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunStatus, RunTag, ViewType
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature, infer_signature
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME
from pydantic import Field
from sqlalchemy.exc import SQLAlchemyError

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.evaluation import predict
from credit_ct_dagster.modeling.tuning import Trial
from credit_ct_dagster.resources.run_processes import fail_abandoned_runs, is_over

BASE_DATE_TAG = "credit_ct.base_dt"
DAGSTER_RUN_TAG = "credit_ct.dagster_run_id"
FINGERPRINT_TAG = "credit_ct.data_fingerprint"
BEST_RUN_TAG = "credit_ct.best_run_id"
FAILURE_TAG = "credit_ct.failure"
PARENT_DAGSTER_RUN_TAG = "dagster_run_id"
"""dagster-mlflow's own tag, by which it finds its run again; no other run may carry it."""

_MODEL = "model"


class MlflowTracking(dg.ConfigurableResource):
    """The tracking store, by explicit run ids: MLflow's active run is not safe across threads."""

    tracking_uri: str = Field(description="MLflow store, or server such as http://host:5000")
    model_name: str = Field(description="The experiment that holds the runs")
    ui_url: str = Field(description="Where people open MLflow when the store is not a server")

    @cached_property
    def client(self) -> MlflowClient:
        """A client of the tracking store."""
        _create_folder_of(self.tracking_uri)
        return MlflowClient(self.tracking_uri)

    def experiment_id(self) -> str:
        """The id of the model's experiment, which is created if it does not exist.

        The runs of a local store keep their files beside it, not in the working directory.
        """
        experiment = self.client.get_experiment_by_name(self.model_name)
        if experiment is not None:
            return experiment.experiment_id
        store = _database_file(self.tracking_uri)
        files = (store.parent / "mlflow_artifacts").as_uri() if store else None
        return self.client.create_experiment(self.model_name, artifact_location=files)

    def run_url(self, run_id: str) -> str:
        """Where a person sees a run."""
        root = self.ui_url
        if self.tracking_uri.startswith(("http://", "https://")):
            server = urlsplit(self.tracking_uri)
            root = server._replace(netloc=server.netloc.rpartition("@")[2]).geturl()
        return f"{root.rstrip('/')}/#/experiments/{self.experiment_id()}/runs/{run_id}"

    def tracker(
        self,
        parent_run_id: str,
        tags: Mapping[str, str],
        fixed: Mapping[str, Any],
        sample: pd.DataFrame,
    ) -> "Tracker":
        """What records the trials of one search below a parent run.

        Args:
            parent_run_id: The run that the trials are nested under.
            tags: Tags of every trial.
            fixed: Parameters that all trials share.
            sample: A few prepared rows, from which the model's signature is read.
        """
        return Tracker(self, self.experiment_id(), parent_run_id, tags, fixed, sample)

    def reopen(self, run_id: str) -> None:
        """Forget what an earlier attempt of the same search left on its parent run."""
        if BEST_RUN_TAG in self.client.get_run(run_id).data.tags:
            self.client.delete_tag(run_id, BEST_RUN_TAG)

    def describe(
        self,
        run_id: str,
        tags: Mapping[str, str],
        params: Mapping[str, Any],
        metrics: Mapping[str, float],
    ) -> None:
        """Add tags, parameters and metrics to a run."""
        self.client.log_batch(
            run_id,
            metrics=_metrics(metrics),
            params=[Param(name, str(value)) for name, value in params.items()],
            tags=[RunTag(name, value) for name, value in tags.items()],
        )

    def end_abandoned(self, is_over: Callable[[str], bool]) -> list[str]:
        """End the runs that a killed Dagster run left open, parents and trials.

        Args:
            is_over: Whether the Dagster run with an id has ended.

        Returns:
            The ids of the runs that were ended.
        """
        abandoned = {}
        for run in self.client.search_runs(
            [self.experiment_id()], "attributes.status = 'RUNNING'", ViewType.ACTIVE_ONLY
        ):
            tags = run.data.tags
            dagster_run_id = tags.get(DAGSTER_RUN_TAG) or tags.get(PARENT_DAGSTER_RUN_TAG)
            if dagster_run_id and is_over(dagster_run_id):
                abandoned[run.info.run_id] = tags
        for run_id, tags in abandoned.items():
            self.client.set_tag(run_id, FAILURE_TAG, "The process that ran it was killed")
            self.client.set_terminated(run_id, _status_of(tags))
        return list(abandoned)


class Tracker:
    """Records trials as nested runs; a `modeling.tuning.TrialTracker`."""

    def __init__(
        self,
        tracking: MlflowTracking,
        experiment_id: str,
        parent_run_id: str,
        tags: Mapping[str, str],
        fixed: Mapping[str, Any],
        sample: pd.DataFrame,
    ) -> None:
        self._client = tracking.client
        self._experiment_id = experiment_id
        self._parent_run_id = parent_run_id
        self._tags = tags
        self._fixed = fixed
        self._sample = sample[schema.FEATURES].head(100)
        self._signature: ModelSignature | None = None

    def started(self, number: int, params: Mapping[str, float]) -> str:
        """Open the run of a trial."""
        run = self._client.create_run(
            self._experiment_id,
            tags={
                **self._tags,
                MLFLOW_PARENT_RUN_ID: self._parent_run_id,
                MLFLOW_RUN_NAME: f"trial {number}",
            },
        )
        self._client.log_batch(
            run.info.run_id,
            params=[
                Param(name, str(value)) for name, value in (*params.items(), *self._fixed.items())
            ],
        )
        return run.info.run_id

    def completed(self, trial: Trial, model: CatBoostClassifier) -> None:
        """Log metrics and model of a trial, and close its run."""
        assert trial.run_id is not None
        self._client.log_batch(
            trial.run_id,
            metrics=_metrics({f"val_{name}": value for name, value in trial.metrics.items()}),
            params=[Param("best_iteration", str(model.get_best_iteration()))],
        )
        if self._signature is None:
            self._signature = infer_signature(self._sample, predict(model, self._sample))
        Model.log(
            artifact_path=None,
            name=_MODEL,
            flavor=catboost_flavor,
            run_id=trial.run_id,
            cb_model=model,
            signature=self._signature,
            # Named, not inferred: inferring takes seconds per model.
            pip_requirements=[f"catboost=={catboost_version}"],
        )
        self._client.set_terminated(trial.run_id, RunStatus.to_string(RunStatus.FINISHED))

    def failed(self, trial: Trial) -> None:
        """Close the run of a trial as failed, with the cause."""
        assert trial.run_id is not None
        self._client.set_tag(trial.run_id, FAILURE_TAG, (trial.error or "")[:5000])
        self._client.set_terminated(trial.run_id, RunStatus.to_string(RunStatus.FAILED))


@dg.resource(
    config_schema=mlflow_tracking.config_schema,
    required_resource_keys={"tracking"},
    description="dagster-mlflow's run for this Dagster run: the parent of its trials",
)
def parent_run(context: dg.InitResourceContext) -> Iterator[Any]:
    """Open dagster-mlflow's run, and never leave it open.

    It has finished when the search left the best run as a tag, and failed otherwise; so it does not
    matter that `dagster job execute` opens the resources once more after the run. The hook of
    dagster-mlflow sees the last node of a job only, and so misses other selections from the UI.
    """
    tracking: MlflowTracking = context.resources.tracking
    assert context.instance is not None
    fail_abandoned_runs(context.instance)
    try:
        tracking.end_abandoned(partial(is_over, context.instance))
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise dg.Failure(
            f"MLflow does not answer: {str(error).splitlines()[0]}. Check that it runs and that"
            " MLFLOW_TRACKING_URI is right, then try again."
        ) from error
    try:
        yield from cast(Any, mlflow_tracking.resource_fn)(context)
    finally:
        run = mlflow.active_run()
        if run is not None:
            tags = tracking.client.get_run(run.info.run_id).data.tags
            mlflow.end_run(_status_of(tags))


def _status_of(tags: Mapping[str, str]) -> str:
    return RunStatus.to_string(RunStatus.FINISHED if BEST_RUN_TAG in tags else RunStatus.FAILED)


def _metrics(values: Mapping[str, float]) -> list[Metric]:
    now = int(time.time() * 1000)
    return [Metric(name, value, now, 0) for name, value in values.items()]


def _database_file(uri: str) -> Path | None:
    """The file of a SQLite store; None for any other."""
    if not uri.startswith("sqlite:"):
        return None
    return Path(sa.make_url(uri).database or "").absolute()


def _create_folder_of(uri: str) -> None:
    store = _database_file(uri)
    if store:
        store.parent.mkdir(parents=True, exist_ok=True)

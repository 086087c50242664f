"""MLflow: one parent run per Dagster run, one nested run per trial."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

import dagster as dg
import mlflow
import mlflow.catboost as catboost_flavor
import sqlalchemy as sa
from catboost import CatBoostClassifier
from catboost import __version__ as catboost_version
from dagster_mlflow import mlflow_tracking
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunStatus, RunTag, ViewType
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.store.entities.paged_list import PagedList
from mlflow.types.schema import ColSpec, Schema
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from pydantic import Field
from sqlalchemy.exc import SQLAlchemyError

from credit_ct_dagster.errors import CreditCtError, UnavailableError
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.trials import FittedTrial, TrialState
from credit_ct_dagster.runs.processes import fail_abandoned_runs, is_over

BASE_DATE_TAG = "credit_ct.base_dt"
DAGSTER_RUN_TAG = "credit_ct.dagster_run_id"
FINGERPRINT_TAG = "credit_ct.data_fingerprint"
SEARCH_TAG = "credit_ct.search"
TRIAL_TAG = "credit_ct.trial"
BEST_RUN_TAG = "credit_ct.best_run_id"
REASON_TAG = "credit_ct.reason"
CURVE = "validation_loss"
PARENT_DAGSTER_RUN_TAG = "dagster_run_id"
"""dagster-mlflow's own tag, by which it finds its run again; no other run may carry it."""

_MODEL = "model"
_MAX_METRICS = 1000  # https://mlflow.org/docs/latest/api_reference/rest-api.html#log-batch
_MAX_TAG = 5000
_STATUS = {
    TrialState.completed: RunStatus.to_string(RunStatus.FINISHED),
    TrialState.pruned: RunStatus.to_string(RunStatus.KILLED),
    TrialState.failed: RunStatus.to_string(RunStatus.FAILED),
}
_SIGNATURE = ModelSignature(
    inputs=Schema(
        [
            ColSpec("double" if name in schema.NUMERIC else "string", name)
            for name in schema.FEATURES
        ]
    ),
    outputs=Schema([ColSpec("string")]),
)

_GONE = "RESOURCE_DOES_NOT_EXIST"
_REFUSALS = {"INVALID_PARAMETER_VALUE", "PERMISSION_DENIED", _GONE}
_T = TypeVar("_T")


@contextmanager
def failures_told(what: str) -> Iterator[None]:
    """Tell a failure of MLflow in a sentence.

    Args:
        what: What was asked of it.

    Raises:
        UnavailableError: MLflow does not answer.
        CreditCtError: It refused, and would again.
    """
    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        refused = getattr(error, "error_code", None) in _REFUSALS
        raise (CreditCtError if refused else UnavailableError)(
            f"MLflow failed ({what}): {str(error).splitlines()[0]} Check that it runs and that"
            " MLFLOW_TRACKING_URI is right, then try again."
        ) from error


def is_gone(error: MlflowException) -> bool:
    """Whether MLflow answered that there is no such thing."""
    return error.error_code == _GONE


def all_pages(fetch: Callable[[str | None], PagedList[_T]]) -> Iterator[_T]:
    """What MLflow lists in pages.

    Args:
        fetch: Asks for the page of a token; none is that of the first.
    """
    token = None
    while True:
        page = fetch(token)
        yield from page
        token = page.token
        if not token:
            return


@dataclass(frozen=True)
class Nesting:
    """Where the runs of a search's trials belong.

    Attributes:
        parent_run_id: The run they are nested under.
        tags: Tags of every trial.
        fixed: Parameters that all trials share.
    """

    parent_run_id: str
    tags: Mapping[str, str]
    fixed: Mapping[str, Any]


class MlflowTracking(dg.ConfigurableResource):
    """The tracking store, by explicit run ids: MLflow's active run is not safe across threads."""

    tracking_uri: str = Field(description="MLflow store, or server such as http://host:5000")
    model_name: str = Field(description="The experiment that holds the runs")
    ui_url: str = Field(description="Where people open MLflow when the store is not a server")

    @cached_property
    def client(self) -> MlflowClient:
        """A client of the tracking store."""
        _create_folder_of(self.tracking_uri)
        mlflow.set_tracking_uri(self.tracking_uri)  # what reads and writes models knows no other
        return MlflowClient(self.tracking_uri)

    @failures_told("the experiment")
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

    def probe(self) -> str:
        """Ask the store for the model's experiment, and do not create it.

        Returns:
            Where the store is, without user and password.

        Raises:
            UnavailableError: MLflow does not answer.
        """
        with failures_told("looking for the experiment"):
            self.client.get_experiment_by_name(self.model_name)
        return self._without_password()

    def _without_password(self) -> str:
        if _database_file(self.tracking_uri):
            return self.tracking_uri
        server = urlsplit(self.tracking_uri)
        return server._replace(netloc=server.netloc.rpartition("@")[2]).geturl()

    def run_url(self, run_id: str) -> str:
        """Where a person sees a run."""
        root = self.ui_url
        if self.tracking_uri.startswith(("http://", "https://")):
            root = self._without_password()
        return f"{root.rstrip('/')}/#/experiments/{self.experiment_id()}/runs/{run_id}"

    def tracker(self, nesting: Nesting) -> "Tracker":
        """What records the trials of one search."""
        return Tracker(self, nesting)

    def load_model(self, run_id: str) -> CatBoostClassifier:
        """The model of a trial's run.

        Raises:
            UnavailableError: MLflow does not answer.
            CreditCtError: It is not there any more.
        """
        _ = self.client
        with failures_told("the model of the best trial"):
            try:
                return catboost_flavor.load_model(f"runs:/{run_id}/{_MODEL}")
            except MlflowException as error:
                if not is_gone(error):
                    raise
                raise CreditCtError(
                    f"The model of the best trial, MLflow run {run_id}, cannot be read:"
                    f" {str(error).splitlines()[0]}. Somebody deleted it: run this base date again"
                    " with resume: false in the configuration of tuned_runs."
                ) from error

    @failures_told("reading a curve")
    def curve(self, run_id: str) -> list[float]:
        """The validation loss of a trial after each tree."""
        history = self.client.get_metric_history(run_id, CURVE)
        return [point.value for point in sorted(history, key=lambda point: point.step)]

    @failures_told("nesting trials")
    def settle(self, search: str, run_ids: Collection[str], parent_run_id: str) -> None:
        """Nest the trials of a search, older ones too, under a run; strike out all others.

        A process that is killed just after it wrote a trial's run leaves one that the search does
        not know of, and whose trial was run again.

        Args:
            search: The search, as in `SEARCH_TAG`.
            run_ids: The runs of its trials.
            parent_run_id: The run to nest them under.
        """
        for run in self._search_runs(f"tags.`{SEARCH_TAG}` = '{search}'"):
            run_id, tags = run.info.run_id, run.data.tags
            if run_id == parent_run_id or MLFLOW_PARENT_RUN_ID not in tags:
                continue
            if run_id not in run_ids:
                self.client.set_tag(run_id, REASON_TAG, "Killed before the search knew of it")
                self.client.set_terminated(run_id, RunStatus.to_string(RunStatus.KILLED))
            elif tags[MLFLOW_PARENT_RUN_ID] != parent_run_id:
                self.client.set_tag(run_id, MLFLOW_PARENT_RUN_ID, parent_run_id)

    @failures_told("the run of the search")
    def reopen(self, run_id: str) -> None:
        """Forget what an earlier attempt of the same search left on its parent run."""
        if BEST_RUN_TAG in self.client.get_run(run_id).data.tags:
            self.client.delete_tag(run_id, BEST_RUN_TAG)

    @failures_told("writing to a run")
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

    def log_text(self, run_id: str, text: str, file: str) -> None:
        """Keep a text as a file of a run.

        Raises:
            UnavailableError: MLflow does not take it.
        """
        with failures_told(f"keeping {file}"):
            self.client.log_text(run_id, text, file)

    def end_abandoned(self, is_over: Callable[[str], bool]) -> list[str]:
        """End the runs that a killed Dagster run left open, parents and trials.

        Args:
            is_over: Whether the Dagster run with an id has ended.

        Returns:
            The ids of the runs that were ended.
        """
        abandoned = {}
        for run in self._search_runs("attributes.status = 'RUNNING'"):
            tags = run.data.tags
            dagster_run_id = tags.get(DAGSTER_RUN_TAG) or tags.get(PARENT_DAGSTER_RUN_TAG)
            if dagster_run_id and is_over(dagster_run_id):
                abandoned[run.info.run_id] = tags
        for run_id, tags in abandoned.items():
            self.client.set_tag(run_id, REASON_TAG, "The process that ran it was killed")
            self.client.set_terminated(run_id, _status_of(tags))
        return list(abandoned)

    def _search_runs(self, condition: str) -> Iterator[Run]:
        """The runs of the experiment that meet a condition."""
        experiments = [self.experiment_id()]
        return all_pages(
            lambda token: self.client.search_runs(
                experiments, condition, ViewType.ACTIVE_ONLY, page_token=token
            )
        )


class Tracker:
    """Records trials as nested runs; a `modeling.trials.TrialTracker`.

    A run is written when its trial has ended, in as few calls as MLflow allows: so a killed process
    leaves none open, and threads and processes do not share any.
    """

    def __init__(self, tracking: MlflowTracking, nesting: Nesting) -> None:
        self._client = tracking.client
        self._experiment_id = tracking.experiment_id()
        self._nesting = nesting
        self._logging_model = Lock()
        # Where MLflow creates the models of runs, whichever run they belong to.
        mlflow.set_experiment(experiment_id=self._experiment_id)

    def record(self, fitted: FittedTrial) -> str:
        """Write the run of a trial: parameters, metrics, curve, model, and how it ended.

        Raises:
            UnavailableError: MLflow does not take it.
        """
        trial = fitted.trial
        with failures_told(f"trial {trial.number}"):
            run = self._client.create_run(
                self._experiment_id,
                start_time=_milliseconds(fitted.started),
                tags={
                    **self._nesting.tags,
                    MLFLOW_PARENT_RUN_ID: self._nesting.parent_run_id,
                    TRIAL_TAG: str(trial.number),
                    **({REASON_TAG: trial.reason[:_MAX_TAG]} if trial.reason else {}),
                },
                run_name=f"trial {trial.number}",
            )
            run_id = run.info.run_id
            ended = fitted.started + trial.seconds
            if fitted.model is not None:
                self._log_model(run_id, fitted.model)
            self._log(run_id, fitted, ended)
            self._client.set_terminated(run_id, _STATUS[trial.state], _milliseconds(ended))
        return run_id

    def _log_model(self, run_id: str, model: CatBoostClassifier) -> None:
        """Log a model: before any metric, which MLflow would read back and write once more."""
        # The first one of a process fills a cache of MLflow's, which takes half a second.
        with self._logging_model:
            Model.log(
                artifact_path=None,
                name=_MODEL,
                flavor=catboost_flavor,
                run_id=run_id,
                cb_model=model,
                signature=_SIGNATURE,
                # Named, not inferred: inferring takes seconds per model.
                pip_requirements=[f"catboost=={catboost_version}"],
            )

    def _log(self, run_id: str, fitted: FittedTrial, ended: float) -> None:
        trial, now = fitted.trial, _milliseconds(ended)
        params: dict[str, Any] = {**trial.params, **self._nesting.fixed}
        if trial.state == TrialState.completed and trial.iterations:
            params["best_iteration"] = trial.iterations - 1
        metrics = [Metric(CURVE, loss, now, tree) for tree, loss in enumerate(fitted.curve, 1)]
        metrics += [Metric(f"val_{name}", value, now, 0) for name, value in trial.metrics.items()]
        for start in range(0, max(len(metrics), 1), _MAX_METRICS):
            self._client.log_batch(
                run_id,
                metrics=metrics[start : start + _MAX_METRICS],
                params=[] if start else [Param(k, str(v)) for k, v in params.items()],
            )


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
        with failures_told("ending abandoned runs"):
            tracking.end_abandoned(partial(is_over, context.instance))
    except UnavailableError as error:
        raise dg.Failure(str(error)) from error
    try:
        yield from cast(Any, mlflow_tracking.resource_fn)(context)
    finally:
        run = mlflow.active_run()
        if run is not None:
            tags = tracking.client.get_run(run.info.run_id).data.tags
            mlflow.end_run(_status_of(tags))


def _status_of(tags: Mapping[str, str]) -> str:
    return RunStatus.to_string(RunStatus.FINISHED if BEST_RUN_TAG in tags else RunStatus.FAILED)


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)


def _metrics(values: Mapping[str, float]) -> list[Metric]:
    now = _milliseconds(time.time())
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

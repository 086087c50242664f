"""MLflow runs of trials: one nested run per trial, written when the trial has ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

import mlflow
import mlflow.catboost as catboost_flavor
from catboost import __version__ as catboost_version
from mlflow.entities import Metric, Param, RunStatus
from mlflow.models import Model as LoggedModel
from mlflow.models import ModelSignature
from mlflow.types.schema import ColSpec, Schema
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from credit_ct_dagster.contracts.trial import Trial, TrialState
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.search.trials import FittedTrial
from credit_ct_dagster.resources.mlflow.internals import requirements_not_checked
from credit_ct_dagster.resources.mlflow.tags import (
    BASE_DATE_TAG,
    CURVE_METRIC,
    MODEL,
    NOTE_TAG,
    REASON_TAG,
    STATE_TAG,
    TRIAL_TAG,
    trial_name,
)
from credit_ct_dagster.resources.mlflow.tracking import MlflowTracking
from credit_ct_dagster.scorer.encoded import parts_of
from credit_ct_dagster.scorer.ordinal import Model, is_ordinal

_LOGGING_MODEL = Lock()
_MAX_METRICS = 1000  # https://mlflow.org/docs/latest/api_reference/rest-api.html#log-batch
_MAX_TAG = 5000
_STATUS = {
    TrialState.completed: RunStatus.to_string(RunStatus.FINISHED),
    TrialState.pruned: RunStatus.to_string(RunStatus.FINISHED),  # as intended: no red cross
    TrialState.failed: RunStatus.to_string(RunStatus.FAILED),
}


_READ_BY = "credit_ct_dagster.scorer.ordinal.load_model reads it, mlflow.catboost cannot"
_ORDINAL = "the file holds one model per pair of neighbouring classes"
_ENCODED = "the file holds the kinds that texts are counted by, beside the model of these counts"


@dataclass(frozen=True)
class Nesting:
    """Where the runs of a search's trials belong.

    Attributes:
        parent_run_id: The run they are nested under.
        tags: Tags of every trial, among them the base date.
        fixed: Parameters that all trials share.
    """

    parent_run_id: str
    tags: Mapping[str, str]
    fixed: Mapping[str, Any]


class Tracker:
    """Records trials as nested runs; a `modeling.trials.TrialTracker`.

    A run is written when its trial has ended, in as few calls as MLflow allows: a killed process
    leaves none open, and threads and processes do not share any.
    """

    def __init__(self, tracking: MlflowTracking, nesting: Nesting) -> None:
        self._tracking = tracking
        self._client = tracking.client
        self._experiment_id = tracking.experiment_id()
        self._nesting = nesting
        # Where MLflow creates the models of runs, whichever run they belong to.
        mlflow.set_experiment(experiment_id=self._experiment_id)

    def record(self, fitted: FittedTrial) -> str:
        """Write the run of a trial: parameters, metrics, curve, model, and how it ended.

        Returns:
            The id of the run.

        Raises:
            MlflowUnavailableError: MLflow does not answer.
        """
        trial = fitted.trial
        with self._tracking.translated(f"recording trial {trial.number}"):
            run = self._client.create_run(
                self._experiment_id,
                start_time=_milliseconds(fitted.started),
                tags={
                    **self._nesting.tags,
                    MLFLOW_PARENT_RUN_ID: self._nesting.parent_run_id,
                    TRIAL_TAG: str(trial.number),
                    STATE_TAG: trial.state.value,
                    NOTE_TAG: _note(trial),
                    **({REASON_TAG: trial.reason[:_MAX_TAG]} if trial.reason else {}),
                },
                run_name=trial_name(self._nesting.tags[BASE_DATE_TAG], trial.number),
            )
            run_id = str(run.info.run_id)
            ended = fitted.started + trial.seconds
            if fitted.model is not None:
                self._log_model(run_id, fitted.model)
            self._log(run_id, fitted, ended)
            self._client.set_terminated(run_id, _STATUS[trial.state], _milliseconds(ended))
        return run_id

    def _log_model(self, run_id: str, model: Model) -> None:
        """Log a model: before any metric, which MLflow would read back and write once more."""
        with _LOGGING_MODEL, requirements_not_checked():
            LoggedModel.log(
                artifact_path=None,
                name=MODEL,
                flavor=catboost_flavor,
                run_id=run_id,
                cb_model=model,
                signature=_signature(model),
                # Named, not inferred: inferring takes seconds per model.
                pip_requirements=[f"catboost=={catboost_version}"],
                metadata=_described(model),
            )

    def _log(self, run_id: str, fitted: FittedTrial, ended: float) -> None:
        trial, now = fitted.trial, _milliseconds(ended)
        params: dict[str, Any] = {**trial.params, **self._nesting.fixed}
        if trial.state == TrialState.completed and len(trial.trees) == 1 and trial.iterations:
            params["best_iteration"] = trial.iterations - 1
        metrics = [
            Metric(CURVE_METRIC, loss, now, tree) for tree, loss in enumerate(fitted.curve, 1)
        ]
        metrics += [Metric(f"val_{name}", value, now, 0) for name, value in trial.metrics.items()]
        for start in range(0, max(len(metrics), 1), _MAX_METRICS):
            self._client.log_batch(
                run_id,
                metrics=metrics[start : start + _MAX_METRICS],
                params=[] if start else [Param(k, str(v)) for k, v in params.items()],
            )


def _note(trial: Trial) -> str:
    """What MLflow shows above everything else."""
    if trial.state == TrialState.completed:
        accuracy = trial.metrics.get("accuracy")
        ended = "" if accuracy is None else f": accuracy {accuracy:.4f} on validation"
        return f"Completed{ended}, {trial.iterations} trees."
    return f"{trial.state.value.capitalize()}: {trial.reason or 'no reason is known'}."[:_MAX_TAG]


def _described(model: Model) -> dict[str, str] | None:
    """What MLflow shows of a file that CatBoost alone does not understand."""
    inner, _ = parts_of(model)
    found = ((_ENCODED, inner is not model), (_ORDINAL, is_ordinal(model)))
    held = [text for text, applies in found if applies]
    return {"credit_ct": f"{', and '.join(held)}: {_READ_BY}"} if held else None


def _signature(model: Model) -> ModelSignature:
    """The columns that a model takes."""
    return ModelSignature(
        inputs=Schema(
            [
                ColSpec("double" if name in schema.NUMERIC else "string", name)
                for name in model.feature_names_
            ]
        ),
        outputs=Schema([ColSpec("string")]),
    )


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)

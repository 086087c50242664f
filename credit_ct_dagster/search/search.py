"""The search for the best model of a base date, from its rows to the result in MLflow."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from credit_ct_dagster.contracts.files import MODEL_FOLDER
from credit_ct_dagster.contracts.search import SearchSummary
from credit_ct_dagster.contracts.trial import Trial
from credit_ct_dagster.errors.stores import NewerRecordError, UnreadableRecordError
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.evaluation import evaluate
from credit_ct_dagster.modeling.search.local_workers import LocalWorkers
from credit_ct_dagster.modeling.search.search_space import Params, TuningParameters
from credit_ct_dagster.modeling.search.training import TrainingData
from credit_ct_dagster.modeling.search.trials import TrialTracker
from credit_ct_dagster.modeling.search.tuning import best_of, completed_of, retained_trials, tune
from credit_ct_dagster.resources.mlflow.abandoned import settle
from credit_ct_dagster.resources.mlflow.tags import (
    BASE_DATE_TAG,
    DAGSTER_RUN_TAG,
    FINGERPRINT_TAG,
    SEARCH_TAG,
)
from credit_ct_dagster.resources.mlflow.tracking import MlflowTracking
from credit_ct_dagster.resources.mlflow.trials import Nesting
from credit_ct_dagster.resources.study_storage import StudyStorage, search_id, study_name
from credit_ct_dagster.scorer.ordinal import Model
from credit_ct_dagster.search.recorded import record_result, record_start

_CURVES_SHOWN = 10


@dataclass(frozen=True)
class Machines:
    """Where trials are fitted.

    Attributes:
        n_jobs: Trials at the same time in this process; -1: one per core.
        thread_count: Threads of each fit; -1: see `threads_per_fit`.
        scheduler: Address of the Dask scheduler whose workers fit the trials; none: this process
            fits them.
    """

    n_jobs: int = -1
    thread_count: int = -1
    scheduler: str | None = None


@dataclass(frozen=True)
class SearchStores:
    """What a search reads and writes.

    Attributes:
        tracking: Where trials are recorded for people.
        studies: Where trials are stored for the next attempt.
        artifacts: Where the winners of earlier base dates are, and the rows that Dask workers read.
    """

    tracking: MlflowTracking
    studies: StudyStorage
    artifacts: ArtifactsIOManager


@dataclass(frozen=True)
class SearchRequest:
    """A search.

    Attributes:
        base_dt: The base date.
        rows: Prepared rows of `train`, `val` and `holdout`.
        fingerprints: `data_fingerprint` of the rows of each; those of `train` and `val` identify
            the search.
        data_fingerprint: Of the merged rows.
        features: What models are trained on, in the order of the schema.
        parameters: What is searched.
        machines: Where trials are fitted.
        resume: Whether trials of earlier attempts with the same rows and parameters are retained.
        parent_run_id: The MLflow run under which trials are nested.
        dagster_run_id: The Dagster run that searches.
        card_url: Where people open the model card that follows.
    """

    base_dt: str
    rows: Mapping[str, pd.DataFrame]
    fingerprints: Mapping[str, str]
    data_fingerprint: str
    features: Sequence[str]
    parameters: TuningParameters
    machines: Machines
    resume: bool
    parent_run_id: str
    dagster_run_id: str
    card_url: str = ""

    def described(self) -> dict[str, str]:
        """What MLflow shows of a search besides the parameters of CatBoost."""
        excluded = [name for name in schema.FEATURES if name not in self.features]
        return {
            "preset": self.parameters.preset.value,
            "monotone": str(self.parameters.monotone).lower(),
            "text": self.parameters.text.value,
            "excluded_features": ", ".join(excluded) or "none",
        }


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes:
        trials: All trials in their order, those of earlier attempts included.
        best: The best one.
        best_run_id: Its MLflow run.
        model: Its model.
        holdout: The metrics of the model on the holdout.
        curves: Minimised loss on validation per tree, by number of the best completed trials.
        seconds: Duration per part; that of fits and of recording, summed over trials.
    """

    trials: Sequence[Trial]
    best: Trial
    best_run_id: str
    model: Model
    holdout: Mapping[str, float]
    curves: Mapping[int, Sequence[float]]
    seconds: Mapping[str, float]


def search(
    request: SearchRequest,
    stores: SearchStores,
    log: logging.Logger,
    observed: Callable[[TrialTracker], TrialTracker] = lambda tracker: tracker,
) -> SearchResult:
    """Fit all candidates, choose the best, score it on the holdout and record that in MLflow.

    Args:
        request: The search.
        stores: What it reads and writes.
        log: Reports the progress.
        observed: May wrap what records trials, to measure it.

    Raises:
        SearchFailedError: No trial completed.
        UnavailableError: A server did not answer; another attempt retains the trials that ended.
    """
    tracking = stores.tracking
    clock = _Stopwatch()
    tracking.reopen(request.parent_run_id)
    identifier, trials = run_trials(request, stores, log, observed)
    clock.lap("tune")
    best = best_of(trials)
    assert best is not None
    assert best.run_id is not None
    model = tracking.load_model(best.run_id)
    holdout = evaluate(model, request.rows["holdout"])
    clock.lap("evaluate")
    run_ids = {trial.run_id for trial in trials if trial.run_id}
    settle(tracking, identifier, run_ids, request.parent_run_id)
    record_result(tracking, request, trials, best, holdout)
    curves = {
        trial.number: tracking.curve(trial.run_id)
        for trial in completed_of(trials)[:_CURVES_SHOWN]
        if trial.run_id
    }
    clock.lap("track")
    summed = {
        "fits": sum(trial.seconds for trial in trials),
        "track_trials": sum(trial.tracking_seconds for trial in trials),
    }
    return SearchResult(trials, best, best.run_id, model, holdout, curves, clock.laps | summed)


def run_trials(
    request: SearchRequest,
    stores: SearchStores,
    log: logging.Logger,
    observed: Callable[[TrialTracker], TrialTracker] = lambda tracker: tracker,
) -> tuple[str, list[Trial]]:
    """Run the remaining trials of a search; see `search`.

    Returns:
        The id of the search, and all its trials.
    """
    parameters, machines, tracking = request.parameters, request.machines, stores.tracking
    fingerprints = {name: request.fingerprints[name] for name in ("train", "val")}
    name = study_name(
        tracking.model_name,
        request.base_dt,
        parameters.fingerprint(request.features, *fingerprints.values()),
    )
    with stores.studies.open(name, parameters, log, anew=not request.resume) as study:
        retained = len(retained_trials(study))
        if retained:
            log.info(f"{retained} trials of an earlier attempt are retained (resume: true)")
        nesting = Nesting(
            parent_run_id=request.parent_run_id,
            tags={
                BASE_DATE_TAG: request.base_dt,
                DAGSTER_RUN_TAG: request.dagster_run_id,
                FINGERPRINT_TAG: request.data_fingerprint,
                SEARCH_TAG: search_id(study),
            },
            fixed={**parameters.fixed(), **request.described()},
        )
        record_start(tracking, request, nesting.tags, nesting.fixed)
        tracker = observed(tracking.tracker(nesting))
        if machines.scheduler:
            # Dask takes a second to import, which only these searches need.
            from credit_ct_dagster.search.dask_workers import DaskWorkers, SharedSearch

            shared = SharedSearch(
                name,
                request.base_dt,
                fingerprints,
                request.features,
                parameters,
                machines.thread_count,
                nesting,
            )
            workers: DaskWorkers | LocalWorkers = DaskWorkers(machines.scheduler, shared, tracker)
        else:
            workers = LocalWorkers(
                TrainingData.of(
                    request.rows["train"],
                    request.rows["val"],
                    request.features,
                    text=parameters.text,
                    monotone=parameters.monotone,
                ),
                parameters,
                tracker,
                machines.n_jobs,
                machines.thread_count,
            )
        favourites = [parameters.centre(), *_last_winner(stores.artifacts, request.base_dt, log)]
        with workers:
            trials = tune(
                study,
                parameters,
                workers,
                favourites,
                on_progress=lambda progress: log.info(str(progress)),
            )
        return search_id(study), trials


def _last_winner(
    artifacts: ArtifactsIOManager, base_dt: str, log: logging.Logger
) -> Sequence[Params]:
    """The best parameters of the newest earlier base date, if there is one."""
    for earlier, folder in reversed(list(artifacts.open_all(MODEL_FOLDER))):
        if earlier < base_dt and SearchSummary.FILE in folder:
            try:
                return [folder.read(SearchSummary).best.params]
            except (UnreadableRecordError, NewerRecordError) as error:
                # It only decides which candidate is tried first.
                log.warning(f"The winner of base date {earlier} is not tried first. {error}")
                return []
    return []


class _Stopwatch:
    """Seconds between laps."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._since = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name], self._since = now - self._since, now

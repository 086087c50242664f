"""How far every base date has come, and which model answers: what `credit-ct status` shows."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import dagster as dg

from credit_ct_dagster.contracts import files
from credit_ct_dagster.contracts.decision import DecisionRecord
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.search import SearchSummary
from credit_ct_dagster.contracts.splits import SplitsSummary
from credit_ct_dagster.decisions.deciding import CHAMPION, PREVIOUS
from credit_ct_dagster.errors.base import CreditCtError, UnavailableError
from credit_ct_dagster.evidence.merged_rows import EXPIRY_CHECK
from credit_ct_dagster.modeling.judging.standing import awaiting, question_of, standings
from credit_ct_dagster.partitions import PARTITION_TAG
from credit_ct_dagster.resources.bentoml_packages import Package
from credit_ct_dagster.runs.history import RunHistory
from credit_ct_dagster.runs.instance import configured_instance
from credit_ct_dagster.runs.model_runs import ModelRuns
from credit_ct_dagster.runs.purposes import is_training_job
from credit_ct_dagster.wiring import Wiring

_UNFINISHED = {
    dg.DagsterRunStatus.QUEUED: "queued",
    dg.DagsterRunStatus.NOT_STARTED: "queued",
    dg.DagsterRunStatus.STARTING: "running",
    dg.DagsterRunStatus.STARTED: "running",
    dg.DagsterRunStatus.CANCELING: "canceling",
}


@dataclass
class BaseDateStatus:
    """How far one base date has come.

    Attributes:
        base_dt: The base date.
        state: That of its newest run, other than one that scores customers or monitors, unless it
            succeeded (`queued`, `running`, `failed`, `canceled`); otherwise how far it came:
            `merged`, `split`, `tuned`, `packaged`.
        rows: Rows in the feature store now.
        expired: Whether retention has deleted its rows.
        splits: Rows per split.
        val_accuracy: Of the classes that the package gives, None if its model was fitted to these
            rows; before it is packaged, of the best of the search, by the highest raw score.
        holdout_accuracy: The same on the holdout.
        mlflow_run_id: The run of the same model.
        bentoml_tag: The newest package.
        role: `champion` or `previous`; None for all others.
        decision: Where its model stands by all decisions, those on other models included: what was
            decided, and why, or what took its place.
        checks: Per check of its assets, whether it passed when it last ran.
        problems: Files of it that cannot be read, each with what makes it again.
    """

    base_dt: str
    state: str = "merged"
    rows: int = 0
    expired: bool = False
    splits: dict[str, int] | None = None
    val_accuracy: float | None = None
    holdout_accuracy: float | None = None
    mlflow_run_id: str | None = None
    bentoml_tag: str | None = None
    role: str | None = None
    decision: str | None = None
    checks: dict[str, bool] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


@dataclass
class Overview:
    """What is known of all base dates together.

    Attributes:
        base_dates: Newest first.
        champion: The model that answers, whoever set MLflow's alias.
        accuracy: Of its package, on the holdout.
        question: What a person is asked, with the commands that answer.
        problems: What could not be looked at, or does not agree, each with what to do.
    """

    base_dates: list[BaseDateStatus] = field(default_factory=list)
    champion: ModelIdentity | None = None
    accuracy: float | None = None
    question: str | None = None
    problems: list[str] = field(default_factory=list)

    @contextmanager
    def unless_unknown(self, what: str = "") -> Iterator[None]:
        """What cannot be read is a problem, and hides nothing else.

        Args:
            what: Then unknown; a sentence.
        """
        try:
            yield
        except CreditCtError as error:
            self.problems.append(f"{what}{error}")


def overview_of(wiring: Wiring, packages: Sequence[Package]) -> Overview:
    """Look at every store for how far base dates have come.

    Args:
        wiring: The stores.
        packages: Of the BentoML store.

    Raises:
        CreditCtError: The feature store, or the artifacts, cannot be read.
    """
    overview = Overview()
    found: dict[str, BaseDateStatus] = {}

    def of(base_dt: str) -> BaseDateStatus:
        return found.setdefault(base_dt, BaseDateStatus(base_dt))

    for base_dt, rows in wiring.feature_store.row_counts().items():
        of(base_dt).rows = rows

    @contextmanager
    def reading(base_dt: str) -> Iterator[None]:
        """A file that cannot be read is a problem of its base date, and hides no other."""
        try:
            yield
        except UnavailableError:
            raise
        except CreditCtError as error:
            of(base_dt).problems.append(str(error))

    for base_dt, folder in wiring.artifacts.open_all(files.PREPROCESSING_FOLDER):
        with reading(base_dt):
            if files.SPLITS_SUMMARY_FILE in folder:
                of(base_dt).state = "split"
                of(base_dt).splits = dict(folder.read(SplitsSummary).rows)
    for base_dt, folder in wiring.artifacts.open_all(files.MODEL_FOLDER):
        with reading(base_dt):
            if files.SEARCH_SUMMARY_FILE in folder:
                status = of(base_dt)
                status.state = "tuned"
                search = folder.read(SearchSummary)
                status.val_accuracy = search.best.val["accuracy"]
                status.holdout_accuracy = search.best.holdout["accuracy"]
                status.mlflow_run_id = search.mlflow.best_run_id
        with reading(base_dt):
            if files.DECISION_FILE in folder:
                decision = folder.read(DecisionRecord).decision
                outcome = "promoted" if decision.promoted else "not promoted"
                of(base_dt).decision = f"{outcome}: {decision.ground.value}"

    records = _records(wiring, overview)
    # Later decisions, on this model or on another one, are in no file of its base date.
    for base_dt, standing in standings(records or [], datetime.now(UTC)).items():
        if base_dt in found:
            of(base_dt).decision = standing.summary
    for package in packages:
        status = of(package.identity.base_dt)
        status.state, status.bentoml_tag = "packaged", package.tag
        # Another search may have replaced the summary since.
        status.val_accuracy = package.metrics.get("val_accuracy")
        status.holdout_accuracy = package.metrics.get("holdout_accuracy")
        status.mlflow_run_id = package.identity.mlflow_run_id
    serving = _serving(wiring, overview, packages, records)
    for role in (PREVIOUS, CHAMPION):
        model = serving.get(role)
        if model and model.base_dt in found:
            of(model.base_dt).role = role

    with (
        overview.unless_unknown("Runs and checks are unknown. "),
        configured_instance() as instance,
    ):
        runs = ModelRuns(instance, wiring.settings.model_name)
        for base_dt, state in _states_of_newest_runs(runs).items():
            of(base_dt).state = state or of(base_dt).state
        for base_dt, checks in RunHistory(instance, runs.model_name).check_results().items():
            if base_dt in found:
                of(base_dt).checks = checks
    for status in found.values():
        merged = status.splits is not None or status.checks.get(EXPIRY_CHECK) is False
        status.expired = merged and not status.rows
    overview.base_dates = sorted(found.values(), key=lambda each: each.base_dt, reverse=True)
    return overview


def _records(wiring: Wiring, overview: Overview) -> list[DecisionRecord] | None:
    """Every decision, and what a person is asked; None if one cannot be read."""
    with overview.unless_unknown():
        records = wiring.promotions.records()
        request = awaiting(records, datetime.now(UTC))
        overview.question = question_of(request) if request else None
        return records
    return None


def _serving(
    wiring: Wiring,
    overview: Overview,
    packages: Sequence[Package],
    records: Sequence[DecisionRecord] | None,
) -> Mapping[str, ModelIdentity | None]:
    """Per role, the model: by MLflow, which the service asks; else by the labels of packages."""
    serving: Mapping[str, ModelIdentity | None]
    serving = {package.role: package.identity for package in packages if package.role}
    if packages or records:  # MLflow takes a second to import
        with overview.unless_unknown("The champion shown is that of the newest decision. "):
            serving = wiring.promotions.serving()
            if records is not None:
                with overview.unless_unknown():
                    wiring.promotions.require_decided(serving)
    overview.champion = champion = serving.get(CHAMPION)
    if champion:
        of_tag = (each.metrics for each in packages if each.tag == champion.bentoml_tag)
        overview.accuracy = next(of_tag, {}).get("holdout_accuracy")
    return serving


def _states_of_newest_runs(runs: ModelRuns) -> dict[str, str | None]:
    """Per base date, the state of its newest run; None when that run succeeded.

    A run that scores customers, or that monitors what was served on that day, does not count: it
    changes nothing of what was trained.
    """
    newest: dict[str, dg.DagsterRunStatus] = {}
    for run in filter(runs.owns, runs.recorded()):
        base_dt = run.tags.get(PARTITION_TAG)
        if base_dt and is_training_job(run.job_name):
            newest.setdefault(base_dt, run.status)
    states = {
        **_UNFINISHED,
        dg.DagsterRunStatus.FAILURE: "failed",
        dg.DagsterRunStatus.CANCELED: "canceled",
    }
    return {base_dt: states.get(status) for base_dt, status in newest.items()}

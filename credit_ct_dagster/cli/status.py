"""`credit-ct status`: how far every base date has come."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

import click
import dagster as dg

from credit_ct_dagster.assets.merged_rows import EXPIRY_CHECK
from credit_ct_dagster.cli.console import console, print_table, width
from credit_ct_dagster.cli.options import AnyDay, examples
from credit_ct_dagster.cli.service import service_of
from credit_ct_dagster.cli.wired import wired
from credit_ct_dagster.contracts import files
from credit_ct_dagster.contracts.decision import DecisionRecord
from credit_ct_dagster.contracts.search import SearchSummary
from credit_ct_dagster.contracts.splits import SplitsSummary
from credit_ct_dagster.errors.base import CreditCtError, UnavailableError
from credit_ct_dagster.garbage import no_search_for_garbage
from credit_ct_dagster.modeling.judging.standing import Standing, standings
from credit_ct_dagster.partitions import PARTITION_TAG
from credit_ct_dagster.resources.bentoml_packages import Package
from credit_ct_dagster.runs.history import RunHistory
from credit_ct_dagster.runs.instance import configured_instance
from credit_ct_dagster.runs.model_runs import ModelRuns
from credit_ct_dagster.runs.purposes import is_training_job
from credit_ct_dagster.wiring import Wiring

_SHOWN = 20
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


@click.command(
    "status", epilog=examples("credit-ct status --since 2025-07-01", "credit-ct status --json")
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"Only the N newest base dates. [default: {_SHOWN}; with --json, all]",
)
@click.option(
    "--since",
    type=AnyDay(trained=False),
    metavar="DATE",
    help="Only base dates from then on.",
)
@click.option(
    "--service", is_flag=True, help="Only the HTTP service; with --json, as a JSON object."
)
def command(as_json: bool, limit: int | None, since: str | None, service: bool) -> None:
    """Show the champion, the HTTP service, what needs attention, and the base dates, newest first.

    Accuracy is that on the holdout. A wide terminal shows more columns, --json all.
    """
    wiring = wired()
    if service:
        _show_service(wiring, as_json)
        return
    with no_search_for_garbage():
        packages, broken = wiring.bentoml_store.listed()
        found = _collect(wiring, packages)
    for error in broken:
        click.echo(str(error), err=True)
    wanted = [status for status in found if status.base_dt >= (since or "")]
    if as_json:
        click.echo(json.dumps([asdict(status) for status in wanted[:limit]], indent=2))
        return
    _print(found, wanted, limit or _SHOWN, f"Service:  {_service(wiring)}")


def _print(
    found: list[BaseDateStatus], wanted: list[BaseDateStatus], limit: int, service: str
) -> None:
    from credit_ct_dagster.cli.status_table import attention, champion_lines, table_of

    shown = wanted[:limit]
    for line in (*champion_lines(found), service, *attention(shown)):
        console.print(line, markup=False)
    if not found:
        console.print("No base date yet: credit-ct run trains the newest one that has labels.")
    if shown:
        console.print()
        print_table(table_of(shown, width()))
    if len(wanted) > limit:
        more = len(wanted) - limit
        console.print(f"{more:,} older: credit-ct status --limit {len(wanted)} shows them as well.")


def _show_service(wiring: Wiring, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(service_of(wiring.settings).as_dict(), indent=2))
    else:
        console.print(f"Service: {_service(wiring)}", markup=False)


def _service(wiring: Wiring) -> str:
    """What the service serves; that it does not answer is worth a line, and fails nothing."""
    try:
        return service_of(wiring.settings).summary()
    except CreditCtError as error:
        return str(error)


def _collect(wiring: Wiring, packages: Sequence[Package]) -> list[BaseDateStatus]:
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

    # Later decisions, on this model or on another one, are in no file of its base date.
    for base_dt, standing in _standings(wiring).items():
        if base_dt in found:
            of(base_dt).decision = standing.summary
    for package in packages:
        status = of(package.identity.base_dt)
        status.state, status.bentoml_tag = "packaged", package.tag
        status.role = package.role or status.role
        # Another search may have replaced the summary since.
        status.val_accuracy = package.metrics.get("val_accuracy")
        status.holdout_accuracy = package.metrics.get("holdout_accuracy")
        status.mlflow_run_id = package.identity.mlflow_run_id

    with configured_instance() as instance:
        runs = ModelRuns(instance, wiring.settings.model_name)
        for base_dt, state in _states_of_newest_runs(runs).items():
            of(base_dt).state = state or of(base_dt).state
        for base_dt, checks in RunHistory(instance, runs.model_name).check_results().items():
            if base_dt in found:
                of(base_dt).checks = checks
    for status in found.values():
        merged = status.splits is not None or status.checks.get(EXPIRY_CHECK) is False
        status.expired = merged and not status.rows
    return sorted(found.values(), key=lambda status: status.base_dt, reverse=True)


def _standings(wiring: Wiring) -> Mapping[str, Standing]:
    """Where the models stand; a decision that cannot be read hides nothing else."""
    try:
        return standings(wiring.promotions.records(), datetime.now(UTC))
    except UnavailableError:
        raise
    except CreditCtError as error:
        click.echo(str(error), err=True)
        return {}


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

"""`credit-ct status`: what there is of every base date."""

import json
from dataclasses import asdict, dataclass, field

import click
import dagster as dg
from dagster._core.storage.asset_check_execution_record import (
    COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES,
)
from rich.table import Table

from credit_ct_dagster import stores
from credit_ct_dagster.assets.merged_rows import EXPIRY_CHECK
from credit_ct_dagster.cli.console import console
from credit_ct_dagster.io_managers.artifacts import MODEL_FOLDER, PREPROCESSING_FOLDER
from credit_ct_dagster.partitions import PARTITION_TAG
from credit_ct_dagster.runs.instance import configured_instance

_MAX_RUNS = 10_000
_MAX_EVALUATIONS = 10_000
_UNFINISHED = {
    dg.DagsterRunStatus.QUEUED: "queued",
    dg.DagsterRunStatus.NOT_STARTED: "queued",
    dg.DagsterRunStatus.STARTING: "running",
    dg.DagsterRunStatus.STARTED: "running",
    dg.DagsterRunStatus.CANCELING: "canceling",
}


@dataclass
class BaseDateStatus:
    """What there is of one base date.

    Attributes:
        base_dt: The base date.
        state: Of its newest run while that goes on or when it failed (`queued`, `running`,
            `failed`, `canceled`); else how far it came: `merged`, `split`, `tuned`, `packaged`.
        rows: Rows in the feature store now.
        expired: Whether its rows were there and retention has deleted them.
        splits: Rows per split.
        val_accuracy: Of the best model.
        holdout_accuracy: Of the best model.
        mlflow_run_id: The run of the best model.
        bentoml_tag: The newest package.
        role: `champion` or `previous`, of those that serve or served last.
        decision: What the gate, or a person, decided on its model, and why.
        checks: Per check of its assets, whether it passed when it last ran.
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


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def command(as_json: bool) -> None:
    """List the base dates, newest first."""
    found = _collect()
    if as_json:
        click.echo(json.dumps([asdict(status) for status in found], indent=2))
    elif found:
        console.print(_table(found))
    else:
        console.print("No base date yet: credit-ct run trains the newest one that has labels.")


def _collect() -> list[BaseDateStatus]:
    found: dict[str, BaseDateStatus] = {}

    def of(base_dt: str) -> BaseDateStatus:
        return found.setdefault(base_dt, BaseDateStatus(base_dt))

    for base_dt, rows in stores.feature_store().row_counts().items():
        of(base_dt).rows = rows

    artifacts = stores.artifacts()
    for base_dt, folder in artifacts.open_all(PREPROCESSING_FOLDER):
        if "summary.json" in folder:
            of(base_dt).splits = folder["summary.json"]["rows"]
            of(base_dt).state = "split"
    for base_dt, folder in artifacts.open_all(MODEL_FOLDER):
        if "summary.json" in folder:
            summary = folder["summary.json"]
            status = of(base_dt)
            status.state = "tuned"
            status.val_accuracy = summary["best"]["val"]["accuracy"]
            status.holdout_accuracy = summary["best"]["holdout"]["accuracy"]
            status.mlflow_run_id = summary["mlflow"]["best_run_id"]
        if "decision.json" in folder:
            decision = folder["decision.json"]["decision"]
            outcome = "promoted" if decision["promoted"] else "kept"
            of(base_dt).decision = f"{outcome}: {decision['ground']}"

    for package in stores.bentoml_store().packages():
        base_dt = package.info.labels.get("base_dt")
        if base_dt:  # others may keep packages of the same name
            status = of(base_dt)
            status.state, status.bentoml_tag = "packaged", str(package.tag)
            status.role = package.info.labels.get("role") or status.role

    with configured_instance() as instance:
        for base_dt, state in _states_of_newest_runs(instance).items():
            of(base_dt).state = state or of(base_dt).state
        for base_dt, checks in _check_results(instance).items():
            if base_dt in found:
                of(base_dt).checks = checks
    for status in found.values():
        was_there = status.splits is not None or status.checks.get(EXPIRY_CHECK) is False
        status.expired = was_there and not status.rows
    return sorted(found.values(), key=lambda status: status.base_dt, reverse=True)


def _states_of_newest_runs(instance: dg.DagsterInstance) -> dict[str, str | None]:
    """Per base date, what its newest run says; None when that run succeeded."""
    newest: dict[str, dg.DagsterRunStatus] = {}
    for record in instance.get_run_records(limit=_MAX_RUNS):
        base_dt = record.dagster_run.tags.get(PARTITION_TAG)
        if base_dt:
            newest.setdefault(base_dt, record.dagster_run.status)
    states = {
        **_UNFINISHED,
        dg.DagsterRunStatus.FAILURE: "failed",
        dg.DagsterRunStatus.CANCELED: "canceled",
    }
    return {base_dt: states.get(status) for base_dt, status in newest.items()}


def _check_results(instance: dg.DagsterInstance) -> dict[str, dict[str, bool]]:
    """Per base date and check, whether it passed when it last ran."""
    from credit_ct_dagster.definitions import CHECKS  # imports all libraries: not for --help

    results: dict[str, dict[str, bool]] = {}
    for key in [key for check in CHECKS for key in check.check_keys]:
        history = instance.event_log_storage.get_asset_check_execution_history(
            key, limit=_MAX_EVALUATIONS, status=COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES
        )
        for record in history:  # newest first
            if record.evaluation and "base_dt" in record.evaluation.metadata:
                base_dt = str(record.evaluation.metadata["base_dt"].value)
                results.setdefault(base_dt, {}).setdefault(key.name, record.evaluation.passed)
    return results


def _told(checks: dict[str, bool]) -> str:
    failed = [name for name, passed in checks.items() if not passed]
    return f"{len(checks) - len(failed)} passed" + (
        f", failed: {', '.join(failed)}" if failed else ""
    )


def _table(found: list[BaseDateStatus]) -> Table:
    table = Table(
        "base date", "state", "rows", "train / val / holdout", "val acc.", "holdout acc.",
        "BentoML tag", "role", "decision", "checks", box=None,
    )  # fmt: skip
    for status in found:
        splits = " / ".join(f"{n:,}" for n in status.splits.values()) if status.splits else ""
        table.add_row(
            status.base_dt,
            status.state,
            "expired" if status.expired else f"{status.rows:,}",
            splits,
            *(
                "" if accuracy is None else f"{accuracy:.4f}"
                for accuracy in (status.val_accuracy, status.holdout_accuracy)
            ),
            status.bentoml_tag or "",
            status.role or "",
            status.decision or "",
            _told(status.checks) if status.checks else "",
        )
    return table

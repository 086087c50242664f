"""`credit-ct prune`: delete what belongs to old base dates."""

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from rich.filesize import decimal

from credit_ct_dagster.cli.console import console, figures, print_table
from credit_ct_dagster.cli.options import AnyDay, examples
from credit_ct_dagster.cli.wired import wired
from credit_ct_dagster.runs.history import RunHistory
from credit_ct_dagster.runs.instance import configured_instance

if TYPE_CHECKING:  # MLflow takes seconds to import, which --help does not need
    from credit_ct_dagster.operations.prune import Retention
    from credit_ct_dagster.operations.prune_monitoring import ExpiredMonitoring
    from credit_ct_dagster.operations.prune_plan import Plan
    from credit_ct_dagster.operations.prune_predictions import ExpiredPredictions


@click.command(
    "prune",
    epilog=examples("credit-ct prune --keep-days 365", "credit-ct prune --keep-days 365 --yes"),
)
@click.option(
    "--keep-days",
    type=click.IntRange(min=1),
    help="Retain base dates of the last N days. [default: PRUNE_KEEP_DAYS]",
)
@click.option(
    "--failed-runs-of",
    type=AnyDay(trained=False),
    metavar="YYYY-MM-DD",
    help="Delete only the failed and cancelled runs of one base date, as of one that was run by"
    " mistake, and all that Dagster recorded of them: the UI shows it as failed until then. With"
    " them go their runs in MLflow that have no trial. A run that made what is still in use is"
    " retained.",
)
@click.option("--yes", is_flag=True, help="Delete; without it, only list what would be deleted.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
def command(keep_days: int | None, failed_runs_of: str | None, yes: bool, as_json: bool) -> None:
    """Delete everything that belongs to old base dates, and old predictions.

    Scores of customers, artifacts, packages, MLflow runs, studies and Dagster runs. Retained are
    the base dates of the champion and of its predecessor, of challengers in the shadow, of a model
    that awaits approval, those with any alias in MLflow, the holdouts on which models are judged,
    and all records of decisions.
    From the log of the service, predictions older than PREDICTIONS_KEEP_DAYS are deleted, and with
    them what was found about the days on which they were made, unless a probation or the health of
    the champion is still judged by it. Nothing is deleted from the ledger credit_arrivals.
    If it is interrupted, start it again: it continues where it stopped. The exit code is 1 if a
    base date could not be deleted.
    """
    if failed_runs_of and keep_days:
        raise click.UsageError("Give --keep-days or --failed-runs-of: each deletes something else.")
    if failed_runs_of:
        _delete_failed(failed_runs_of, yes, as_json)
        return
    from credit_ct_dagster.operations.prune import Retention
    from credit_ct_dagster.operations.prune_monitoring import MonitoringRetention
    from credit_ct_dagster.operations.prune_predictions import PredictionRetention

    wiring = wired()
    keep_days = keep_days or wiring.settings.prune_keep_days
    with configured_instance() as instance:
        retention = Retention(
            wiring.promotions,
            wiring.study_storage,
            wiring.feature_store,
            wiring.calendar,
            instance,
            wiring.pruning_rules.shadow(),
        )
        plan = retention.plan(keep_days)
        outcomes = []
        for outcome in retention.carry_out(plan) if yes else ():
            outcomes.append(outcome)
            if not as_json:
                console.print(str(outcome), markup=False)
    for sentence in retention.broken_packages():
        click.echo(sentence, err=True)
    predictions = PredictionRetention(
        wiring.feature_store, wiring.calendar, wiring.settings.predictions_keep_days
    )
    expired = predictions.plan()
    predictions_deleted = predictions.carry_out(expired) if yes else 0
    monitoring = MonitoringRetention(
        wiring.artifacts,
        wiring.calendar,
        wiring.settings.predictions_keep_days,
        wiring.pruning_rules.monitoring_needed_days(),
    )
    monitored = monitoring.plan()
    days_deleted = monitoring.carry_out(monitored) if yes else 0
    failed = {each.base_dt: str(each.error) for each in outcomes if each.error}
    if as_json:
        deleted = [each.base_dt for each in outcomes if each.deleted]
        of_log = (asdict(expired) | {"deleted": predictions_deleted}) if expired else None
        of_days = (asdict(monitored) | {"deleted": days_deleted}) if monitored else None
        found = asdict(plan) | {
            "deleted": deleted, "failed": failed, "predictions": of_log, "monitoring": of_days,
        }  # fmt: skip
        click.echo(json.dumps(found, indent=2))
    else:
        _conclude(retention, plan, expired, monitored, yes)
    sys.exit(int(bool(failed)))


def _delete_failed(base_dt: str, yes: bool, as_json: bool) -> None:
    """The runs, their events and checks, which Dagster itself retains, and what MLflow shows.

    The base date need not exist: that is how it may have failed. What a run materialized would be
    unknown without its events: one whose materializations are the newest is retained, unless they
    are merged rows alone of a base date that never succeeded.
    """
    from credit_ct_dagster.resources.mlflow.removal import RemovableRuns

    wiring = wired()
    with configured_instance() as instance:
        history = RunHistory(instance, wiring.settings.model_name)
        failed = history.failed(base_dt)
        run_ids = [run_id for run_id, in_use in failed.items() if not in_use]
        deletes = yes and bool(run_ids)
        if deletes:
            searches = RemovableRuns(wiring.tracking)
            for search in searches.without_trials(run_ids):
                searches.remove(search)
            for run_id in run_ids:
                history.remove(run_id)
        if yes:
            history.forget_status()
    if as_json:
        retained = [run_id for run_id in failed if run_id not in run_ids]
        found = {"base_dt": base_dt, "runs": run_ids, "retained": retained, "deleted": deletes}
        click.echo(json.dumps(found, indent=2))
        return
    for run_id, in_use in failed.items():
        if in_use:
            console.print(
                f"Run {run_id} is retained: what it materialized is in use ({', '.join(in_use)})."
                f" Run the base date again: credit-ct run --partition {base_dt}",
                markup=False,
            )
    done = " They are deleted." if yes else " Nothing was deleted: --yes deletes them."
    told = f"Failed or cancelled runs of base date {base_dt}: {len(run_ids)}."
    console.print(told + (done if run_ids else ""), markup=False)


def _conclude(
    retention: "Retention",
    plan: "Plan",
    expired: "ExpiredPredictions | None",
    monitored: "ExpiredMonitoring | None",
    yes: bool,
) -> None:
    _print(plan)
    others = [
        *([expired] if expired and expired.rows else []),
        *([monitored] if monitored and monitored.days else []),
    ]
    for each in others:
        console.print(f"{'Deleted' if yes else 'Old'} {each}", markup=False)
    if yes and plan.expired and not retention.deletes_mlflow_runs_permanently:
        console.print(
            "The MLflow server has moved the runs to its trash and deleted their files. Run mlflow"
            " gc on the server to empty the trash."
        )
    if not yes and (plan.expired or others):
        console.print("Nothing was deleted: credit-ct prune --yes deletes.")


def _holdouts(days: list[str]) -> str:
    if len(days) == 1:
        return f"The holdout of base date {days[0]} is"
    return f"The holdouts of {len(days)} base dates, {min(days)} to {max(days)}, are"


def _print(plan: "Plan") -> None:
    for base_dt, reason in plan.retained.items():
        console.print(f"Base date {base_dt} is retained: {reason}")
    for reason in dict.fromkeys(plan.holdouts.values()):
        days = [base_dt for base_dt, each in plan.holdouts.items() if each == reason]
        console.print(f"{_holdouts(days)} retained: {reason}")
    if not plan.expired:
        console.print(f"No base date up to {plan.last_expired} has anything to delete.")
        return
    total = plan.total()
    rows = [
        [
            base_dt,
            *(f"{amounts[name].items:,}" if name in amounts else "" for name in total),
            decimal(sum(amount.bytes for amount in amounts.values())),
        ]
        for base_dt, amounts in [*plan.expired.items(), ("total", total)]
    ]
    titles = (name.replace("registered", "MLflow") for name in total)
    print_table(figures(["base date", *titles, "size"], rows))

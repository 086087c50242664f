"""The alert about what is missing when it is due: a base date's card, a day's health."""

from collections.abc import Callable

import dagster as dg

from credit_ct_dagster.alerting.channels import Alert, Kind
from credit_ct_dagster.alerting.events import BaseDateDue, HealthDue
from credit_ct_dagster.alerting.monitoring_alerts import HEALTH
from credit_ct_dagster.assets.model_card import model_card
from credit_ct_dagster.errors.base import with_reference
from credit_ct_dagster.errors.inputs import BaseDateMissingError
from credit_ct_dagster.errors.watching import NoHealthRecordError
from credit_ct_dagster.partitions import PARTITION_TAG, TIMEZONE, clock
from credit_ct_dagster.resources.dagster_ui import DagsterUI
from credit_ct_dagster.runs.model_runs import ModelRuns
from credit_ct_dagster.runs.purposes import MONITORING, trains


def on_base_date_due(runs: ModelRuns, ui: DagsterUI, event: BaseDateDue) -> Alert | None:
    """That a base date has no model card, and why; None if it has one."""
    base_dt = event.base_dt
    return _on_due(
        runs,
        ui,
        base_dt,
        kind=Kind.base_date_missing,
        asset=model_card.key,
        missing=f"Base date {base_dt} has no model card at {clock(event.due)} {TIMEZONE}.",
        not_started="No run was started for it: check that daily_training_schedule is on and that"
        f" labels arrived, then credit-ct run --partition {base_dt}.",
        makes=trains,
        code=BaseDateMissingError.code,
    )


def on_health_due(runs: ModelRuns, ui: DagsterUI, event: HealthDue) -> Alert | None:
    """That nobody has looked at a prediction day, and why; None if somebody has."""
    day = event.base_dt
    return _on_due(
        runs,
        ui,
        day,
        kind=Kind.health_missing,
        asset=HEALTH,
        missing=f"Nobody has looked at how the champion did on {day} until"
        f" {clock(event.due)} {TIMEZONE}.",
        not_started="No run was started for it: check that daily_monitoring_schedule is on, then"
        f" start {MONITORING} for {day} in the UI.",
        makes=lambda run: run.job_name == MONITORING,
        code=NoHealthRecordError.code,
    )


def _on_due(
    runs: ModelRuns,
    ui: DagsterUI,
    base_dt: str,
    *,
    kind: Kind,
    asset: dg.AssetKey,
    missing: str,
    not_started: str,
    makes: Callable[[dg.DagsterRun], bool],
    code: str,
) -> Alert | None:
    """What is missing, and what became of the newest run that should have made it."""
    if runs.materialization(asset, base_dt):
        return None
    of_day = runs.records(dg.RunsFilter(tags={PARTITION_TAG: base_dt}))
    run = next((each.dagster_run for each in of_day if makes(each.dagster_run)), None)
    if run is None:
        cause = not_started
    elif run.is_finished:
        cause = f"Its last run ended with {run.status.value}: correct the cause, then run it again."
    else:
        cause = f"Its run has not ended ({run.status.value}): see its log for what it waits for."
    links = {"run": ui.run_url(run.run_id)} if run else {}
    return Alert(
        kind,
        base_dt,
        f"{asset.to_user_string()} is missing: {base_dt}",
        with_reference(f"{missing} {cause}", code),
        links | {"asset": ui.partition_url(asset, base_dt)},
        run.run_id if run else None,
        code,
    )

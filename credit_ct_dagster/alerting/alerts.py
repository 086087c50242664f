"""The alert about each event: what happened, to which base date, and what to do."""

from credit_ct_dagster.alerting.backfills import BackfillFailed, on_failed_backfill
from credit_ct_dagster.alerting.channels import Alert
from credit_ct_dagster.alerting.events import BaseDateDue, Event, HealthDue, RunFailed
from credit_ct_dagster.alerting.missing_alerts import on_base_date_due, on_health_due
from credit_ct_dagster.alerting.monitoring_alerts import is_repeated, on_monitored
from credit_ct_dagster.alerting.run_alerts import on_failure, on_success
from credit_ct_dagster.alerting.run_events import RunEvents
from credit_ct_dagster.resources.dagster_ui import DagsterUI
from credit_ct_dagster.runs.model_runs import ModelRuns
from credit_ct_dagster.runs.purposes import monitors


def alert_on(runs: ModelRuns, ui: DagsterUI, event: Event) -> Alert | None:
    """The alert about an event; None when nobody needs to know.

    Args:
        runs: Those of the model, on an instance that has their events.
        ui: Where the links of the alert lead.
        event: What happened.
    """
    if isinstance(event, BaseDateDue):
        return on_base_date_due(runs, ui, event)
    if isinstance(event, HealthDue):
        return on_health_due(runs, ui, event)
    if isinstance(event, BackfillFailed):
        return on_failed_backfill(runs.instance, ui, event)
    run = event.run
    if isinstance(event, RunFailed) and is_repeated(runs, run):
        return None
    events = RunEvents.of(runs.instance, run)
    if isinstance(event, RunFailed):
        return on_failure(ui, run, events)
    return on_monitored(ui, run, events) if monitors(run) else on_success(ui, run, events)

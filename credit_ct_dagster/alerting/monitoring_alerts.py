"""The alert about a run that looked at what was served: daily, it is news only if it found any."""

from itertools import takewhile

import dagster as dg

from credit_ct_dagster.alerting.channels import Alert, Kind
from credit_ct_dagster.alerting.run_alerts import alert_on_run
from credit_ct_dagster.alerting.run_events import RunEvents
from credit_ct_dagster.partitions import day_of
from credit_ct_dagster.resources.dagster_ui import DagsterUI
from credit_ct_dagster.runs.model_runs import ModelRuns
from credit_ct_dagster.runs.purposes import (
    AWAITING_APPROVAL,
    MATURING_LABELS,
    PROMOTED_FROM_SHADOW,
    ROLLED_BACK,
)
from credit_ct_dagster.runs.reasons import sentence_of_check

HEALTH = dg.AssetKey("champion_health")


def on_monitored(ui: DagsterUI, run: dg.DagsterRun, events: RunEvents) -> Alert | None:
    """What is wrong with the champion, or that it is another one; None if neither."""
    failed = events.failed_checks
    rollbacks = events.reported(ROLLED_BACK)
    promotions = events.reported(PROMOTED_FROM_SHADOW)
    asked = events.reported(AWAITING_APPROVAL)
    asked = events.reported(AWAITING_APPROVAL)
    if rollbacks:
        kind, subject = Kind.champion_rolled_back, "The champion was rolled back"
    elif asked or asked:  # it is asked once, and what is wrong is reported every day
        kind, subject = Kind.approval_requested, "A challenger from the shadow awaits approval"
    elif failed:
        names = ", ".join(each.check_name for each in failed)
        kind, subject = Kind.champion_unhealthy, f"The champion needs attention ({names})"
    elif promotions:
        kind, subject = Kind.champion_promoted, "A challenger from the shadow is the champion"
    else:
        return None
    return alert_on_run(
        kind,
        ui,
        run,
        subject,
        sentences=[*rollbacks, *asked, *promotions, *map(sentence_of_check, failed)],
        asset=HEALTH,
        check=failed[0] if failed else None,
    )


def is_repeated(runs: ModelRuns, run: dg.DagsterRun) -> bool:
    """Whether of up to 62 days that are measured again, another one has failed before, today."""
    ours = runs.instance.get_run_record_by_id(run.run_id)
    if run.job_name != MATURING_LABELS or ours is None:
        return False
    failed = dg.RunsFilter(job_name=MATURING_LABELS, statuses=[dg.DagsterRunStatus.FAILURE])
    today = _created_on(ours)
    since = takewhile(lambda each: _created_on(each) >= today, runs.records(failed))
    ended = [each.end_time or 0.0 for each in since if _created_on(each) == today]
    return any(each < (ours.end_time or 0.0) for each in ended)


def _created_on(record: dg.RunRecord) -> str:
    """The day in Seoul."""
    return day_of(record.create_timestamp.timestamp())

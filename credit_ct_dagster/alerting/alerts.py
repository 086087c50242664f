"""The alert about each event: what happened, to which base date, and what to do."""

from collections.abc import Iterator
from itertools import takewhile

import dagster as dg

from credit_ct_dagster.alerting.channels import Alert, Kind
from credit_ct_dagster.alerting.events import BaseDateDue, Event, HealthDue, RunFailed
from credit_ct_dagster.assets.model_card import model_card
from credit_ct_dagster.errors.base import with_reference
from credit_ct_dagster.errors.inputs import BaseDateMissingError
from credit_ct_dagster.errors.operation import RunFailedError
from credit_ct_dagster.errors.watching import NoHealthRecordError
from credit_ct_dagster.partitions import (
    DUE_HOUR,
    HEALTH_DUE_HOUR,
    PARTITION_TAG,
    TIMEZONE,
    day_of,
)
from credit_ct_dagster.redaction import redacted
from credit_ct_dagster.resources.dagster_ui import DagsterUI
from credit_ct_dagster.runs.model_runs import ModelRuns
from credit_ct_dagster.runs.purposes import (
    MATURING_LABELS,
    MONITORING,
    PROMOTED_FROM_SHADOW,
    ROLLED_BACK,
    TRIGGER_TAG,
    monitors,
    trains,
)
from credit_ct_dagster.runs.reasons import Reason, code_of_check, reason_of, sentence_of_check

_WILL_RETRY_TAG = "dagster/will_retry"
_READ = {
    dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.RUN_FAILURE,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.ASSET_MATERIALIZATION,
}
_HEALTH = dg.AssetKey("champion_health")


def alert_on(runs: ModelRuns, ui: DagsterUI, event: Event) -> Alert | None:
    """The alert about an event; None when nobody needs to know.

    Args:
        runs: Those of the model, on an instance that has their events.
        ui: Where the links of the alert lead.
        event: What happened.
    """
    if isinstance(event, BaseDateDue):
        return _on_due(runs, ui, event.base_dt)
    if isinstance(event, HealthDue):
        return _on_health_due(runs, ui, event.base_dt)
    if isinstance(event, RunFailed):
        return None if _is_repeated(runs, event.run) else _on_failure(runs.instance, ui, event.run)
    return _on_success(runs.instance, ui, event.run)


def _is_repeated(runs: ModelRuns, run: dg.DagsterRun) -> bool:
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


def _on_failure(instance: dg.DagsterInstance, ui: DagsterUI, run: dg.DagsterRun) -> Alert:
    events = _events(instance, run)
    reason = reason_of(events) or _unknown_reason()
    retried = run.tags.get(_WILL_RETRY_TAG, "").lower() == "true"
    warnings = [each for each in _failed_checks(events) if not _blocks(each)]
    sentences = [
        reason.sentence,
        *map(sentence_of_check, warnings),
        *_told(events, ROLLED_BACK),
        *_told(events, PROMOTED_FROM_SHADOW),
        *(["Dagster will retry the run."] if retried else []),
    ]
    return _on_run(
        Kind.run_failed,
        ui,
        run,
        subject=f"{_name(run)} failed",
        sentences=sentences,
        asset=_failed_asset(events),
        code=reason.code,
    )


def _unknown_reason() -> Reason:
    sentence = "Dagster recorded no reason: see the log of the run."
    return Reason(with_reference(sentence, RunFailedError.code), RunFailedError.code)


def _on_success(instance: dg.DagsterInstance, ui: DagsterUI, run: dg.DagsterRun) -> Alert | None:
    events = _events(instance, run)
    failed = _failed_checks(events)
    if monitors(run):
        return _on_monitored(ui, run, events, failed)
    if not failed:
        subject = f"{_name(run)} succeeded"
        trigger = run.tags.get(TRIGGER_TAG)
        sentences = [f"retraining_sensor started it: {trigger}"] if trigger else []
        return _on_run(Kind.run_succeeded, ui, run, subject, sentences, asset=model_card.key)
    names = ", ".join(each.check_name for each in failed)
    count = "a failed check" if len(failed) == 1 else f"{len(failed)} failed checks"
    return _on_run(
        Kind.check_failed,
        ui,
        run,
        subject=f"{_name(run)} succeeded with {count} ({names})",
        sentences=[sentence_of_check(each) for each in failed],
        asset=failed[0].asset_key,
        shown={"view": "checks", "checkDetail": failed[0].check_name},
        code=code_of_check(failed[0]),
    )


def _on_monitored(
    ui: DagsterUI,
    run: dg.DagsterRun,
    events: list[dg.DagsterEvent],
    failed: list[dg.AssetCheckEvaluation],
) -> Alert | None:
    """What is wrong with the champion, or that it is another one; None if neither, daily news."""
    rollbacks, promotions = _told(events, ROLLED_BACK), _told(events, PROMOTED_FROM_SHADOW)
    if rollbacks:
        kind, subject = Kind.champion_rolled_back, "The champion was rolled back"
    elif failed:
        names = ", ".join(each.check_name for each in failed)
        kind, subject = Kind.champion_unhealthy, f"The champion needs attention ({names})"
    elif promotions:
        kind, subject = Kind.champion_promoted, "A challenger from the shadow is the champion"
    else:
        return None
    return _on_run(
        kind,
        ui,
        run,
        subject,
        sentences=[*rollbacks, *promotions, *map(sentence_of_check, failed)],
        asset=failed[0].asset_key if failed else _HEALTH,
        shown={"view": "checks", "checkDetail": failed[0].check_name} if failed else None,
        code=code_of_check(failed[0]) if failed else None,
    )


def _on_run(
    kind: Kind,
    ui: DagsterUI,
    run: dg.DagsterRun,
    subject: str,
    sentences: list[str],
    asset: dg.AssetKey | None,
    shown: dict[str, str] | None = None,
    code: str | None = None,
) -> Alert:
    base_dt = run.tags.get(PARTITION_TAG)
    links = {"run": ui.run_url(run.run_id)}
    if asset:
        links["asset"] = ui.asset_url(asset, shown or _partition_view(base_dt))
    if base_dt and monitors(run):
        links["health"] = ui.health_url(base_dt)
    return Alert(
        kind,
        base_dt,
        f"{subject}: {base_dt or 'no base date'}",
        redacted("\n".join(sentences)),
        links,
        run.run_id,
        code,
    )


def _on_due(runs: ModelRuns, ui: DagsterUI, base_dt: str) -> Alert | None:
    if runs.materialization(model_card.key, base_dt):
        return None
    run = next(filter(trains, _runs_of(runs, base_dt)), None)
    text = f"Base date {base_dt} has no model card at {DUE_HOUR:02}:00 {TIMEZONE}. "
    if run is None:
        text += (
            "No run was started for it: check that daily_training_schedule is on and that labels"
            f" arrived, then credit-ct run --partition {base_dt}."
        )
    elif run.is_finished:
        text += f"Its last run ended with {run.status.value}: correct the cause, then run it again."
    else:
        text += f"Its run has not ended ({run.status.value}): see its log for what it waits for."
    links = {"run": ui.run_url(run.run_id)} if run else {}
    return Alert(
        Kind.base_date_missing,
        base_dt,
        f"{model_card.key.to_user_string()} is missing: {base_dt}",
        with_reference(text, BaseDateMissingError.code),
        links | {"asset": ui.asset_url(model_card.key, _partition_view(base_dt))},
        run.run_id if run else None,
        BaseDateMissingError.code,
    )


def _on_health_due(runs: ModelRuns, ui: DagsterUI, base_dt: str) -> Alert | None:
    if runs.materialization(_HEALTH, base_dt):
        return None
    run = next((each for each in _runs_of(runs, base_dt) if each.job_name == MONITORING), None)
    text = (
        f"Nobody has looked at how the champion did on {base_dt} until {HEALTH_DUE_HOUR:02}:00"
        f" {TIMEZONE}. "
    )
    if run is None:
        text += (
            "No run was started for it: check that daily_monitoring_schedule is on, then start"
            f" {MONITORING} for {base_dt} in the UI."
        )
    elif run.is_finished:
        text += f"Its last run ended with {run.status.value}: correct the cause, then run it again."
    else:
        text += f"Its run has not ended ({run.status.value}): see its log for what it waits for."
    links = {"run": ui.run_url(run.run_id)} if run else {}
    return Alert(
        Kind.health_missing,
        base_dt,
        f"{_HEALTH.to_user_string()} is missing: {base_dt}",
        with_reference(text, NoHealthRecordError.code),
        links | {"asset": ui.asset_url(_HEALTH, _partition_view(base_dt))},
        run.run_id if run else None,
        NoHealthRecordError.code,
    )


def _runs_of(runs: ModelRuns, base_dt: str) -> Iterator[dg.DagsterRun]:
    """The runs of a day, newest first."""
    wanted = dg.RunsFilter(tags={PARTITION_TAG: base_dt})
    return (each.dagster_run for each in runs.records(wanted))


def _events(instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[dg.DagsterEvent]:
    logged = instance.all_logs(run.run_id, of_type=_READ)
    return [entry.dagster_event for entry in logged if entry.dagster_event]


def _failed_checks(events: list[dg.DagsterEvent]) -> list[dg.AssetCheckEvaluation]:
    return [
        event.asset_check_evaluation_data
        for event in events
        if event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION
        and not event.asset_check_evaluation_data.passed
    ]


def _told(events: list[dg.DagsterEvent], name: str) -> list[str]:
    """What the materializations of a run say under a name of their metadata, if anything."""
    made = [
        event.step_materialization_data.materialization
        for event in events
        if event.is_step_materialization
    ]
    found = [each.metadata.get(name) for each in made]
    return [str(each.value) for each in found if each]


def _failed_asset(events: list[dg.DagsterEvent]) -> dg.AssetKey | None:
    """The asset that the first failed step would have materialized, or whose check blocked it."""
    planned = {
        event.step_key: event.asset_key
        for event in events
        if event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED
    }
    steps = [event.step_key for event in events if event.is_step_failure]
    blocked = [check.asset_key for check in _failed_checks(events) if _blocks(check)]
    return next((planned[step] for step in steps if step in planned), next(iter(blocked), None))


def _blocks(check: dg.AssetCheckEvaluation) -> bool:
    """Whether a failed check is itself the reason why its run failed."""
    return bool(check.blocking) and check.severity == dg.AssetCheckSeverity.ERROR


def _name(run: dg.DagsterRun) -> str:
    """The job, or the UI's word for assets that a person selected."""
    return "Materialization" if run.job_name.startswith("__") else run.job_name


def _partition_view(base_dt: str | None) -> dict[str, str]:
    return {"view": "partitions", "partition": base_dt} if base_dt else {}

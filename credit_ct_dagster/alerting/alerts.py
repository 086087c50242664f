"""What there is to tell people: runs that ended, failed checks, missing base dates."""

from collections.abc import Iterator
from typing import Literal
from urllib.parse import urlencode

import dagster as dg
from pydantic import BaseModel

from credit_ct_dagster.alerting.channels import Alert, Kind
from credit_ct_dagster.assets.failures import reason_of
from credit_ct_dagster.assets.model_card import model_card
from credit_ct_dagster.partitions import (
    DUE_HOUR,
    PARTITION_TAG,
    TIMEZONE,
    base_dates_after,
    newest_due_base_date,
)
from credit_ct_dagster.settings import get_settings

_WILL_RETRY_TAG = "dagster/will_retry"
_TELLING = {
    dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.RUN_FAILURE,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
}
_FETCHED = 100
_Ended = Literal[dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.RUN_SUCCESS]


class Told(BaseModel, frozen=True):
    """The last event of its kind that was told.

    Attributes:
        number: Dagster's number of it.
        at: When it happened, in seconds since 1970.
    """

    number: int = -1
    at: float = 0.0

    @classmethod
    def of(cls, record: dg.EventLogRecord) -> "Told":
        """This event."""
        return cls(number=record.storage_id, at=record.timestamp)


class Position(BaseModel, frozen=True):
    """How far a channel has told: kept as the cursor of its sensor.

    Attributes:
        failed: The last failure.
        succeeded: The last success.
        due: The last base date that was looked for when it was due.
    """

    failed: Told
    succeeded: Told
    due: str | None

    @classmethod
    def now(cls, instance: dg.DagsterInstance) -> "Position":
        """After everything that has happened so far."""
        return cls(
            failed=_newest(instance, dg.DagsterEventType.RUN_FAILURE),
            succeeded=_newest(instance, dg.DagsterEventType.RUN_SUCCESS),
            due=newest_due_base_date(),
        )


def untold(instance: dg.DagsterInstance, told: Position) -> Iterator[tuple[Alert | None, Position]]:
    """What happened after a position: one alert per run, and per base date that is missing.

    Yields:
        An alert, or None where all is well, and the position to go on from once it is told.
    """
    for failed, run in _ended(instance, dg.DagsterEventType.RUN_FAILURE, told.failed):
        told = told.model_copy(update={"failed": failed})
        yield _of_failure(instance, run), told
    due = newest_due_base_date()
    if due is not None:
        for base_dt in base_dates_after(told.due, due) if told.due else [due]:
            told = told.model_copy(update={"due": base_dt})
            missing = not _is_there(instance, base_dt)
            yield (_of_missing(instance, base_dt) if missing else None), told
    for succeeded, run in _ended(instance, dg.DagsterEventType.RUN_SUCCESS, told.succeeded):
        told = told.model_copy(update={"succeeded": succeeded})
        yield _of_success(instance, run), told


def _newest(instance: dg.DagsterInstance, outcome: _Ended) -> Told:
    records = instance.fetch_run_status_changes(outcome, limit=1).records
    return Told.of(records[0]) if records else Told()


def _ended(
    instance: dg.DagsterInstance, outcome: _Ended, after: Told
) -> Iterator[tuple[Told, dg.DagsterRun]]:
    records = instance.fetch_run_status_changes(
        _later(instance, outcome, after), ascending=True, limit=_FETCHED
    ).records
    for record in records:
        run = instance.get_run_by_id(record.event_log_entry.run_id)
        if run is not None:  # deleted since
            yield Told.of(record), run


def _later(
    instance: dg.DagsterInstance, outcome: _Ended, after: Told
) -> dg.RunStatusChangeRecordsFilter:
    """By number, as events are stored; by time when the one that was told last is deleted.

    SQLite gives the numbers of deleted events to later ones.
    """
    same = dg.RunStatusChangeRecordsFilter(outcome, storage_ids=[after.number])
    if after in map(Told.of, instance.fetch_run_status_changes(same, limit=1).records):
        return dg.RunStatusChangeRecordsFilter(outcome, after_storage_id=after.number)
    return dg.RunStatusChangeRecordsFilter(outcome, after_timestamp=after.at)


def _of_failure(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Alert:
    events = _events(instance, run)
    again = run.tags.get(_WILL_RETRY_TAG, "").lower() == "true"
    failed_checks = [each for each in _failed_checks(events) if not _stops(each)]
    return _of_run(
        Kind.run_failed,
        run,
        f"{_name(run)} failed",
        [
            reason_of(events) or "Dagster gives no reason: see the log of the run.",
            *(_sentence(each) for each in failed_checks),
            "Dagster starts it again by itself." if again else "",
        ],
        _asset_that_failed(events),
    )


def _of_success(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Alert:
    failed = _failed_checks(_events(instance, run))
    if not failed:
        return _of_run(Kind.run_succeeded, run, f"{_name(run)} succeeded", [], model_card.key)
    names = ", ".join(each.check_name for each in failed)
    return _of_run(
        Kind.check_failed,
        run,
        f"{_name(run)} succeeded, but not {names}",
        [_sentence(each) for each in failed],
        failed[0].asset_key,
        {"view": "checks", "checkDetail": failed[0].check_name},
    )


def _of_run(
    kind: Kind,
    run: dg.DagsterRun,
    subject: str,
    sentences: list[str],
    asset: dg.AssetKey | None,
    view: dict[str, str] | None = None,
) -> Alert:
    base_dt = run.tags.get(PARTITION_TAG)
    links = {"asset": _asset_url(asset, base_dt, view)} if asset else {}
    return Alert(
        kind,
        base_dt,
        f"{subject}: {base_dt or 'no base date'}",
        get_settings().redacted("\n".join(filter(None, sentences))),
        {"run": _run_url(run)} | links,
        run.run_id,
    )


def _of_missing(instance: dg.DagsterInstance, base_dt: str) -> Alert:
    runs = instance.get_runs(dg.RunsFilter(tags={PARTITION_TAG: base_dt}), limit=1)
    text = f"Base date {base_dt} has no model card at {DUE_HOUR:02}:00 {TIMEZONE}. "
    if not runs:
        text += (
            "No run was started for it: see that daily_training_schedule is on and that labels"
            f" arrived, then credit-ct run --partition {base_dt}."
        )
    elif runs[0].is_finished:
        text += f"Its last run ended as {runs[0].status.value}: see why, and start it again."
    else:
        text += f"Its run has not ended ({runs[0].status.value}): see what it is doing."
    links = {"run": _run_url(runs[0])} if runs else {}
    return Alert(
        Kind.base_date_missing,
        base_dt,
        f"{model_card.key.to_user_string()} is missing: {base_dt}",
        text,
        links | {"asset": _asset_url(model_card.key, base_dt)},
        runs[0].run_id if runs else None,
    )


def _is_there(instance: dg.DagsterInstance, base_dt: str) -> bool:
    wanted = dg.AssetRecordsFilter(model_card.key, asset_partitions=[base_dt])
    return bool(instance.fetch_materializations(wanted, limit=1).records)


def _events(instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[dg.DagsterEvent]:
    logged = instance.all_logs(run.run_id, of_type=_TELLING)
    return [entry.dagster_event for entry in logged if entry.dagster_event]


def _failed_checks(events: list[dg.DagsterEvent]) -> list[dg.AssetCheckEvaluation]:
    return [
        event.asset_check_evaluation_data
        for event in events
        if event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION
        and not event.asset_check_evaluation_data.passed
    ]


def _asset_that_failed(events: list[dg.DagsterEvent]) -> dg.AssetKey | None:
    """What the first failed step was to make, or to check."""
    planned = {
        event.step_key: event.asset_key
        for event in events
        if event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED
    }
    steps = [event.step_key for event in events if event.is_step_failure]
    stopped = [check.asset_key for check in _failed_checks(events) if _stops(check)]
    return next((planned[step] for step in steps if step in planned), next(iter(stopped), None))


def _stops(check: dg.AssetCheckEvaluation) -> bool:
    """Whether a failed check is itself the reason why its run failed."""
    return bool(check.blocking) and check.severity == dg.AssetCheckSeverity.ERROR


def _name(run: dg.DagsterRun) -> str:
    """The job, or what the UI does with assets that were picked by hand."""
    return "Materialization" if run.job_name.startswith("__") else run.job_name


def _sentence(check: dg.AssetCheckEvaluation) -> str:
    return f"{check.check_name}: {check.description or 'did not pass.'}"


def _run_url(run: dg.DagsterRun) -> str:
    return f"{_webserver()}/runs/{run.run_id}"


def _asset_url(asset: dg.AssetKey, base_dt: str | None, view: dict[str, str] | None = None) -> str:
    shown = view or ({"view": "partitions", "partition": base_dt} if base_dt else {})
    query = f"?{urlencode(shown)}" if shown else ""
    return f"{_webserver()}/assets/{'/'.join(asset.path)}{query}"


def _webserver() -> str:
    return get_settings().webserver_url.rstrip("/")

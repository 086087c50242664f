"""`credit-ct watch`: how the champion does."""

import json
import textwrap
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import click

from credit_ct_dagster.cli.options import BaseDate, examples
from credit_ct_dagster.cli.service import service_of
from credit_ct_dagster.cli.wired import wired
from credit_ct_dagster.contracts.files import HEALTH_FILE, HEALTH_PAGE_FILE, MONITORING_FOLDER
from credit_ct_dagster.contracts.health import HealthRecord, HealthSentence, Severity, Topic
from credit_ct_dagster.errors.base import runbook_section
from credit_ct_dagster.errors.inputs import BaseDateError
from credit_ct_dagster.errors.watching import NoHealthRecordError, OutdatedHealthRecordError
from credit_ct_dagster.io_managers.artifacts import ArtifactFolder
from credit_ct_dagster.modeling.watching.decision_health import decision_sentences
from credit_ct_dagster.modeling.watching.health import in_order
from credit_ct_dagster.modeling.watching.serving_health import serving_sentences
from credit_ct_dagster.partitions import TIMEZONE, day_of, moment_of
from credit_ct_dagster.runs import dagster_internals
from credit_ct_dagster.runs.instance import configured_instance
from credit_ct_dagster.wiring import Wiring

_WIDTH = 80
_LABEL = 10
_COLORS = {
    Severity.critical: "red",
    Severity.warning: "yellow",
    Severity.notice: "blue",
    Severity.ok: "green",
}
_LAST_DAYS = 7
_SCHEDULE = "daily_monitoring_schedule"
_OF_NOW = (Topic.serving, Topic.decisions)


@click.command(
    "watch", epilog=examples("credit-ct watch", "credit-ct watch --day 2025-07-01 --json")
)
@click.option(
    "--day",
    type=BaseDate(trained=False),
    metavar="DATE",
    help="A prediction day. [default: the newest one]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the record as a JSON object.")
def command(day: str | None, as_json: bool) -> None:
    """Tell how the champion does: the most urgent first, with what to do.

    Reads the record that champion_health made of a prediction day. For the newest day, the service
    is asked again how it is now.

    Exits with 0 if the champion is healthy, and with 1 if somebody has to act or to look, or if
    there is no record although there should be one. As long as none is due, as on the first day, it
    exits with 0 and says by when there will be one (--json: healthy is null).
    """
    wiring = wired()
    found = _of_day(wiring, day) if day else _newest(wiring)
    if found is None:
        text = _without_record(wiring)
        click.echo(json.dumps({"healthy": None, "text": text}) if as_json else text)
        return
    record, folder = found
    if day is None:
        record = _as_of_now(wiring, record)
    if as_json:
        shown = {"healthy": record.is_healthy, "worst": record.worst.value}
        click.echo(json.dumps(shown | record.model_dump(mode="json"), indent=2))
    else:
        for line in _lines(record):
            click.echo(line)
        click.echo(f"\nPage: {folder.path / HEALTH_PAGE_FILE}")
    if not record.is_healthy:
        raise click.exceptions.Exit(1)


def _of_day(wiring: Wiring, text: str) -> tuple[HealthRecord, ArtifactFolder]:
    day = wiring.calendar.parse(text)
    folder = wiring.artifacts.open(MONITORING_FOLDER, day)
    if HEALTH_FILE not in folder:
        raise NoHealthRecordError(
            f"There is no record of how the champion did on {day}: materialize champion_health for"
            " this prediction day, or start monitoring_job for it in the UI."
        )
    return folder.read(HealthRecord), folder


def _newest(wiring: Wiring) -> tuple[HealthRecord, ArtifactFolder] | None:
    for _, folder in reversed([*wiring.artifacts.open_all(MONITORING_FOLDER)]):
        if HEALTH_FILE in folder:
            return folder.read(HealthRecord), folder
    return None


def _without_record(wiring: Wiring) -> str:
    """By when there will be a first record.

    Raises:
        NoHealthRecordError: Nobody makes one, or it is late.
    """
    with configured_instance() as instance:
        is_on = dagster_internals.switched_instigators(instance).get(_SCHEDULE, True)
    if not is_on:
        raise NoHealthRecordError(
            f"There is no record yet of how the champion does: switch {_SCHEDULE} on, or start"
            " monitoring_job for yesterday in the UI."
        )
    calendar, decisions = wiring.scheduled_calendar, wiring.promotions.records()
    due = calendar.newest_due(calendar.health_due)
    if due and decisions and day_of(decisions[0].time.timestamp()) <= due:
        raise NoHealthRecordError(
            f"There is no record yet of how the champion does, although that of {due} is due: check"
            f" that the daemon runs (credit-ct doctor) and why runs of {_SCHEDULE} failed, or start"
            " monitoring_job for that day in the UI."
        )
    hours, minutes = divmod(calendar.health_due % (24 * 60), 60)
    return (
        "No day has been looked at yet; the next is looked at by"
        f" {hours:02}:{minutes:02} {TIMEZONE}."
    )


def _as_of_now(wiring: Wiring, record: HealthRecord) -> HealthRecord:
    """The newest record, with what the service says now, and whether it is out of date."""
    now = datetime.now(UTC).replace(microsecond=0)
    service = service_of(wiring).state(now)
    sentences = [
        *_outdated(wiring, record, now),
        *serving_sentences(record.champion, service, record.days[-_LAST_DAYS:]),
        *decision_sentences(wiring.promotions.records(), record.base_dt, now),
        *(each for each in record.sentences if each.topic not in _OF_NOW),
    ]
    return record.model_copy(update={"service": service, "sentences": in_order(iter(sentences))})


def _outdated(wiring: Wiring, record: HealthRecord, now: datetime) -> Iterator[HealthSentence]:
    try:
        calendar = wiring.scheduled_calendar
        due = calendar.newest(now - timedelta(minutes=calendar.health_due))
    except BaseDateError:  # no day is due yet
        return
    late = (date.fromisoformat(due) - date.fromisoformat(record.base_dt)).days
    if late > 0:
        yield HealthSentence(
            topic=Topic.serving,
            severity=Severity.warning,
            text=f"The newest record is of {record.base_dt}, {late} day{'s' if late > 1 else ''}"
            " older than what is due: nobody has looked at the champion since.",
            code=OutdatedHealthRecordError.code,
            action=f"Check that {_SCHEDULE} is on, and why its last run failed.",
        )


def _lines(record: HealthRecord) -> Iterator[str]:
    yield from _wrapped(f"{record.model_name}, prediction day {record.base_dt}", "")
    made, asked = moment_of(record.made_at), moment_of(record.service.asked_at)
    service = f"; the service as of {asked}" if asked != made else ""
    yield from _wrapped(f"As of {made}{service}.", "")
    verdict = "Healthy" if record.is_healthy else "Not healthy"
    yield click.style(verdict, bold=True, fg=_COLORS[record.worst])
    for each in record.sentences:
        yield ""
        label = click.style(f"{each.severity.value:<{_LABEL}}", fg=_COLORS[each.severity])
        first, *more = _wrapped(f"{each.topic.value}: {each.text}", " " * _LABEL)
        yield label + first[_LABEL:]
        yield from more
        if each.action:
            yield from _wrapped(each.action, " " * _LABEL)
        if each.code:
            yield from _wrapped(f"{each.code}: {runbook_section(each.code)}", " " * _LABEL)
    if record.open_decisions:
        yield from ("", click.style("Not decided yet", bold=True))
    for decision in record.open_decisions:
        yield from _item(f"{decision.what} Waits for {decision.waits_for}.")
        if decision.command:
            yield f"    {decision.command}"
    yield from ("", click.style("Since the day before", bold=True))
    for change in record.changes:
        yield from _item(change)


def _item(text: str) -> list[str]:
    first, *more = _wrapped(text, "  ")
    return [f"- {first[2:]}", *more]


def _wrapped(text: str, indent: str) -> list[str]:
    """Lines of at most 80 columns; what has no blank is cut, as an address that is longer."""
    return textwrap.wrap(
        text, _WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )

"""What is reported of a base date without a card, and of a day that nobody looked at, when due."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from credit_ct_dagster.alerting.events import (
    AlertCursor,
    BaseDateDue,
    HealthDue,
    ReportedEvent,
    pending_events,
)
from credit_ct_dagster.partitions import Calendar
from credit_ct_dagster.resources.trained_model import TrainedModel
from credit_ct_dagster.runs.purposes import MONITORING
from credit_ct_dagster_tests.alerting.daemon import Daemon
from credit_ct_dagster_tests.alerting.observed_runs import (
    BASE_DT,
    champion_health,
    failing_model_card,
    model_card,
)
from credit_ct_dagster_tests.dagster_internals import freeze_time
from credit_ct_dagster_tests.servers import Receiver

_every_history = pytest.mark.parametrize("instance", ["sqlite", "mariadb"], indirect=True)


@_every_history
def test_a_base_date_that_is_missing_at_nine_is_reported_once(
    daemon: Daemon, receiver: Receiver
) -> None:
    """Not a minute earlier, and each day's base date again."""
    daemon.tick("08:59")
    assert receiver.received == []
    for at in ("09:00", "09:01", "23:59"):
        daemon.tick(at)
    [alert] = _missing(receiver)
    assert (alert["kind"], alert["base_dt"]) == ("base_date_missing", BASE_DT)
    assert alert["code"] == "CT-DATE-3"
    assert alert["text"].startswith(f"Base date {BASE_DT} has no model card at 09:00 Asia/Seoul.")
    assert f"credit-ct run --partition {BASE_DT}" in alert["text"]
    daemon.now += timedelta(days=2)
    daemon.tick("09:00")
    assert [each["base_dt"] for each in _missing(receiver)] == [BASE_DT, "2025-02-03", "2025-02-04"]


def _missing(receiver: Receiver) -> list[dict[str, Any]]:
    """Alerts of missing base dates, without those of days that nobody has looked at."""
    return [each for each in receiver.received if each["kind"] == "base_date_missing"]


def test_a_missing_base_date_is_reported_with_its_run(
    daemon: Daemon, receiver: Receiver, run: Callable[..., str]
) -> None:
    """One that failed, in this case."""
    run_id = run(failing_model_card)
    daemon.tick("09:00")
    failure, missing = receiver.received
    assert (failure["kind"], missing["kind"]) == ("run_failed", "base_date_missing")
    assert "Its last run ended with FAILURE" in missing["text"]
    assert missing["links"]["run"].endswith(run_id)


@_every_history
def test_a_base_date_with_a_model_card_is_not_missing(
    daemon: Daemon, receiver: Receiver, run: Callable[..., str]
) -> None:
    """Only the success of its run is reported."""
    run(model_card)
    daemon.tick("09:00")
    assert [each["kind"] for each in receiver.received] == ["run_succeeded"]


def test_a_day_that_nobody_looked_at_is_reported_at_eleven(
    daemon: Daemon, receiver: Receiver, run: Callable[..., str]
) -> None:
    """Not a minute earlier, once, and each day again."""
    run(model_card)
    daemon.tick("10:59")
    receiver.received.clear()
    for at in ("11:00", "11:01", "23:59"):
        daemon.tick(at)
    [alert] = receiver.received
    assert (alert["kind"], alert["base_dt"]) == ("health_missing", BASE_DT)
    assert alert["code"] == "CT-HEALTH-1"
    assert "daily_monitoring_schedule" in alert["text"]
    daemon.now += timedelta(days=1)
    daemon.tick("11:00")
    missing = [each for each in receiver.received if each["kind"] == "health_missing"]
    assert [each["base_dt"] for each in missing] == [BASE_DT, "2025-02-03"]


def test_a_day_that_was_looked_at_is_not_missing(
    daemon: Daemon, receiver: Receiver, monitor: Callable[..., str]
) -> None:
    """And its run is not taken for a training of the base date of that day."""
    run_id = monitor(champion_health)
    daemon.tick("11:00")
    [alert] = receiver.received
    assert alert["kind"] == "base_date_missing"
    assert "No run was started for it" in alert["text"]
    assert run_id not in str(alert)


def test_a_missing_day_is_reported_with_its_run(
    daemon: Daemon, receiver: Receiver, instance: dg.DagsterInstance
) -> None:
    """One that has not ended, in this case."""
    job = dg.GraphDefinition(MONITORING).to_job()
    run = instance.create_run_for_job(job, tags={"dagster/partition": BASE_DT})
    daemon.tick("11:00")
    [missing] = [each for each in receiver.received if each["kind"] == "health_missing"]
    assert "Its run has not ended (NOT_STARTED)" in missing["text"]
    assert missing["links"]["run"].endswith(run.run_id)


def test_a_position_of_an_earlier_release_reports_no_day_before_it(
    instance: dg.DagsterInstance,
) -> None:
    """Nobody had looked at any day then."""
    before = AlertCursor(
        failed=ReportedEvent(), succeeded=ReportedEvent(), due=BASE_DT, backfills=0.0
    )
    stored = before.model_dump_json(exclude={"health_due"})
    cursor, found = AlertCursor.from_json(stored.encode(), "The cursor"), []
    runs = TrainedModel(name="m").runs_on(instance)
    for day in (3, 4):
        with freeze_time(datetime(2025, 2, day, 12, 0, tzinfo=ZoneInfo("Asia/Seoul"))):
            for event, moved in pending_events(runs, Calendar(), cursor):
                found.append(event)
                cursor = moved
    assert found == [None, BaseDateDue("2025-02-03", 540), HealthDue("2025-02-03", 660)]

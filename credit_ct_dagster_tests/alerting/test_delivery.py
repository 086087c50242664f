"""No alert is lost, and none is sent twice, whatever server or run is missing for a while."""

import json
from collections.abc import Callable

import dagster as dg
import pytest

from credit_ct_dagster.alerting.channels import Webhook
from credit_ct_dagster.alerting.events import AlertCursor
from credit_ct_dagster.alerting.sensors import webhook_alerts_sensor
from credit_ct_dagster.errors.base import CreditCtError
from credit_ct_dagster.runs.history import RunHistory
from credit_ct_dagster_tests.alerting.daemon import COMMON, Daemon
from credit_ct_dagster_tests.alerting.observed_runs import BASE_DT, SENTENCE, failing_model_card
from credit_ct_dagster_tests.servers import Inbox, Receiver

_every_history = pytest.mark.parametrize("instance", ["sqlite", "mariadb"], indirect=True)


@_every_history
@pytest.mark.parametrize("deleted", [False, True])
def test_a_run_that_fails_after_a_prune_is_reported(
    daemon: Daemon, receiver: Receiver, run: Callable[..., str], deleted: bool
) -> None:
    """Also when the newest run was deleted: SQLite reuses the numbers of its events."""
    reported = run(failing_model_card)
    daemon.tick()
    if deleted:
        RunHistory(daemon.instance).remove(reported)
    pending = run(failing_model_card)
    daemon.tick()
    daemon.tick()
    assert [each["run_id"] for each in receiver.received] == [reported, pending]


@_every_history
def test_a_server_that_was_down_gets_every_alert_once(
    daemon: Daemon, webhook_port: int, run: Callable[..., str]
) -> None:
    """The tick fails with a sentence, no run changes, and the next tick sends the alerts."""
    failed = [run(failing_model_card) for _ in range(2)]
    down = daemon.tick()[0]
    assert down.status.value == "FAILURE"
    assert down.error is not None
    assert "did not accept the alert" in str(down.error)
    assert "See CT-ALERT-1: " in str(down.error)
    assert Receiver.SECRET not in str(down.error)
    assert daemon.instance.get_run_by_id(failed[0]).status == dg.DagsterRunStatus.FAILURE  # type: ignore[union-attr]
    with Receiver.running(webhook_port) as server:
        daemon.tick()
        daemon.tick()
        assert [each["run_id"] for each in server.received] == failed


@pytest.mark.parametrize("daemon", ["mail"], indirect=True)
def test_a_mail_server_that_was_down_gets_every_alert_once(
    daemon: Daemon, mail_port: int, run: Callable[..., str]
) -> None:
    """As the webhook does."""
    failed = [run(failing_model_card) for _ in range(2)]
    daemon.tick()
    with Inbox.running(mail_port) as inbox:
        daemon.tick()
        daemon.tick()
        texts = [str(each.content) for each in inbox.messages]
        assert [run_id in text for run_id, text in zip(failed, texts, strict=True)] == [True, True]


def test_what_was_sent_before_a_server_went_down_is_not_sent_again(
    daemon: Daemon, webhook_port: int, run: Callable[..., str]
) -> None:
    """The first of three arrives; the others follow when the server is back."""
    failed = [run(failing_model_card) for _ in range(3)]
    with Receiver.running(webhook_port, answers=[200, 503, 503, 503]) as server:
        daemon.tick()
        assert [each["run_id"] for each in server.received] == [failed[0]] + [failed[1]] * 3
    with Receiver.running(webhook_port) as server:
        daemon.tick()
        assert [each["run_id"] for each in server.received] == failed[1:]


@pytest.mark.parametrize("daemon", ["webhook_and_log"], indirect=True)
def test_the_log_does_not_wait_for_the_webhook(
    daemon: Daemon, run: Callable[..., str], capfd: pytest.CaptureFixture[str]
) -> None:
    """Each channel has its own cursor."""
    run(failing_model_card)
    daemon.tick()
    daemon.tick()
    line = f"log_alerts_sensor - Materialization failed: {BASE_DT}\nmodel_card: {SENTENCE}"
    assert capfd.readouterr().err.count(line) == 1


_CURSOR = {
    "failed": {"number": 7, "at": 1738.5},
    "succeeded": {"number": -1, "at": 0.0},
    "due": "2025-02-01",
}


def test_the_cursor_of_an_earlier_release_is_read() -> None:
    """It had no version: after an update, no alert is lost and none is sent twice."""
    cursor = AlertCursor.from_json(json.dumps(_CURSOR).encode(), "the cursor")
    assert (cursor.failed.number, cursor.failed.at, cursor.due) == (7, 1738.5, "2025-02-01")
    assert AlertCursor.from_json(cursor.to_json(), "the cursor") == cursor


@pytest.mark.parametrize(
    ("stored", "code"),
    [(json.dumps(_CURSOR | {"version": 2}), "CT-FILES-4"), ("{}", "CT-FILES-3")],
)
def test_a_cursor_that_cannot_be_read_starts_from_now(
    instance: dg.DagsterInstance, stored: str, code: str
) -> None:
    """As after an update to a later release and back: the tick does not fail."""
    with pytest.raises(CreditCtError) as refused:
        AlertCursor.from_json(stored.encode(), "the cursor")
    assert refused.value.code == code
    context = dg.build_sensor_context(
        instance=instance,
        cursor=stored,
        sensor_name="webhook_alerts_sensor",
        resources={**COMMON, "webhook": Webhook(url="http://127.0.0.1:1")},
    )
    tick = webhook_alerts_sensor.evaluate_tick(context)
    assert tick.skip_message == "Alerts are sent for what happens from now on"
    AlertCursor.from_json((tick.cursor or "").encode(), "the cursor")

"""An alert that a server refuses for ever does not hold up those after it."""

from collections.abc import Callable
from typing import Any

import dagster as dg
import pytest

from credit_ct_dagster.alerting.channels import Alert, Kind, Mail, Webhook
from credit_ct_dagster.errors.operation import AlertNotDeliveredError, AlertRefusedError
from credit_ct_dagster_tests.alerting.daemon import Daemon
from credit_ct_dagster_tests.alerting.observed_runs import BASE_DT, failing_model_card, model_card
from credit_ct_dagster_tests.servers import Inbox, Receiver

_ALERT = Alert(Kind.run_failed, BASE_DT, "first line\nsecond line", "half a character: \udc80")


def _ids(receiver: Receiver) -> list[str]:
    return [each["run_id"] for each in receiver.received]


@pytest.mark.parametrize(
    ("status", "concerns_alert"),
    [(400, True), (413, True), (422, True), (401, False), (403, False), (404, False), (410, False)],
)
def test_a_status_says_whether_one_alert_is_refused_or_all(
    webhook_port: int, status: int, concerns_alert: bool
) -> None:
    """The next three tests show what follows from each."""
    with (
        Receiver.running(webhook_port, answers=[status]) as receiver,
        pytest.raises(AlertRefusedError, match=f"HTTP {status}") as refused,
    ):
        Webhook(url=receiver.url).send(_ALERT)
    assert refused.value.concerns_alert == concerns_alert
    assert Receiver.SECRET not in str(refused.value)


@pytest.mark.parametrize("status", [408, 429, 503])
def test_a_status_says_that_an_alert_may_be_accepted_later(webhook_port: int, status: int) -> None:
    """It is not refused."""
    with (
        Receiver.running(webhook_port, answers=[status] * 3) as receiver,
        pytest.raises(AlertNotDeliveredError, match=f"HTTP {status}") as later,
    ):
        Webhook(url=receiver.url).send(_ALERT)
    assert not isinstance(later.value, AlertRefusedError)


def test_an_alert_that_a_webhook_refuses_is_passed(
    daemon: Daemon, webhook_port: int, run: Callable[..., str]
) -> None:
    """It is tried once and logged; the later ones are sent at the same tick, in order."""
    failed = [run(failing_model_card) for _ in range(3)]
    with Receiver.running(webhook_port, answers=[200, 422]) as receiver:
        tick = daemon.tick()[0]
        daemon.tick()
    assert _ids(receiver) == failed
    assert tick.skip_reason == "Alerts sent: 2, undeliverable: 1"
    assert tick.cursor is not None
    assert f'"run_id":"{failed[1]}"' in tick.cursor
    assert Receiver.SECRET not in tick.cursor


def test_alerts_wait_for_a_webhook_that_refuses_them_all(
    daemon: Daemon, webhook_port: int, run: Callable[..., str]
) -> None:
    """Its address or a permission is wrong: nothing is lost until a person corrects it."""
    failed = [run(failing_model_card) for _ in range(2)]
    with Receiver.running(webhook_port, answers=[404] * 2) as receiver:
        tick = daemon.tick()[0]
        assert "See CT-ALERT-2: " in str(tick.error)
        daemon.tick()
        assert _ids(receiver) == failed + failed


def test_an_alert_that_a_webhook_forbids_is_passed_when_a_later_one_is_accepted(
    daemon: Daemon, webhook_port: int, run: Callable[..., str]
) -> None:
    """A filter in front of it may answer 403 to one text only."""
    failed = [run(failing_model_card) for _ in range(2)]
    with Receiver.running(webhook_port, answers=[403]) as receiver:
        tick = daemon.tick()[0]
        daemon.tick()
        assert _ids(receiver) == failed
        assert tick.skip_reason == "Alerts sent: 1, undeliverable: 1"


def test_an_alert_that_may_be_accepted_later_is_not_passed(
    daemon: Daemon, webhook_port: int, run: Callable[..., str]
) -> None:
    """Order is retained: the next one waits for it."""
    failed = [run(failing_model_card) for _ in range(2)]
    with Receiver.running(webhook_port, answers=[429] * 3) as receiver:
        daemon.tick()
        assert set(_ids(receiver)) == {failed[0]}
        receiver.answers.clear()
        receiver.received.clear()
        daemon.tick()
        assert _ids(receiver) == failed


class _RefusingInbox(Inbox):
    """Refuses messages for what they say."""

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:  # noqa: N802
        return "554 5.7.1 Message rejected for its content"


def _mail(port: int) -> Mail:
    return Mail(
        smtp_host="127.0.0.1", smtp_port=port, smtp_starttls=False, mail_to=["a@example.com"]
    )


def test_a_message_that_a_mail_server_rejects_is_refused(mail_port: int) -> None:
    """For its content, not for the address."""
    with (
        _RefusingInbox.running(mail_port),
        pytest.raises(AlertRefusedError, match="SMTPDataError, SMTP 554") as refused,
    ):
        _mail(mail_port).send(_ALERT)
    assert refused.value.concerns_alert
    assert refused.value.code == "CT-ALERT-2"


def test_any_text_can_be_mailed(mail_port: int) -> None:
    """Several lines in a subject, or half a character, would otherwise fail at every tick."""
    with Inbox.running(mail_port) as inbox:
        _mail(mail_port).send(_ALERT)
        assert b"Subject: first line second line" in (inbox.messages[0].content or b"")


def test_runs_of_another_model_are_not_reported(
    daemon: Daemon, receiver: Receiver, instance: dg.DagsterInstance, run: Callable[..., str]
) -> None:
    """Its own code location does; and its model card is not this model's at nine."""
    foreign = run(model_card)
    instance.add_run_tags(foreign, {"credit_ct/model": "other"})
    daemon.tick()
    daemon.tick("09:00")
    assert [each["kind"] for each in receiver.received] == ["base_date_missing"]

"""Alerts are delivered, or the caller gets an error; with real servers on loopback."""

from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from credit_ct_dagster.alerting.channels import Alert, Kind, Mail, Webhook
from credit_ct_dagster.errors.operation import AlertNotDeliveredError
from credit_ct_dagster_tests.certificates import self_signed
from credit_ct_dagster_tests.servers import Inbox, Receiver, free_port

_ALERT = Alert(
    Kind.run_failed,
    "2025-01-31",
    "continuous_training failed: 2025-01-31",
    "features_target: 만료되었습니다",
    {"run": "http://127.0.0.1:3000/runs/1"},
    "1",
    "CT-ROWS-1",
)


@pytest.fixture
def port() -> int:
    """Where the mail server is."""
    return free_port()


@pytest.fixture
def inbox(port: int) -> Iterator[Inbox]:
    """The mail server, with what it received."""
    with Inbox.running(port) as server:
        yield server


def _mail(port: int, **options: Any) -> Mail:
    where: dict[str, Any] = {"smtp_host": "127.0.0.1", "smtp_port": port, "smtp_starttls": False}
    return Mail(**where | {"mail_to": ["ops@example.com", "ml@example.com"]} | options)


def test_mail_arrives(port: int, inbox: Inbox) -> None:
    """Subject, text, links, sender and every recipient."""
    _mail(port).send(_ALERT)
    [envelope] = inbox.messages
    assert isinstance(envelope.content, bytes)
    message = message_from_bytes(envelope.content, _class=EmailMessage, policy=policy.default)
    assert message["Subject"] == "continuous_training failed: 2025-01-31"
    assert message.get_content().splitlines() == [
        "features_target: 만료되었습니다",
        "Run: http://127.0.0.1:3000/runs/1",
    ]
    assert envelope.rcpt_tos == ["ops@example.com", "ml@example.com"]


def test_mail_logs_in(port: int, inbox: Inbox) -> None:
    """User and password are used; a wrong one is an error, which does not repeat it."""
    _mail(port, smtp_user="ct", smtp_password="hush").send(_ALERT)
    assert len(inbox.messages) == 1
    with pytest.raises(
        AlertNotDeliveredError, match="SMTPAuthenticationError, SMTP 535"
    ) as refused:
        _mail(port, smtp_user="ct", smtp_password="wrong").send(_ALERT)
    assert "wrong" not in str(refused.value)


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """The mail server's."""
    return self_signed(tmp_path, "mail")


_ENCRYPTED = {"smtp_starttls": True, "smtp_user": "ct", "smtp_password": "hush"}


def test_mail_is_encrypted(
    port: int, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By STARTTLS, when the certificate is one that this machine trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    with Inbox.running(port, certificate) as inbox:
        _mail(port, **_ENCRYPTED).send(_ALERT)
        assert len(inbox.messages) == 1
        assert _commands(inbox.in_the_clear) == [b"EHLO", b"STARTTLS"]


@pytest.mark.parametrize("wrong", ["authority", "name"])
def test_a_mail_server_with_an_untrusted_certificate_gets_nothing(
    port: int, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    """Neither user and password nor the alert, whether its authority or its name is wrong."""
    options: dict[str, Any] = dict(_ENCRYPTED)
    if wrong == "name":
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
        options["smtp_host"] = "localhost"
    with (
        Inbox.running(port, certificate) as inbox,
        pytest.raises(
            AlertNotDeliveredError, match=r"certificate verify failed.*SMTP_HOST"
        ) as refused,
    ):
        _mail(port, **options).send(_ALERT)
    assert inbox.messages == []
    assert _commands(inbox.in_the_clear) == [b"EHLO", b"STARTTLS"]
    assert "hush" not in str(refused.value)


def test_a_mail_server_that_cannot_encrypt_gets_nothing(port: int, inbox: Inbox) -> None:
    """An attacker in between may have removed STARTTLS from its greeting."""
    with pytest.raises(AlertNotDeliveredError, match="SMTPNotSupportedError"):
        _mail(port, **_ENCRYPTED).send(_ALERT)
    assert inbox.messages == []
    assert set(_commands(inbox.in_the_clear)) == {b"EHLO", b"QUIT"}


def _commands(sent: bytes) -> list[bytes]:
    return [line.split()[0].upper() for line in sent.splitlines()]


def test_a_mail_server_that_is_down_is_an_error() -> None:
    """It names the alert that was not delivered and what to check, and no recipient."""
    with pytest.raises(AlertNotDeliveredError, match=r"refused.*SMTP_HOST") as refused:
        Mail(smtp_host="127.0.0.1", smtp_port=1, mail_to=["a@example.com"]).send(_ALERT)
    assert _ALERT.subject in str(refused.value)
    assert "a@example.com" not in str(refused.value)


def test_a_webhook_gets_json() -> None:
    """Every field of the alert, for machines that sort and for people who act."""
    with Receiver.running() as receiver:
        Webhook(url=receiver.url).send(_ALERT)
    assert receiver.received == [
        {
            "kind": "run_failed",
            "base_dt": "2025-01-31",
            "subject": "continuous_training failed: 2025-01-31",
            "text": "features_target: 만료되었습니다",
            "links": {"run": "http://127.0.0.1:3000/runs/1"},
            "run_id": "1",
            "code": "CT-ROWS-1",
        }
    ]


def test_a_webhook_is_tried_three_times() -> None:
    """Two errors of the server in a row are not an error of the channel."""
    with Receiver.running(answers=[503, 500, 204]) as receiver:
        Webhook(url=receiver.url).send(_ALERT)
    assert len(receiver.received) == 3


@pytest.mark.parametrize("status", [302, 404, 503])
def test_a_webhook_that_refuses_is_an_error(status: int) -> None:
    """Any answer but a 2xx; the path of the URL may be the secret, and is not repeated."""
    with (
        Receiver.running(answers=[status] * 3) as receiver,
        pytest.raises(
            AlertNotDeliveredError, match=f"127.0.0.1 did not accept .* .HTTP {status}."
        ) as refused,
    ):
        Webhook(url=receiver.url).send(_ALERT)
    assert Receiver.SECRET not in str(refused.value)


def test_a_webhook_that_is_down_is_an_error() -> None:
    """Without the library's own message, which has the URL."""
    with pytest.raises(AlertNotDeliveredError, match="ConnectionError") as refused:
        Webhook(url=f"http://127.0.0.1:1/{Receiver.SECRET}").send(_ALERT)
    assert refused.value.__suppress_context__
    assert Receiver.SECRET not in str(refused.value)


def test_nothing_is_configured_by_default() -> None:
    """The defaults need no server."""
    assert not Mail().is_configured
    assert not Mail(smtp_host="127.0.0.1").is_configured
    assert not Webhook().is_configured

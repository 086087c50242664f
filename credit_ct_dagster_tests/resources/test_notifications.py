"""Notifications, against a real mail server on loopback."""

import logging
import socket
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword

from credit_ct_dagster.resources.notifications import Notifier


class _Inbox:
    def __init__(self) -> None:
        self.messages: list[Envelope] = []

    async def handle_DATA(  # noqa: N802 aiosmtpd calls it so
        self, server: object, session: object, envelope: Envelope
    ) -> str:
        self.messages.append(envelope)
        return "250 OK"


class _Authenticator:
    def __call__(
        self, server: object, session: object, envelope: object, mechanism: str, data: LoginPassword
    ) -> AuthResult:
        known = (data.login, data.password) == (b"ct", b"hush")
        return AuthResult(success=known, handled=known)


@pytest.fixture
def inbox() -> _Inbox:
    """What arrived."""
    return _Inbox()


@pytest.fixture
def mail_server(inbox: _Inbox) -> Iterator[Controller]:
    """A mail server on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(
        inbox,
        hostname="127.0.0.1",
        port=port,
        authenticator=_Authenticator(),
        auth_require_tls=False,
    )
    controller.start()
    yield controller
    controller.stop()


def _notifier(server: Controller, **options: Any) -> Notifier:
    return Notifier(
        smtp_host="127.0.0.1",
        smtp_port=server.port,
        smtp_starttls=False,
        mail_to=["ops@example.com", "ml@example.com"],
        **options,
    )


def test_mail_arrives(mail_server: Controller, inbox: _Inbox) -> None:
    """Subject, body, sender and every recipient."""
    from email import message_from_bytes, policy

    _notifier(mail_server).send("continuous_training failed: 2025-01-31", "features_target: why")
    [envelope] = inbox.messages
    message = message_from_bytes(envelope.content, _class=EmailMessage, policy=policy.default)
    assert message["Subject"] == "continuous_training failed: 2025-01-31"
    assert message.get_content().strip() == "features_target: why"
    assert envelope.rcpt_tos == ["ops@example.com", "ml@example.com"]


def test_it_logs_in(mail_server: Controller, inbox: _Inbox) -> None:
    """User and password are used; a wrong one is an error, not a silence."""
    _notifier(mail_server, smtp_user="ct", smtp_password="hush").send("s", "b")
    assert len(inbox.messages) == 1
    with pytest.raises(OSError, match="Authentication"):
        _notifier(mail_server, smtp_user="ct", smtp_password="wrong").send("s", "b")


def test_without_a_server_it_logs(caplog: pytest.LogCaptureFixture) -> None:
    """The default needs no configuration."""
    with caplog.at_level(logging.INFO):
        Notifier().send("continuous_training succeeded: 2025-01-31", "Run: http://…")
    assert "continuous_training succeeded: 2025-01-31" in caplog.text


def test_a_server_that_is_down_is_an_error() -> None:
    """The caller learns that nobody was told."""
    with pytest.raises(OSError, match="refused"):
        Notifier(smtp_host="127.0.0.1", smtp_port=1, mail_to=["a@example.com"]).send("s", "b")

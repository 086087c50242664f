"""Servers on loopback that receive alerts."""

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword


class Receiver(ThreadingHTTPServer):
    """A webhook: records the JSON that it receives.

    Attributes:
        answers: The status of each answer to come; after these it answers 200.
        received: The body of every request.
    """

    SECRET = "services/T00/B00/hush"

    def __init__(self, port: int, answers: list[int]) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.answers = answers
        self.received: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        """The URL to post to; its path is a secret."""
        return f"http://127.0.0.1:{self.server_port}/{self.SECRET}"

    @classmethod
    @contextmanager
    def running(cls, port: int = 0, answers: list[int] | None = None) -> Iterator["Receiver"]:
        """A server on a port. [default: a free one]"""  # noqa: D415
        with cls(port, list(answers or [])) as server:
            thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            try:
                yield server
            finally:
                server.shutdown()
                thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        """Record a request and answer it."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append(json.loads(body))
        status = self.server.answers.pop(0) if self.server.answers else 200
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


class Inbox:
    """Records the messages that a mail server accepts; the user is `ct`, the password `hush`.

    Attributes:
        messages: Those that it accepted.
        in_the_clear: The bytes that were sent to it without encryption.
    """

    def __init__(self) -> None:
        self.messages: list[Envelope] = []
        self.in_the_clear = b""

    async def handle_DATA(  # noqa: N802 aiosmtpd calls it so
        self, server: object, session: object, envelope: Envelope
    ) -> str:
        """Record a message."""
        self.messages.append(envelope)
        return "250 OK"

    @classmethod
    @contextmanager
    def running(cls, port: int, certificate: tuple[Path, Path] | None = None) -> Iterator["Inbox"]:
        """A mail server on a port; with a certificate and its key, it requires STARTTLS."""
        inbox = cls()
        tls = None
        if certificate:
            tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            tls.load_cert_chain(*certificate)
        controller = _Controller(
            inbox,
            hostname="127.0.0.1",
            port=port,
            authenticator=_authenticate,
            tls_context=tls,
            require_starttls=bool(tls),
            auth_require_tls=bool(tls),
        )
        controller.start()
        try:
            yield inbox
        finally:
            controller.stop()


class _Controller(Controller):
    def factory(self) -> SMTP:
        """The protocol of one connection."""
        return _EavesdroppedSMTP(self.handler, **self.SMTP_kwargs)


class _EavesdroppedSMTP(SMTP):
    def data_received(self, data: bytes) -> None:
        """Record what could be read on the network."""
        if self.session.ssl is None:
            self.event_handler.in_the_clear += data
        super().data_received(data)


def _authenticate(
    server: object, session: object, envelope: object, mechanism: str, data: LoginPassword
) -> AuthResult:
    known = (data.login, data.password) == (b"ct", b"hush")
    return AuthResult(success=known, handled=known)

"""Connections of callers, as far as there is no request yet: their heads are bounded.

Uvicorn's protocol collects a head of any size, in a time that grows with its square, and waits for
it for ever. Nobody needs a key for that.
"""

from asyncio import TimerHandle
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

_TOO_LARGE = b"The head of the request is too large."


@dataclass(frozen=True)
class Limits:
    """Of a connection.

    Attributes:
        head_bytes: Of request line and headers; of what is neither head nor body of a request,
            such as trailers.
        head_seconds: For a head to arrive, from its first byte, or that of the connection.
        unread_seconds: For a caller to read the last answer, after the connection has ended.
    """

    head_bytes: int = 65_536
    head_seconds: float = 15.0
    unread_seconds: float = 30.0


class Connection(HttpToolsProtocol):
    """One connection; each worker has one object per connection."""

    limits: ClassVar[Limits] = Limits()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._without_progress = 0
        self._has_head = False
        self._late: TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Wait for the first head."""
        super().connection_made(transport)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what arrived, unless it is too much of a head."""
        if self.transport.is_closing():
            return
        self._without_progress += len(data)
        super().data_received(data)
        if self._without_progress > self.limits.head_bytes and not self.transport.is_closing():
            self._refuse()
        elif not self._has_head:  # also after an empty line, or the rest of an earlier body
            self._wait_for_head()

    def on_headers_complete(self) -> None:
        """A request begins."""
        self._without_progress = 0
        self._has_head = True
        self._stop_waiting()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body; the application limits it."""
        self._without_progress = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The next bytes are those of the next head."""
        self._without_progress = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Uvicorn closes the connection, or waits for the next head."""
        self._has_head = False
        super().on_response_complete()
        if self.transport.is_closing():
            self._give_up_later()
        elif self.pipeline or (self.cycle and not self.cycle.response_complete):
            self._has_head = True

    def timeout_keep_alive_handler(self) -> None:
        """No other request came."""
        self._end()

    def _wait_for_head(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(self.limits.head_seconds, self._end)

    def _stop_waiting(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _end(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()
        self._give_up_later()

    def _give_up_later(self) -> None:
        """A closed connection remains until its last byte was read, unless it is aborted."""
        if self.transport.get_write_buffer_size():
            self.loop.call_later(self.limits.unread_seconds, self.transport.abort)

    def _refuse(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.write(
                STATUS_LINE[HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE]
                + b"content-type: text/plain; charset=utf-8\r\ncontent-length: "
                + str(len(_TOO_LARGE)).encode()
                + b"\r\nconnection: close\r\n\r\n"
                + _TOO_LARGE
            )
        self._end()

"""What a caller can do to a worker before there is a request."""

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from threading import Thread
from typing import Any

import pytest
import uvicorn

from credit_ct_dagster.serving.server.connections import Connection, Limits
from credit_ct_dagster_tests.servers import free_port

_HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
_POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
_LARGE = 20_000_000


class _Hasty(Connection):
    limits = Limits(head_bytes=8_192, head_seconds=0.3, unread_seconds=0.3)


async def _answer(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    if scope["path"] == "/slow":
        await asyncio.sleep(1)
    size = _LARGE if scope["path"] == "/large" else 2
    headers = [(b"content-length", str(size).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"k" * size})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A server of one page, whose callers have little time."""
    number = free_port()
    config = uvicorn.Config(
        _answer, host="127.0.0.1", port=number, http=_Hasty, lifespan="off", log_config=None
    )
    server = uvicorn.Server(config)
    thread = Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield number
    server.should_exit = True
    thread.join()


def _connected(port: int) -> "closing[socket.socket]":
    return closing(socket.create_connection(("127.0.0.1", port), timeout=10))


def _all_of(connection: socket.socket) -> bytes:
    """What the server sends until it ends the connection."""
    received = b""
    try:
        while part := connection.recv(65_536):
            received += part
    except ConnectionResetError:
        pass
    return received


@pytest.mark.parametrize(
    "start",
    [
        _HEAD + b"X-Long: ",
        b"GET /",
        _POST + b"0\r\nX-Trailer: ",
        _POST + b"1;extension=",
    ],
    ids=["header", "path", "trailer", "extension of a chunk"],
)
def test_a_head_without_end_is_not_collected(port: int, start: bytes) -> None:
    """Nobody needs a key to send one, and it would fill the memory of the worker."""
    with _connected(port) as connection:
        sent = 0
        try:
            connection.sendall(start)
            for _ in range(1_000):
                connection.sendall(b"a" * 65_536)
                sent += 65_536
        except (BrokenPipeError, ConnectionResetError):
            pass
    assert sent < 20_000_000  # what the buffers of the system hold


def test_a_head_that_is_too_large_is_answered(port: int) -> None:
    """Also one that arrives piece by piece; the answer names the reason."""
    with _connected(port) as connection:
        connection.sendall(_HEAD)
        for number in range(9):
            connection.sendall(b"X-%d: %s\r\n" % (number, b"a" * 1_000))
            time.sleep(0.01)
        assert _all_of(connection).startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize(
    "start", [b"", b"GET / HT", _HEAD, _HEAD + b"\r\n\r\n", _HEAD + b"\r\n" + _HEAD]
)
def test_a_head_that_does_not_arrive_ends_the_connection(port: int, start: bytes) -> None:
    """Neither nothing, nor a part, nor an empty line after an answer keeps it open."""
    with _connected(port) as connection:
        connection.sendall(start)
        began = time.monotonic()
        _all_of(connection)
    assert time.monotonic() - began < 10


def test_a_head_that_trickles_has_no_more_time(port: int) -> None:
    """Each byte would otherwise prolong it."""
    with _connected(port) as connection:
        connection.sendall(_HEAD + b"X-Long: ")
        began = time.monotonic()
        try:
            while time.monotonic() - began < 10:
                connection.sendall(b"a")
                time.sleep(0.05)
        except (BrokenPipeError, ConnectionResetError):
            return
    pytest.fail("it was not ended")


def test_an_answer_that_nobody_reads_is_given_up(port: int) -> None:
    """Its bytes would stay in memory for as long as the caller likes."""
    with _connected(port) as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        time.sleep(1)
        assert len(_all_of(connection)) < _LARGE


def test_a_request_under_way_has_its_time(port: int) -> None:
    """The limits are for heads, not for answers; the connection serves the next request, too."""
    with _connected(port) as connection:
        for path in (b"/slow", b"/", b"/slow"):
            connection.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path)
            received = b""
            while not received.endswith(b"kk"):
                received += connection.recv(65_536)
            assert received.startswith(b"HTTP/1.1 200 ")

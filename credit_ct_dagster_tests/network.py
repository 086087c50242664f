"""A network between the platform and a server, which can be interrupted or slow."""

import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Proxy:
    """Forwards connections from a port of its own to another one.

    Attributes:
        port: The port that clients connect to.
        delay: Seconds by which each answer is delayed.
        carried: Bytes forwarded so far, in both directions.
        torn: How many times it was interrupted.
    """

    def __init__(self, to: int, delay: float = 0) -> None:
        self.delay, self.carried, self.torn = delay, 0, 0
        self._to, self._open = to, set[socket.socket]()
        self._servers, self._forgotten = set[socket.socket](), set[socket.socket]()
        self._tear_at: int | None = None
        self._down_seconds, self._down_until = 0.0, 0.0
        self._lock = threading.Lock()
        proxy = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                proxy._carry(self.request)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads, block_on_close = True, False

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]

    @classmethod
    @contextmanager
    def running(cls, to: int, delay: float = 0) -> Iterator["Proxy"]:
        """A proxy in front of a port."""
        proxy = cls(to, delay)
        thread = threading.Thread(target=proxy._server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield proxy
        finally:
            proxy._cut()
            proxy._server.shutdown()
            proxy._server.server_close()
            thread.join()

    def tear(self, after: int, seconds: float) -> None:
        """After so many more bytes, close all connections and refuse new ones for some seconds."""
        self._tear_at, self._down_seconds = self.carried + after, seconds

    def forget(self) -> None:
        """Close the clients' connections but not the server's, as a firewall drops idle ones."""
        self._forgotten |= self._servers
        self._shut(self._open - self._servers)

    def _carry(self, client: socket.socket) -> None:
        if time.monotonic() < self._down_until:
            return
        with suppress(OSError), socket.create_connection(("127.0.0.1", self._to)) as server:
            pair = {client, server}
            self._servers.add(server)
            self._open |= pair
            back = threading.Thread(
                target=self._pump, args=(server, client, self.delay), daemon=True
            )
            back.start()
            self._pump(client, server, 0)
            back.join()
            self._open -= pair

    def _pump(self, source: socket.socket, to: socket.socket, delay: float) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                time.sleep(delay)
                if self._tears(len(data)):
                    self._cut()
                to.sendall(data)
        self._shut({source, to} - self._forgotten)

    def _tears(self, size: int) -> bool:
        with self._lock:
            self.carried += size
            if self._tear_at is None or self.carried < self._tear_at:
                return False
            self._tear_at, self._down_until = None, time.monotonic() + self._down_seconds
            self.torn += 1
            return True

    def _cut(self) -> None:
        self._shut(set(self._open))

    @staticmethod
    def _shut(ends: set[socket.socket]) -> None:
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

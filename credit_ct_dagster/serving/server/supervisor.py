"""The processes that serve: workers on one socket, and the supervisor that replaces them."""

import errno
import ipaddress
import logging
import math
import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psutil
import uvicorn
from uvicorn.supervisors.multiprocess import Multiprocess, Process

from credit_ct_dagster.errors.serving import (
    ServiceNotStartedError,
    UnprotectedServiceError,
    UnusableAddressError,
)
from credit_ct_dagster.serving.server.connections import Connection

CANNOT_START = 3
"""The exit code by which a worker ends its server, as uvicorn has it."""

_COMMAND = "credit-ct serve"
_ELSEWHERE = " Then set SERVICE_URL, by which doctor and status find the service."
_STARTED = "started"
_RESTART_SECONDS = 2
_BACKLOG = 2_048
_KEEP_ALIVE_SECONDS = 75
"""Longer than a load balancer keeps an idle connection: whoever closes first loses no request."""
_HEALTHCHECK_SECONDS = 5
"""A worker that is stopped or stuck for so long is replaced; one that ends is waited for."""
_READY_SECONDS = 60
"""On SIGHUP, the old worker serves until the new one does, or this has passed."""
_LONGEST_GRACE_SECONDS = 25
"""Kubernetes and Compose kill after 30."""
_ORPHAN_SECONDS = 5
_LOOK_SECONDS = 0.2

logger = logging.getLogger(__name__)


def require_protection(host: str, keys: Sequence[str]) -> None:
    """Make sure that only callers with a key are answered where other machines can call.

    Raises:
        UnprotectedServiceError: There is no key.
    """
    if not keys and not _is_loopback(host):
        raise UnprotectedServiceError(
            f"The service does not listen on {host}, where other machines can call it, without API"
            " keys: set SERVING_API_KEYS or SERVING_API_KEYS_FILE, or listen on 127.0.0.1."
        )


def listening(host: str, port: int, command: str = _COMMAND) -> socket.socket:
    """A socket that accepts connections; they wait until a server is ready.

    Args:
        host: An address of this machine.
        port: The port.
        command: Who listens, with the options `--host` and `--port`.

    Raises:
        UnusableAddressError: Another process holds the port, or the address is not of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UnusableAddressError(
                f"Port {port} of {host} is held by {_holder(port)}. End it, or choose another port:"
                f" {command} --port.{_ELSEWHERE if command == _COMMAND else ''}"
            ) from None
        raise UnusableAddressError(
            f"{command} cannot listen on port {port} of {host}: {error.strerror or error}. Choose"
            f" an address of this machine and a free port: {command} --host --port."
        ) from None


def serve(
    app: Callable[[], Any],
    listener: socket.socket,
    workers: int,
    grace_seconds: float,
    log_config: dict[str, Any],
) -> None:
    """Serve until a signal ends it; requests under way are finished.

    Args:
        app: Makes the ASGI application in a worker; can be pickled.
        listener: Accepts the connections of all workers.
        workers: How many processes answer.
        grace_seconds: Requests that take longer after the signal are given up.
        log_config: Of `logging.config.dictConfig`, for the supervisor and the workers.

    Raises:
        ServiceNotStartedError: A worker cannot start, and would not another time.
    """
    config = uvicorn.Config(
        app,
        factory=True,
        workers=workers,
        interface="asgi3",
        http=Connection,
        lifespan="on",
        ws="none",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=math.ceil(min(grace_seconds, _LONGEST_GRACE_SECONDS)),
        timeout_worker_healthcheck=_HEALTHCHECK_SECONDS,
        log_config=log_config,
    )
    supervisor = _Supervisor(config, [listener])
    supervisor.run()
    if not supervisor.was_stopped:
        raise ServiceNotStartedError(
            "The service has ended, because a worker could not start; the cause is above. Correct"
            " it, then start credit-ct serve again."
        )


class _Supervisor(Multiprocess):
    """Uvicorn's, which also knows whether somebody has ended it."""

    was_stopped = False

    def handle_int(self) -> None:
        self.was_stopped = True
        super().handle_int()

    def handle_term(self) -> None:
        self.was_stopped = True
        super().handle_term()

    def terminate_all(self) -> None:
        # Otherwise callers would connect to nobody until the last request is answered.
        for listener in self.sockets:
            listener.close()
        super().terminate_all()

    def restart_all(self) -> None:
        # Uvicorn's waits for as long as for an answer to a ping, and heeds no other signal then.
        for place, old in enumerate(self.processes):
            new = Process(self.config, self.sockets)
            new.start()
            if not new.wait_until_ready(_READY_SECONDS, _EndAsked(self)):
                new.kill()
                new.join()
                if not _EndAsked(self).is_set():
                    logger.error(
                        "SIGHUP: a new worker was not ready; the cause is above. Those that were"
                        " not replaced serve on, with the keys and settings that they have."
                    )
                return
            old.terminate()
            old.join()
            self.processes[place] = new


class _EndAsked(Event):
    """Set as soon as somebody has asked a supervisor to end, also while it is busy."""

    def __init__(self, supervisor: _Supervisor) -> None:
        super().__init__()
        self._supervisor = supervisor

    def is_set(self) -> bool:
        ending = {signal.SIGTERM, signal.SIGINT}
        return self._supervisor.should_exit.is_set() or not ending.isdisjoint(
            self._supervisor.signal_queue
        )


def end_with_supervisor() -> None:
    """Let this worker end when its supervisor was killed: nobody else would replace or stop it.

    It accepts nothing more at once, and has some seconds for requests under way.
    """
    supervisor = multiprocessing.parent_process()
    if supervisor is not None:
        Thread(target=_end_after, args=(supervisor,), name="supervisor watch", daemon=True).start()


def _end_after(supervisor: Any) -> None:
    supervisor.join()
    logger.error("The supervisor of this worker was killed: the worker ends, too")
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_ORPHAN_SECONDS)
    os._exit(1)


def lead_own_group() -> None:
    """Have a process group of one's own, by which everything can be ended at once.

    A shell gives one to whatever it starts in a terminal, and sends Ctrl-C only there.
    """
    if os.getpgrp() != os.getpid() and not os.isatty(0):
        os.setpgrp()


def log_config(as_json: bool) -> dict[str, Any]:
    """How the supervisor and the workers log, for `logging.config.dictConfig`.

    Args:
        as_json: Whether as JSON; the platform's own modules log so by `entry_point.set_up_process`.
    """
    formatter: dict[str, Any] = {
        "()": "credit_ct_dagster.logs.LineFormatter",
        "format": "%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s",
    }
    if as_json:
        formatter = {"()": "credit_ct_dagster.logs.json_formatter"}
    handled = {"handlers": ["stderr"], "level": "INFO", "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": formatter},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "loggers": {
            "uvicorn": handled,
            "credit_ct_dagster": {"level": "INFO"} if as_json else handled,
        },
    }


def fail_to_start(folder: Path) -> int:
    """The exit code of a worker that cannot start.

    Returns:
        `CANNOT_START` if no worker of the server ever could; another one, after a pause, if the
        server has worked before and may work again.
    """
    if not (folder / _STARTED).exists():
        return CANNOT_START
    time.sleep(_RESTART_SECONDS)
    return 1


def note_start(folder: Path) -> None:
    """Put on record that a worker of the server could start."""
    (folder / _STARTED).touch()


def when_started(folder: Path, tell: Callable[[], None]) -> None:
    """Call `tell` as soon as the first worker of the server could start; returns at once.

    Args:
        folder: That of the server.
        tell: Called in a thread, which does not keep the process from ending.
    """

    def wait() -> None:
        while not (folder / _STARTED).exists():
            time.sleep(_LOOK_SECONDS)
        tell()

    Thread(target=wait, name="first start", daemon=True).start()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _holder(port: int) -> str:
    """The process that listens on a port, as far as it can be seen; arguments may be secrets."""
    try:
        for each in psutil.net_connections("tcp"):
            if each.status == psutil.CONN_LISTEN and each.laddr.port == port and each.pid:
                process = psutil.Process(each.pid)
                supervisor = process.parent()
                if supervisor is not None and _program(supervisor) == _COMMAND:
                    process = supervisor
                return f"process {process.pid} ({_program(process)})"
    except psutil.Error:  # it has ended, or belongs to another user
        pass
    return "another process"


def _program(process: psutil.Process) -> str:
    command = process.cmdline()
    if any(Path(part).name == "credit-ct" for part in command[:2]):
        return next(
            (f"credit-ct {each}" for each in ("serve", "ui") if each in command), "credit-ct"
        )
    return str(process.name())

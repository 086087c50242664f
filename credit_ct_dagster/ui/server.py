"""Dagster's UI behind a guard, and its daemon."""

import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from threading import Thread

import dagster as dg
import uvicorn
from dagster_webserver.app import create_app_from_workspace_process_context

from credit_ct_dagster.ui import daemon as daemon_module
from credit_ct_dagster.ui.dagster_processes import shared_code_servers, workspace_of
from credit_ct_dagster.ui.first_day import following
from credit_ct_dagster.ui.guard import Access, guarded
from credit_ct_dagster.ui.health_pages import add_health_pages
from credit_ct_dagster.ui.model_pages import add_model_pages
from credit_ct_dagster.ui.performance_pages import add_performance_pages

# As Dagster's own command: a statement may take 15 s, a connection lives for an hour.
_STATEMENT_MILLISECONDS, _CONNECTION_SECONDS, _MORE_CONNECTIONS = 15_000, 3_600, 20
_POLL_MILLISECONDS = 2_000
_STOP_SECONDS = 30


def serve(
    instance: dg.DagsterInstance,
    workspace: Path,
    access: Access,
    listener: socket.socket,
    daemon: bool,
    first_base_date: Callable[[], str],
) -> bool:
    """Serve the UI until it is interrupted.

    Args:
        instance: Whose history it shows.
        workspace: Names the code locations.
        access: Who may use it.
        listener: Accepts the connections.
        daemon: Whether to run Dagster's daemon beside it, for schedules, sensors and the queue.
        first_base_date: Where base dates begin; code locations are loaded anew when that changes.

    Returns:
        Whether it was interrupted; otherwise the daemon ended by itself.
    """
    instance.optimize_for_webserver(_STATEMENT_MILLISECONDS, _CONNECTION_SECONDS, _MORE_CONNECTIONS)
    # uvicorn hands the signal on once it has stopped: by default, that would end this process at
    # once, and leave the daemon running. As an interrupt, it first ends what is opened here.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    servers = shared_code_servers(instance, workspace) if daemon else nullcontext(workspace)
    with (
        suppress(KeyboardInterrupt),
        servers as served,
        workspace_of(instance, served) as context,
        following(context, first_base_date),
    ):
        app = create_app_from_workspace_process_context(
            context, live_data_poll_rate=_POLL_MILLISECONDS
        )
        add_health_pages(app, instance)
        add_model_pages(app, instance)
        add_performance_pages(app, instance)
        config = uvicorn.Config(guarded(app, access), log_level="warning", server_header=False)
        server = uvicorn.Server(config)
        if not daemon:
            server.run([listener])
            return True
        with _daemon(instance, served) as process:
            ended: list[int] = []
            Thread(target=_stop_with, args=(process, server, ended), daemon=True).start()
            server.run([listener])
            return not ended
    return True


@contextmanager
def _daemon(instance: dg.DagsterInstance, workspace: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Dagster's daemon, which ends with the UI."""
    reference = dg.serialize_value(instance.get_ref())
    command = [sys.executable, "-m", daemon_module.__name__, "run"]
    command += ["--workspace", str(workspace), "--instance-ref", reference]
    process = subprocess.Popen(command)  # noqa: S603 - our own arguments
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _stop_with(process: subprocess.Popen[bytes], server: uvicorn.Server, ended: list[int]) -> None:
    code = process.wait()
    if not server.should_exit:
        ended.append(code)
        server.should_exit = True

"""Dagster's code servers and daemon, as its own command `dagster dev` starts them.

Like `runs.dagster_internals`, this module imports `dagster._…`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import dagster as dg
import yaml

from credit_ct_dagster.runs.dagster_internals import internals_of_dagster

if TYPE_CHECKING:
    from dagster._core.workspace.context import WorkspaceProcessContext


def workspace_of(instance: dg.DagsterInstance, file: Path) -> "WorkspaceProcessContext":
    """The code locations that a workspace file names, for a web server; close it in the end."""
    with internals_of_dagster():
        from dagster._core.workspace.context import WorkspaceProcessContext
        from dagster._core.workspace.load_target import WorkspaceFileTarget

    return WorkspaceProcessContext(instance, WorkspaceFileTarget([str(file)]), dg.__version__)


@contextmanager
def shared_code_servers(instance: dg.DagsterInstance, file: Path) -> Iterator[Path]:
    """Start the code servers of a workspace once, for the UI and the daemon.

    Otherwise the daemon starts its own ones, and replaces them every minute.

    Args:
        instance: Whose runs they start.
        file: The workspace file that names the code locations.

    Yields:
        A workspace file that leads to the servers, for as long as they run.
    """
    with internals_of_dagster():
        from dagster._cli.proxy_server_manager import ProxyServerManager
        from dagster._core.workspace.load_target import WorkspaceFileTarget

    with (
        ProxyServerManager(instance, WorkspaceFileTarget([str(file)]), "WARNING") as servers,
        TemporaryDirectory() as folder,
    ):
        shared = Path(folder) / file.name
        shared.write_text(yaml.safe_dump({"load_from": [*servers.get_code_server_specs()]}))
        yield shared


def run_daemon() -> None:
    """Execute Dagster's command `dagster-daemon` with the arguments of this process."""
    with internals_of_dagster():
        from dagster._daemon.cli import main

    main()

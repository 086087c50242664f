"""The UI with its daemon, as a user starts it, and the requests of its pages."""

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from credit_ct_dagster_tests.platform import REPOSITORY
from credit_ct_dagster_tests.servers import free_port

START_SECONDS = 90
_LAUNCH = """
mutation Launch($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""
_STATUS = """
query Status($id: String!) {
  partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } }
}
"""


class Place(Protocol):
    """A platform in a folder."""

    @property
    def folder(self) -> Path:
        """The working directory of its processes."""

    @property
    def environment(self) -> dict[str, str]:
        """What they need to work there."""


@contextmanager
def dagster_dev(
    platform: Place, module: str = "credit_ct_dagster.definitions", **environment: str
) -> Iterator[int]:
    """The UI, its daemon and their runs, as `make dev` starts them, on a free port.

    All these processes are killed at the end, also while a run is in progress.

    Args:
        platform: The platform that they use.
        module: The module with the definitions.
        environment: Further variables.
    """
    workspace = (REPOSITORY / "workspace.yaml").read_text()
    (platform.folder / "workspace.yaml").write_text(
        workspace.replace("credit_ct_dagster.definitions", module)
    )
    port = free_port()
    with (platform.folder / "dev.log").open("ab") as log:
        process = subprocess.Popen(
            ["credit-ct", "ui", "--host", "127.0.0.1", "--port", str(port)],
            cwd=platform.folder,
            env=platform.environment | environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            yield port
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def graphql(port: int, query: str, **variables: Any) -> dict[str, Any]:
    """The value of a GraphQL query or mutation of one field."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql",
        json.dumps({"query": query, "variables": variables}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        [value] = json.loads(answer.read())["data"].values()
        return value


def launch_backfill(port: int, **params: Any) -> str:
    """Launch a backfill as the UI does, once the UI has started; returns its id."""
    launched = until(lambda: graphql(port, _LAUNCH, params=params), START_SECONDS, "the UI's start")
    assert launched["__typename"] == "LaunchBackfillSuccess", launched
    return str(launched["backfillId"])


def backfill_status(port: int, backfill_id: str) -> str:
    """The status of a backfill, such as `REQUESTED` or `COMPLETED_SUCCESS`."""
    return str(graphql(port, _STATUS, id=backfill_id)["status"])


def until(condition: Any, seconds: float, what: str, pause: float = 1) -> Any:
    """Wait until a condition is true; a server that it needs may still be starting.

    Args:
        condition: Is called again until it returns a true value.
        seconds: The longest wait.
        what: What is awaited, for the error.
        pause: Seconds between two calls.

    Returns:
        The true value.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            value = condition()
        except (urllib.error.URLError, ConnectionError, KeyError):
            value = None
        if value:
            return value
        time.sleep(pause)
    raise AssertionError(f"{what} took longer than {seconds} s")

"""The Dagster instance that commands write to and read from."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from filelock import Timeout

from credit_ct_dagster.errors.operation import InstanceBusyError
from credit_ct_dagster.locks import file_lock
from credit_ct_dagster.runs.dagster_internals import open_instance

_EMBEDDED_FOLDER = Path("var/dagster")
_WAIT_SECONDS = 120


def place_of_history() -> str:
    """Where the history of that instance is, for people."""
    home = os.environ.get("DAGSTER_HOME")
    return f"where {home}/dagster.yaml says" if home else f"in {_EMBEDDED_FOLDER.absolute()}"


@contextmanager
def configured_instance() -> Iterator[dg.DagsterInstance]:
    """The instance of DAGSTER_HOME, or else the one that `./dagster.yaml` describes.

    `dagster dev` uses the same one in the project's folder, so its UI shows what commands did.

    Raises:
        InstanceBusyError: Another command has been opening it for two minutes.
    """
    if os.environ.get("DAGSTER_HOME"):
        with dg.DagsterInstance.get() as instance:
            yield instance
        return
    _EMBEDDED_FOLDER.mkdir(parents=True, exist_ok=True)
    # Two commands that create its databases at the same time would corrupt them.
    try:
        with file_lock(_EMBEDDED_FOLDER.with_name("dagster.lock"), _WAIT_SECONDS):
            opened = open_instance(_EMBEDDED_FOLDER, config_dir=Path.cwd())
    except Timeout:
        raise InstanceBusyError(
            f"Another command has been opening Dagster's history in {_EMBEDDED_FOLDER} for"
            f" {_WAIT_SECONDS} s: end it, then try again."
        ) from None
    with opened as instance:
        yield instance

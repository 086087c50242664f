"""The Dagster instance that commands write to and read from."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from dagster._core.instance import InstanceRef
from filelock import Timeout

from credit_ct_dagster.databases import file_lock
from credit_ct_dagster.errors import CreditCtError

_EMBEDDED_FOLDER = Path("var/dagster")
_WAIT_SECONDS = 120


@contextmanager
def configured_instance() -> Iterator[dg.DagsterInstance]:
    """The instance of DAGSTER_HOME, or else the one that `./dagster.yaml` describes.

    That is what `dagster dev` uses in the project's folder, so its UI shows what commands did.
    """
    if os.environ.get("DAGSTER_HOME"):
        with dg.DagsterInstance.get() as instance:
            yield instance
        return
    _EMBEDDED_FOLDER.mkdir(parents=True, exist_ok=True)
    reference = InstanceRef.from_dir(str(_EMBEDDED_FOLDER.absolute()), config_dir=str(Path.cwd()))
    # Two commands that make its databases at the same time would leave them broken for good.
    try:
        with file_lock(_EMBEDDED_FOLDER.with_name("dagster.lock"), _WAIT_SECONDS):
            opened = dg.DagsterInstance.from_ref(reference)
    except Timeout:
        raise CreditCtError(
            f"Another command has been opening Dagster's history in {_EMBEDDED_FOLDER} for"
            f" {_WAIT_SECONDS} s: end it, then try again."
        ) from None
    with opened as instance:
        yield instance

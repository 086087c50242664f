"""The UI with its daemon, as a user starts it."""

import os
import signal
import subprocess
import time
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from credit_ct_dagster_tests.platform import REPOSITORY, Platform
from credit_ct_dagster_tests.servers import free_port


@contextmanager
def dagster_dev(
    platform: Platform, module: str = "credit_ct_dagster.definitions", **environment: str
) -> Iterator[int]:
    """The UI and its daemon, as `make dev` starts them, on a free port.

    Args:
        platform: Where it works.
        module: The definitions.
        environment: What its environment says besides.
    """
    workspace = (REPOSITORY / "workspace.yaml").read_text()
    (platform.folder / "workspace.yaml").write_text(
        workspace.replace("credit_ct_dagster.definitions", module)
    )
    port = free_port()
    with (platform.folder / "dev.log").open("ab") as log:
        process = subprocess.Popen(
            ["dagster", "dev", "--host", "127.0.0.1", "--port", str(port)],
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


def until(condition: Any, seconds: float, what: str) -> Any:
    """Ask again and again until the answer is true; a server may still be starting."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            value = condition()
        except (urllib.error.URLError, ConnectionError, KeyError):
            value = None
        if value:
            return value
        time.sleep(1)
    raise AssertionError(f"{what} took longer than {seconds} s")

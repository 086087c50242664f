"""The Dagster instance that commands write to and read from."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import psutil
from dagster._core.instance import InstanceRef

_EMBEDDED_FOLDER = Path("var/dagster")
_PROCESS_TAG = "credit_ct/process"


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
    with dg.DagsterInstance.from_ref(reference) as instance:
        yield instance


def process_tag() -> dict[str, str]:
    """A run tag that names the process this is called in, on this machine."""
    this = psutil.Process()
    return {_PROCESS_TAG: f"{socket.gethostname()}:{this.pid}:{this.create_time():.0f}"}


def fail_abandoned_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark runs as failed whose process on this machine was killed.

    Dagster watches the processes that its daemon launched; nobody watches a command's.

    Returns:
        The ids of the runs that were marked.
    """
    unfinished = instance.get_runs(
        dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED])
    )
    abandoned = [run for run in unfinished if _is_dead(run.tags.get(_PROCESS_TAG, ""))]
    for run in abandoned:
        instance.report_run_failed(run, "The process that ran it was killed.")
    return [run.run_id for run in abandoned]


def _is_dead(process: str) -> bool:
    host, _, rest = process.partition(":")
    if host != socket.gethostname():
        return False
    pid, _, created = rest.partition(":")
    try:
        return f"{psutil.Process(int(pid)).create_time():.0f}" != created
    except psutil.NoSuchProcess:
        return True

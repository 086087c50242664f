"""Runs that a code server forks from a process which has imported the libraries.

Docs: `docs/decisions/0025-warm-runs.md`.
"""

import gc
import inspect
import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Sequence
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext, ForkServerProcess, SpawnProcess
from typing import Any

import dagster as dg

IMPORTS = (
    "dagster._cli.api",  # the program of the code server, which every process of it imports
    "bentoml.mlflow",
    "catboost",
    "connectorx",
    "dagster_mysql",
    "fsspec.implementations.local",
    "git",
    "mlflow.catboost",
    "mlflow.pyfunc",
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.store.tracking.sqlalchemy_store",
    "opentelemetry.sdk.metrics",
    "optuna.storages",
    "pandas",
    "pandera.backends.pandas.register",
    "pandera.pandas",
    "pandera.strategies.pandas_strategies",
    "pyarrow.dataset",
    "pyarrow.parquet",
    "pydantic_settings",
    "pymysql",
    "sklearn.calibration",
    "sklearn.dummy",
    "sklearn.metrics",
    "sklearn.model_selection",
    "sklearn.neighbors",
    "sklearn.pipeline",
    "upath.implementations.local",
)
"""What the forking process imports: libraries only.

Each run reads the platform's own modules from disk, and so executes the code that is there when it
starts. Importing a library must start no Python thread and open no connection, which a forked
process could not use.
"""

_DAGSTERS_SERVER, _ITS_CONTEXT = "dagster._grpc.server", "_mp_ctx"
_PARENT_CHECK_SECONDS = 1
_log = logging.getLogger(__name__)


class WarmRun(ForkServerProcess):
    """The process of a run."""

    @staticmethod
    def _Popen(process_obj: Any) -> Any:  # noqa: N802 - of `multiprocessing`
        try:
            return ForkServerProcess._Popen(process_obj)
        except (OSError, EOFError) as error:
            _log.warning("The run starts slowly: no process could be forked for it (%s).", error)
            return SpawnProcess._Popen(process_obj)

    def run(self) -> None:
        """Execute the run, and end when the code server or the forking process is killed.

        Nobody would supervise the run any longer: Dagster marks it as failed, and retries it.
        """
        # What was imported is never garbage: to look for it would copy its memory into each run.
        gc.freeze()
        threading.Thread(target=_end_with_parents, name="parents", daemon=True).start()
        super().run()


class _WarmContext(ForkServerContext):
    Process = WarmRun


def start_warm_runs(imports: Sequence[str] = IMPORTS) -> None:
    """Let the code server that this process is, if it is one, fork the processes of its runs.

    Dagster spawns them, each of which imports everything again, and offers no other way; this can
    go when it does. The forking process starts with the first run, and ends with the code server.
    Elsewhere than on Linux, whose libraries survive a fork, runs are spawned as before.

    Args:
        imports: The modules that the forking process imports; one that is not found is left to
            the run.
    """
    module = sys.modules.get(_DAGSTERS_SERVER)
    if module is None or sys.platform != "linux":
        return
    server = module.DagsterApiServer
    if _ITS_CONTEXT not in inspect.unwrap(server.StartRun).__code__.co_names:
        _log.warning("Runs start slowly: Dagster %s moved %s.", dg.__version__, _ITS_CONTEXT)
        return
    context = _WarmContext()
    context.set_forkserver_preload([*imports])
    # The server exists already, and is loading the definitions. A property precedes its attribute.
    setattr(server, _ITS_CONTEXT, property(lambda _: context, lambda *_: None))


def _end_with_parents() -> None:
    server, forking = multiprocessing.parent_process(), os.getppid()
    assert server is not None
    while not wait([server.sentinel], _PARENT_CHECK_SECONDS) and os.getppid() == forking:
        pass
    os.kill(os.getpid(), signal.SIGKILL)

"""Processes that start at once: they are forked from one that has imported what takes seconds."""

import asyncio
import multiprocessing
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.context import ForkServerContext, ForkServerProcess
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

_PRELOADED = [
    "pytest",
    "distributed",
    "distributed.worker",
    "credit_ct_dagster.search.dask_workers",
    "credit_ct_dagster.scoring.dask_workers",
    "credit_ct_dagster.io_managers.artifacts",
    "credit_ct_dagster.resources.study_storage",
    "optuna.storages",
]


def warm() -> ForkServerContext:
    """Starts processes that have imported Dask, MLflow, CatBoost, Optuna and the platform."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    return context


@contextmanager
def started(function: Any, *arguments: Any) -> Iterator[ForkServerProcess]:
    """A process that calls a function of this module; it is killed at the end of the block."""
    process = warm().Process(target=function, args=arguments, daemon=True)
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()


def hold_study(url: str, name: str, opened: Event) -> None:
    """Have a study open until the process is killed."""
    import logging

    from credit_ct_dagster.modeling.search.search_space import TuningParameters
    from credit_ct_dagster.resources.study_storage import StudyStorage

    log = logging.getLogger(__name__)
    with StudyStorage(url=url).open(name, TuningParameters(), log):
        opened.set()
        time.sleep(600)


def record_trials(uri: str, model_name: str, numbers: range) -> dict[int, str]:
    """Record a pruned trial per number, on four threads at once; returns their MLflow runs."""
    from credit_ct_dagster.contracts.trial import Trial, TrialState
    from credit_ct_dagster.modeling.search.trials import FittedTrial
    from credit_ct_dagster.resources.mlflow.tracking import MlflowTracking
    from credit_ct_dagster.resources.mlflow.trials import Nesting

    tracking = MlflowTracking(tracking_uri=uri, model_name=model_name, ui_url="http://x")
    tracker = tracking.tracker(
        Nesting(
            "parent",
            {"credit_ct.search": "s", "credit_ct.base_dt": "2025-07-01"},
            {"iterations": 9},
        )
    )

    def record(number: int) -> str:
        trial = Trial(
            number=number,
            params={"depth": 3.0},
            state=TrialState.pruned,
            iterations=2,
            reason="fell behind",
            seconds=1.0,
        )
        return tracker.record(FittedTrial(trial, 1_700_000_000.0, [0.5 + number, 0.4], None))

    with ThreadPoolExecutor(4) as threads:
        return dict(zip(numbers, threads.map(record, numbers), strict=True))


def score_until_killed(model: Any, request: Any, url: str, folder: Path) -> None:
    """Score customers, and die of SIGKILL at the third chunk; temporary files go to a folder."""
    import logging
    import signal
    import tempfile

    from credit_ct_dagster.resources.feature_store import scores
    from credit_ct_dagster.resources.feature_store.store import FeatureStore
    from credit_ct_dagster.scoring.scoring import score_customers

    os.environ["TMPDIR"], tempfile.tempdir = str(folder), None
    rows = scores._rows
    calls: list[tuple[Any, ...]] = []

    def rows_of_two_chunks(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return rows(*arguments)

    setattr(scores, "_rows", rows_of_two_chunks)  # noqa: B010 nobody else sees this process
    score_customers(request, model, FeatureStore(url=url).database, logging.getLogger(__name__))


def serve_scheduler(port: int, log: Path) -> None:
    """Be a Dask scheduler."""
    from distributed import Scheduler

    _write_output_to(log)

    async def serve() -> None:
        async with Scheduler(host="127.0.0.1", port=port, dashboard=False) as scheduler:
            await scheduler.finished()

    asyncio.run(serve())


def serve_worker(address: str, name: str, folder: Path, environment: dict[str, str]) -> None:
    """Be a Dask worker with one thread, in a folder and an environment of its own."""
    from distributed import Worker

    _write_output_to(folder / f"{name}.log")
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)

    async def serve() -> None:
        async with Worker(address, nthreads=1, name=name, dashboard=False) as worker:
            await worker.finished()

    asyncio.run(serve())


def _write_output_to(log: Path) -> None:
    with log.open("ab") as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)

"""Dask workers of one core each: two against one."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from benchmarks.database import server
from benchmarks.measure import Turn, judge, take_turns
from benchmarks.plan import Plan
from benchmarks.report import Findings
from benchmarks.sandbox import Sandbox, sandbox
from benchmarks.windows import Window
from credit_ct_dagster_tests.mariadb import MariaDB

SEARCH = "credit_ct_dagster.search.dask_workers"
_START_SECONDS = 60


def run(plan: Plan, *, large: bool, **parameters: str) -> Findings:
    """The search on one worker and on two, with its study in MariaDB as in production.

    Args:
        plan: The sizes.
        large: On many sample rows, as is what other machines are for; else on January's.
        parameters: What differs from the default search.
    """
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        return Findings(skipped="two workers of one core each need two cores.")
    with server() as running, tempfile.TemporaryDirectory() as folder:
        window = _window(plan, Path(folder), large=large)
        search = plan.search(**parameters)
        one, two = take_turns(
            [partial(_tune_on, cores[:count], running, window, search) for count in (1, 2)],
            plan.pairs,
        )
    setting = "".join(f", {name}: {value}" for name, value in parameters.items())
    name = f"two Dask workers against one, {window.name}{setting}"
    found = judge(name, one, two, at_least_faster=1.8 if large else 1.7)
    winners = [
        ", ".join(f"{k} {v:g}" for k, v in w[-1].facts["winner"].items()) for w in (one, two)
    ]
    found.require(
        winners[0] == winners[1], f"the winner of one: {winners[0]}, and of two: {winners[1]}"
    )
    return Findings([found])


def _window(plan: Plan, folder: Path, *, large: bool) -> Window:
    if large:
        return Window.sample(plan.large_rows, 0, folder / "large")
    if plan.january:
        return Window.january(plan.january, folder / "january")
    return Window.sample(plan.window_rows, 0, folder / "sample")


def _tune_on(cores: list[int], running: MariaDB, window: Window, search: str) -> Turn:
    """Search with one worker per core; their start is not measured."""
    with (
        sandbox(OPTUNA_STORAGE_URL=running.new_database()) as here,
        cluster(here, cores, SEARCH) as scheduler_file,
    ):
        return here.measure(
            "benchmarks.engine", str(window.folder), "--parameters", search,
            "--scheduler-file", str(scheduler_file), "--workers", str(len(cores)),
        )  # fmt: skip


@contextmanager
def cluster(here: Sandbox, cores: list[int], preload: str) -> Iterator[Path]:
    """A scheduler, and workers, each pinned to a core, that have imported a module.

    Yields the scheduler file.
    """
    file = here.folder / "scheduler.json"
    with ExitStack() as stack:
        start = partial(_process, stack, here)
        start("dask_scheduler", "--scheduler-file", str(file), "--host", "127.0.0.1", "--port", "0",
              "--no-dashboard", "--no-show")  # fmt: skip
        deadline = time.monotonic() + _START_SECONDS
        while not file.exists():
            if time.monotonic() > deadline:
                raise RuntimeError(f"No Dask scheduler after {_START_SECONDS} s")
            time.sleep(0.1)
        for core in cores:
            start("dask_worker", "--scheduler-file", str(file), "--nthreads", "1", "--no-nanny",
                  "--no-dashboard", "--memory-limit", "0", "--local-directory", str(here.folder),
                  "--preload", preload, core=core)  # fmt: skip
        yield file


def _process(
    stack: ExitStack, here: Sandbox, program: str, *options: str, core: int | None = None
) -> None:
    """Start a Dask program; it ends with the stack."""
    pinned = [] if core is None else ["taskset", "--cpu-list", str(core)]
    log = stack.enter_context((here.folder / f"{program}.log").open("ab"))
    process = subprocess.Popen(
        [*pinned, sys.executable, "-m", f"distributed.cli.{program}", *options],
        cwd=here.folder, env=here.environment, stdout=log, stderr=log,
    )  # fmt: skip

    def end() -> None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    stack.callback(end)


GROUPS: dict[str, Callable[[Plan], Findings]] = {
    "dask": partial(run, large=True),
    "dask_exhaustive": partial(run, large=False, pruning="none"),
}

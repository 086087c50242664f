"""The service over minutes, at four fifths of what it can do."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import psutil

from benchmarks.database import server
from benchmarks.measure import Comparison, within
from benchmarks.plan import Plan
from benchmarks.report import Findings
from benchmarks.served import DURABLE, Platform, complete, failures, rows_of

_WORKERS = 2
_CLIENTS = 16
_SHARE = 0.8
_P99_MS = 50.0
_GROWTH = 1.05
"""Of the memory between the second and the last tenth of the time."""


@dataclass
class Memory:
    """Resident memory of the processes of a service.

    Attributes:
        at: Seconds since the start, per sample.
        mib: Per process, a value per sample.
    """

    at: list[float] = field(default_factory=list)
    mib: dict[int, list[float]] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def watched(cls, pid: int, every_seconds: float) -> Iterator["Memory"]:
        """Sample the workers of a server until the end of the block."""
        memory, ended = cls(), threading.Event()
        workers = [each for each in psutil.Process(pid).children() if _is_worker(each)]

        def watch() -> None:
            started = time.monotonic()
            while not ended.wait(every_seconds):
                memory.at.append(time.monotonic() - started)
                for worker in workers:
                    values = memory.mib.setdefault(worker.pid, [])
                    values.append(worker.memory_info().rss / 2**20)

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield memory
        finally:
            ended.set()
            thread.join()

    def tenths(self, pid: int) -> list[float]:
        """The mean of each tenth of the time."""
        parts = np.array_split(self.mib[pid], 10)
        return [float(part.mean()) for part in parts if len(part)]

    def slope(self, pid: int) -> float:
        """MiB per minute, after the first tenth."""
        begin = len(self.at) // 10
        minutes = np.array(self.at[begin:]) / 60
        return float(np.polyfit(minutes, self.mib[pid][begin:], 1)[0])


def _is_worker(process: psutil.Process) -> bool:
    return "resource_tracker" not in " ".join(process.cmdline())


def run(plan: Plan) -> Findings:
    """Two workers with reasons and log; the capacity is measured before, with the same client."""
    with (
        server(DURABLE) as running,
        Platform.trained(plan, running) as platform,
        complete(platform, _WORKERS) as service,
    ):
        full = service.load(_CLIENTS, plan.load_seconds)
        rate = _SHARE * full.facts["per_second"]
        every = max(0.1, plan.soak_seconds / 600)
        with Memory.watched(service.pid, every) as memory:
            turn = service.load(4 * _CLIENTS, plan.soak_seconds, rate)
    minutes = plan.soak_seconds / 60
    named = f"{minutes:g} min at 80 % of {full.facts['per_second']:.0f} requests/s, 2 workers"
    found = within(f"{named}: p99", [turn.facts["ms"]["p99"]], _P99_MS, "ms")
    failed = failures([full, turn])
    found.require(not failed, f"{turn.facts['requests']:,} requests, failed: {failed or 'none'}")
    rows = [
        {
            "worker": number,
            **{f"{10 * place} %": mib for place, mib in enumerate(memory.tenths(pid), 1)},
            "MiB per minute": memory.slope(pid),
        }
        for number, pid in enumerate(memory.mib, 1)
    ]
    return Findings(
        [found, _flat(memory)],
        {
            "Capacity, and load": [
                rows_of("at capacity", _CLIENTS, [full]),
                rows_of("80 % of it, arrivals at random", 4 * _CLIENTS, [turn]),
            ],
            "Resident memory, MiB, mean of each tenth of the time": rows,
        },
    )


def _flat(memory: Memory) -> Comparison:
    growths = []
    for pid in memory.mib:
        means = memory.tenths(pid)
        growths.append(means[-1] / means[min(1, len(means) - 1)])
    found = within("memory of a worker, last tenth against the second", growths, _GROWTH, "×")
    found.met = max(growths) <= _GROWTH
    rising = [
        sum(after > before for before, after in pairwise(memory.tenths(pid))) for pid in memory.mib
    ]
    found.notes.append(f"tenths in which the memory rose: {rising} of 9")
    return found


GROUPS: dict[str, Callable[[Plan], Findings]] = {"soak": run}

"""How much memory a process and its children need, over time."""

import time
from dataclasses import dataclass, field

import psutil

_EVERY_SECONDS = 0.05
GIB = 2**30


@dataclass
class MemoryWatch:
    """Adds up the resident memory of a process and its children, twenty times a second.

    Pages that they share count for each of them, so that the sum is never too low.

    Attributes:
        samples: Seconds since the epoch, and bytes.
    """

    samples: list[tuple[float, int]] = field(default_factory=list)

    def __call__(self, pid: int) -> None:
        """Watch a process until it ends."""
        try:
            process = psutil.Process(pid)
            while process.status() != psutil.STATUS_ZOMBIE:
                self.samples.append((time.time(), _resident(process)))
                time.sleep(_EVERY_SECONDS)
        except psutil.NoSuchProcess:  # it has ended
            return

    def peak(self, start: float = float("-inf"), end: float = float("inf")) -> float:
        """The highest sum between two times, in GiB; 0 if there was no sample."""
        inside = (size for at, size in self.samples if start <= at <= end)
        return max(inside, default=0) / GIB


def _resident(process: psutil.Process) -> int:
    total = 0
    for each in (process, *process.children(recursive=True)):
        try:
            total += each.memory_info().rss
        except psutil.NoSuchProcess:  # a child that has ended meanwhile
            continue
    return total

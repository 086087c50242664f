"""Which process a run has, so that it is not confused with another one of the same number."""

import json
import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import psutil

_PROC = Path("/proc")
_BOOT = _PROC / "sys/kernel/random/boot_id"
_MACHINE = Path("/etc/machine-id")
_HOST_NAMESPACE = "pid:[4026531836]"  # Linux gives that of the machine itself this number
_START_FIELD = 22 - 3  # of /proc/PID/stat, after the name in parentheses, which is the second


@dataclass(frozen=True)
class ProcessIdentity:
    """One process, on one machine since it was switched on.

    Clocks are not part of it: they are adjusted, and those of containers may differ.

    Attributes:
        host: The machine or the container by name.
        machine: The machine by its own id; empty if it has none.
        boot: When the machine was switched on, by its own id; empty where the system has none.
        namespace: Among which processes the number counts; a container has a namespace of its own.
        pid: The number of the process.
        started: When it started, in ticks since the machine was switched on.
    """

    host: str
    machine: str
    boot: str
    namespace: str
    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> Self | None:
        """The identity of a process of this namespace; None if there is none."""
        started = _started(pid)
        if started is None:
            return None
        return cls(
            socket.gethostname(),
            _content(_MACHINE),
            _content(_BOOT),
            _namespace(),
            pid,
            started,
        )

    def tag(self, run_id: str) -> str:
        """The text by which a run's record names this process."""
        return json.dumps({"run_id": run_id, **asdict(self)})

    @classmethod
    def of_tag(cls, text: str, run_id: str) -> Self | None:
        """The process of a run; None for a tag of another run, or of a later release.

        Whoever executes a run again gives the new one the tags of the old one.
        """
        try:
            fields = json.loads(text)
            return cls(**fields) if fields.pop("run_id") == run_id else None
        except (AttributeError, KeyError, TypeError, ValueError):
            return None

    def has_ended(self) -> bool | None:
        """Whether the process no longer exists; None when that cannot be seen from here."""
        ours = type(self).of(os.getpid())
        assert ours is not None
        if (self.host, self.machine) == (ours.host, ours.machine) and self.boot != ours.boot:
            # The machine was switched on again; a container of that name may be elsewhere.
            return True if self.namespace == ours.namespace == _HOST_NAMESPACE else None
        if (self.boot, self.namespace) != (ours.boot, ours.namespace) or not self._is_comparable():
            return None
        return _started(self.pid) != self.started

    def _is_comparable(self) -> bool:
        """Without a boot id, by the name of the machine."""
        return bool(self.boot) or self.host == socket.gethostname()


def _started(pid: int) -> str | None:
    if _BOOT.exists():
        stat = _content(_PROC / str(pid) / "stat")
        _, _, fields = stat.rpartition(") ")
        # A zombie has ended; its parent has not asked for its exit code yet.
        return fields.split()[_START_FIELD] if fields and fields[0] not in "ZX" else None
    try:
        return str(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None


def _namespace() -> str:
    try:
        return str((_PROC / "self/ns/pid").readlink())
    except OSError:
        return ""


def _content(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""

"""Runs as processes, how they ended, and the table that `make faults` writes."""

import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from threading import Thread
from typing import IO, Protocol

from credit_ct_dagster_tests.platform import BASE_DT, REPOSITORY, SMALL_SEARCH, Platform

SEARCH = SMALL_SEARCH | {"depth": [3, 4, 5, 6], "iterations": 40, "n_jobs": 1}
"""Four candidates, one at a time: a fault can be caused between two of them."""
CONFIG = {"ops": {"tuned_runs": {"config": SEARCH}}}
COMMAND = ("credit-ct", "run", "--partition", BASE_DT, "--config", "small.yaml")
_SECONDS = 280
_TABLE = REPOSITORY / "build" / "faults.md"
_HEAD = """\
| fault | observation | recovery | after |
|---|---|---|---|
"""


class Attempt:
    """A run as a process, whose output is recorded."""

    def __init__(
        self, platform: Platform, command: Sequence[str], environment: Mapping[str, str]
    ) -> None:
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            command or COMMAND, cwd=platform.folder, env={**platform.environment, **environment},
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        assert self.process.stderr is not None
        self.lines: list[str] = []
        self._reader = Thread(target=self._read, args=(self.process.stderr,), daemon=True)
        self._reader.start()

    def _read(self, stderr: IO[str]) -> None:
        with stderr:
            for line in stderr:
                self.lines.append(line.rstrip())

    def until_printed(self, text: str) -> None:
        """Wait until it has printed a line with this text."""
        deadline = time.monotonic() + _SECONDS
        while not any(text in line for line in self.lines):
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.02)

    def kill(self) -> None:
        """End it with SIGKILL: it cannot clean up."""
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self._reader.join()

    def exit_code(self) -> int:
        """Wait until it ends, without having printed a traceback; returns the exit code."""
        code = self.process.wait(_SECONDS)
        self._reader.join()
        assert not any("Traceback" in line for line in self.lines), self.output
        return code

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return "\n".join(self.lines)

    @property
    def last_line(self) -> str:
        """The last line that is not empty: the error, if it failed."""
        return next((line for line in reversed(self.lines) if line), "")

    @property
    def seconds(self) -> float:
        """Seconds since it was started."""
        return time.perf_counter() - self.started


class Start(Protocol):
    """The fixture that starts runs: the job of the base date, or another command."""

    def __call__(self, platform: Platform, *command: str, **environment: str) -> Attempt: ...


def run_again(start: Start, platform: Platform, **environment: str) -> float:
    """Run the same command without a fault; returns how many seconds it took."""
    attempt = start(platform, **environment)
    assert attempt.exit_code() == 0, attempt.output
    return attempt.seconds


def report(fault: str, observation: str, recovery: str = "–", seconds: float | None = None) -> None:
    """Add a row to the table; the caller has verified that nothing was lost or left over."""
    _TABLE.parent.mkdir(exist_ok=True)
    if not _TABLE.exists():
        _TABLE.write_text(_HEAD)
    after = "–" if seconds is None else f"{seconds:.0f} s"
    with _TABLE.open("a") as table:
        table.write(f"| {fault} | {observation} | {recovery} | {after} |\n")

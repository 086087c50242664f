"""Runs as processes, what became of them, and the table that `make faults` writes."""

import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from threading import Thread
from typing import IO, Protocol

from credit_ct_dagster_tests.platform import BASE_DT, REPOSITORY, SMALL_SEARCH, Platform

SEARCH = SMALL_SEARCH | {"depth": [3, 4, 5, 6], "iterations": 40, "n_jobs": 1}
"""Four candidates, one at a time: there is a moment after each."""
CONFIG = {"ops": {"tuned_runs": {"config": SEARCH}}}
COMMAND = ("credit-ct", "run", "--partition", BASE_DT, "--config", "small.yaml")
_SECONDS = 280
_TABLE = REPOSITORY / "build" / "faults.md"
_HEAD = """\
| fault | seen | lost, left behind | how it came back | in |
|---|---|---|---|---|
"""


class Attempt:
    """A run as a process, whose words are kept."""

    def __init__(
        self, platform: Platform, command: Sequence[str], environment: Mapping[str, str]
    ) -> None:
        self.began = time.perf_counter()
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

    def until_said(self, words: str) -> None:
        """Wait until a line holds these words."""
        deadline = time.monotonic() + _SECONDS
        while not any(words in line for line in self.lines):
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.02)

    def kill(self) -> None:
        """With SIGKILL: nothing is cleaned up."""
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self._reader.join()

    def ended(self) -> int:
        """Wait for its end; returns the exit code. No traceback was told on the way."""
        code = self.process.wait(_SECONDS)
        self._reader.join()
        assert not any("Traceback" in line for line in self.lines), self.said
        return code

    @property
    def said(self) -> str:
        """All that was told so far."""
        return "\n".join(self.lines)

    @property
    def last_line(self) -> str:
        """The sentence in the end."""
        return next((line for line in reversed(self.lines) if line), "")

    @property
    def seconds(self) -> float:
        """Since it was started."""
        return time.perf_counter() - self.began


class Start(Protocol):
    """The fixture that starts runs: the job of the base date, or another command."""

    def __call__(self, platform: Platform, *command: str, **environment: str) -> Attempt: ...


def run_again(start: Start, platform: Platform, **environment: str) -> float:
    """The same command, without a fault; returns how long it took."""
    attempt = start(platform, **environment)
    assert attempt.ended() == 0, attempt.said
    return attempt.seconds


def report(fault: str, seen: str, back: str = "–", seconds: float | None = None) -> None:
    """Add a row to the table: nothing was lost or left, as the caller has made sure."""
    _TABLE.parent.mkdir(exist_ok=True)
    if not _TABLE.exists():
        _TABLE.write_text(_HEAD)
    took = "–" if seconds is None else f"{seconds:.0f} s"
    with _TABLE.open("a") as table:
        table.write(f"| {fault} | {seen} | nothing | {back} | {took} |\n")

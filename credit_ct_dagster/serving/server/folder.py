"""The folder of one server, by which its workers know of each other."""

import json
import logging
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Self
from uuid import uuid4

from filelock import FileLock, Timeout
from prometheus_client.multiprocess import mark_process_dead

from credit_ct_dagster.serving.server.worker_state import WorkerState

_WRITE_SECONDS = 2
"""A worker whose state does not change writes it so often."""
_LOCK = "lock"

logger = logging.getLogger(__name__)


class ServerFolder:
    """The folder of one server, which only its own workers use: states, metrics, alerts."""

    def __init__(self, path: Path) -> None:
        """Name the folder of a server that runs."""
        self.path = path
        self._written: WorkerState | None = None
        self._written_at = 0.0
        self._failing = False

    @classmethod
    @contextmanager
    def running(cls, state_path: Path) -> Iterator[Self]:
        """A folder for a server, as long as the block runs; those of killed servers are deleted.

        Args:
            state_path: Where the folders of all servers are (SERVING_STATE_PATH).
        """
        servers = state_path.absolute() / "servers"
        made = cls(servers / uuid4().hex[:12])
        servers.mkdir(parents=True, exist_ok=True)
        # Whoever holds it may neither find a folder without its lock, nor delete one.
        with FileLock(servers / _LOCK):
            for folder in filter(Path.is_dir, servers.iterdir()):
                _delete_abandoned(folder)
            for name in ("workers", "metrics", "alerts"):
                (made.path / name).mkdir(parents=True, mode=0o700)
            lock = FileLock(made.path / _LOCK)
            lock.acquire(blocking=False)
        try:
            yield made
        finally:
            shutil.rmtree(made.path, ignore_errors=True)
            lock.release()

    @property
    def metrics(self) -> Path:
        """Where prometheus-client adds up the workers (PROMETHEUS_MULTIPROC_DIR)."""
        return self.path / "metrics"

    def write(self, state: WorkerState) -> None:
        """Let the other workers know this one's state; a full disk is logged, and no more."""
        now = time.monotonic()
        before = self._written
        same = before is not None and replace(state, last_look=before.last_look) == before
        if same and now - self._written_at < _WRITE_SECONDS:
            return
        file = self._file(state.pid)
        temporary = file.with_suffix(".tmp")
        try:
            temporary.write_text(json.dumps(asdict(state)), encoding="utf8")
            temporary.replace(file)
        except OSError as error:
            if not self._failing:
                logger.warning(
                    f"The state of this worker cannot be written to {file.parent}"
                    f" ({error.strerror}): /readyz of other workers shows an old one. Free disk"
                    " space below SERVING_STATE_PATH."
                )
            self._failing = True
            return
        self._failing, self._written, self._written_at = False, state, now

    def workers(self) -> list[WorkerState]:
        """The states of all workers that run, by their process numbers."""
        return sorted(self._living(), key=lambda state: state.pid)

    def another_serves(self) -> bool:
        """Whether another worker than this process has a model."""
        return any(state.serving and state.pid != os.getpid() for state in self._living())

    def forget(self, pid: int) -> None:
        """Delete the state of a worker that has ended, and its part of sums of living workers."""
        self._file(pid).unlink(missing_ok=True)
        with suppress(FileNotFoundError):  # another worker was faster
            mark_process_dead(pid, str(self.metrics))

    def is_first(self, cause: str) -> bool:
        """Whether no other worker has reported a cause yet, so that this one does."""
        try:
            (self.path / "alerts" / cause).touch(exist_ok=False)
        except FileExistsError:
            return False
        except OSError:  # rather twice than never
            return True
        return True

    def solved(self) -> None:
        """From now on, every cause is reported again."""
        for file in (self.path / "alerts").glob("*"):
            file.unlink(missing_ok=True)

    def _living(self) -> Iterator[WorkerState]:
        for file in (self.path / "workers").glob("*.json"):
            try:
                state = WorkerState(**json.loads(file.read_text("utf8")))
            except (OSError, ValueError, TypeError):  # deleted, or of another release
                continue
            if state.is_alive():
                yield state
            else:
                self.forget(state.pid)

    def _file(self, pid: int) -> Path:
        return self.path / "workers" / f"{pid}.json"


def _delete_abandoned(folder: Path) -> None:
    try:
        with FileLock(folder / _LOCK, blocking=False):
            shutil.rmtree(folder, ignore_errors=True)
    except Timeout:
        return  # its server runs

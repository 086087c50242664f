"""Where predictions wait while the database is away: files of JSON lines.

A process writes one file at a time and holds a lock on it, which a kill releases. Files without
such a lock are complete but for a last line that was cut off, which nobody was answered. Any
process may insert them into the database and delete them.
"""

import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import BinaryIO
from uuid import uuid4

from filelock import FileLock, Timeout

from credit_ct_dagster.causes import cause_of
from credit_ct_dagster.disk import sync_folder
from credit_ct_dagster.serving.log.prediction import NewerLineError, Prediction

logger = logging.getLogger(__name__)

_MAX_BYTES = 16_000_000
"""Of a file; then the next one begins, so that each is deleted soon after it was inserted."""
_ROWS = 500
_BLOCK = 4096

Insert = Callable[[Sequence[Prediction]], object]


@dataclass
class Drained:
    """What became of the files of a spool.

    Attributes:
        rows: How many predictions the database has now.
        refused: Why files remain.
        is_busy: Whether another process drains the folder, so that nothing was done.
    """

    rows: int = 0
    is_busy: bool = False
    refused: list[str] = field(default_factory=list)


class Spool:
    """The files of one folder, which all workers of a machine share."""

    def __init__(self, folder: Path) -> None:
        """Read and create nothing yet.

        Args:
            folder: On a local disk; for these files only.
        """
        self.folder = folder
        self._mutex = Lock()
        self._own: _Own | None = None

    def prepare(self) -> None:
        """Make sure that the folder exists and can be written.

        Raises:
            OSError: It cannot.
        """
        own = _Own.opened(self.folder)
        try:
            own.write(b" " * _BLOCK)  # without an end: not a line
        finally:
            own.size = 0
            own.close()

    def append(self, lines: Sequence[bytes]) -> None:
        """Write lines; they survive a power cut when it returns.

        Raises:
            OSError: The disk is full, or broken. None of the lines remains.
        """
        with self._mutex:
            if self._own is None:
                self._own = _Own.opened(self.folder)
            try:
                self._own.write(b"".join(lines))
            except OSError:
                # What a file holds after a failed fsync is uncertain: the next lines go elsewhere.
                self._release()
                raise
            if self._own.size >= _MAX_BYTES:
                self._release()

    def release(self) -> None:
        """End the file that is being written, so that it can be drained."""
        with self._mutex:
            self._release()

    def drain(self, insert: Insert) -> Drained:
        """Hand over what waits here, the oldest first, and delete it.

        One process at a time does so; files that another one writes remain. If it is interrupted,
        the next one hands over the same predictions again.

        Args:
            insert: Takes predictions; they are in the database when it returns.

        Raises:
            OSError: The folder cannot be read or written.
        """
        drained = Drained()
        if not files_in(self.folder):
            return drained
        try:
            with FileLock(self.folder / "drain.lock", timeout=0):
                for path in files_in(self.folder):
                    try:
                        self._drain_file(path, insert, drained)
                    except _UnreadableError as error:
                        drained.refused.append(str(error))
        except Timeout:
            drained.is_busy = True
        return drained

    def _release(self) -> None:
        own, self._own = self._own, None
        if own is not None:
            own.close()

    def _drain_file(self, path: Path, insert: Insert, drained: Drained) -> None:
        with _claimed(path) as stream:
            if stream is None:
                return
            damaged = 0
            try:
                for rows, unreadable in _read(stream):
                    damaged += unreadable
                    if rows:
                        insert(rows)
                    drained.rows += len(rows)
            except NewerLineError:
                drained.refused.append(
                    f"A later release wrote {path}, so its predictions remain there: start that"
                    " release, which inserts them."
                )
                return
            if damaged:
                kept = path.with_suffix(".damaged")
                path.rename(kept)
                logger.error(
                    "%d lines of %s cannot be read; the others are in the database", damaged, kept
                )
            else:
                path.unlink(missing_ok=True)
            sync_folder(self.folder)


def files_in(folder: Path) -> list[Path]:
    """The files of a spool, the oldest first."""
    return sorted(folder.glob("*.jsonl"))


@dataclass
class _Own:
    """The file that this process writes."""

    path: Path
    descriptor: int
    size: int = 0

    @classmethod
    def opened(cls, folder: Path) -> "_Own":
        """A new file, locked by this process."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"{time.time_ns():020d}-{os.getpid()}-{uuid4().hex[:8]}.jsonl"
        # Rows of customers are readable by this user only.
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            sync_folder(folder)
        except OSError:
            os.close(descriptor)
            raise
        return cls(path, descriptor)

    def write(self, data: bytes) -> None:
        """Append lines; they survive a power cut when it returns.

        Raises:
            OSError: They are not written; none of them remains.
        """
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self.descriptor, view) :]
            os.fsync(self.descriptor)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self.descriptor, self.size)
            raise
        self.size += len(data)

    def close(self) -> None:
        """Release it; an empty one is deleted."""
        with suppress(OSError):  # some file systems report here what fsync did not
            if self.size == 0:
                self.path.unlink(missing_ok=True)
            os.close(self.descriptor)


class _UnreadableError(Exception):
    """A file that this process may not open; the others are drained."""


@contextmanager
def _claimed(path: Path) -> Iterator[BinaryIO | None]:
    """A file that no process writes any more, locked; None for one that is being written."""
    try:
        stream = path.open("r+b")
    except FileNotFoundError:
        yield None
        return
    except OSError as error:
        raise _UnreadableError(
            f"{path} cannot be drained ({cause_of(error)}): correct its permissions, or move it"
            " away."
        ) from None
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        yield stream


def _read(stream: BinaryIO) -> Iterator[tuple[list[Prediction], int]]:
    """Predictions of a file in its order, some hundreds at a time, and how many lines are damaged.

    A last line without an end was cut off before anybody was answered.
    """
    rows: dict[str, Prediction] = {}
    unreadable = 0
    for line in stream:
        try:
            read = Prediction.from_line(line)
        except ValueError:
            unreadable += line.endswith(b"\n")
            continue
        rows.setdefault(read.request_id, read)
        if len(rows) == _ROWS:
            yield list(rows.values()), unreadable
            rows, unreadable = {}, 0
    yield list(rows.values()), unreadable

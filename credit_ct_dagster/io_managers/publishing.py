"""Files that appear complete or not at all, also after a power cut."""

import errno
import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from upath import UPath

from credit_ct_dagster.disk import sync_folder
from credit_ct_dagster.io_managers.places import content_of, is_local

READABLE = 0o644
PRIVATE = 0o600
"""Permissions of a file with rows of customers."""
PRIVATE_FOLDER = 0o700

_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS}


def publish(path: UPath, content: bytes, mode: int = READABLE) -> None:
    """Make `path` hold `content`, whole or not at all.

    Args:
        path: The file; its folder exists.
        content: What it holds from now on.
        mode: Its permissions on a disk, whatever the umask is.
    """
    if not is_local(path):
        path.fs.pipe_file(path.path, content)  # object stores put an object whole
        return
    local = Path(path.path)
    with _written(local, content, mode) as temporary:
        temporary.replace(local)
        sync_folder(local.parent)


def publish_new(path: UPath, content: bytes, mode: int = READABLE) -> None:
    """Like `publish`, but never in the place of another file.

    Raises:
        FileExistsError: There is one, which is unchanged.
    """
    if not is_local(path):
        try:
            path.fs.pipe_file(path.path, content, mode="create")
        except FileExistsError:
            # Its answer was lost, the client asked again, and the store found what it had stored.
            if content_of(path) != content:
                raise
        return
    local = Path(path.path)
    with _written(local, content, mode) as temporary:
        try:
            local.hardlink_to(temporary)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            _write_exclusively(local, content, mode)
        sync_folder(local.parent)


@contextmanager
def _written(local: Path, content: bytes, mode: int) -> Iterator[Path]:
    """A temporary file on the disk itself, which is removed unless the block renames it."""
    _remove_abandoned(local)
    with tempfile.NamedTemporaryFile(
        dir=local.parent, prefix=f".{local.name}.", suffix=".tmp", delete=False
    ) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            yield Path(file.name)
        finally:
            Path(file.name).unlink(missing_ok=True)


def _write_exclusively(local: Path, content: bytes, mode: int) -> None:
    """For file systems without hard links: a kill may leave a part, which readers refuse."""
    with os.fdopen(os.open(local, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _remove_abandoned(path: Path) -> None:
    """Delete temporary files of killed writers: those that no living process holds locked."""
    for leftover in path.parent.glob(f".{path.name}.*.tmp"):
        with suppress(FileNotFoundError, BlockingIOError, PermissionError):
            descriptor = os.open(leftover, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                leftover.unlink()
            finally:
                os.close(descriptor)

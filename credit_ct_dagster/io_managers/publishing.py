"""Files that appear complete or not at all."""

import fcntl
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from upath import UPath

LOCAL_PROTOCOLS = {"", "file"}


def publish(path: UPath, content: bytes) -> None:
    """Make `path` hold `content`, whole or not at all."""
    if path.protocol not in LOCAL_PROTOCOLS:
        path.write_bytes(content)  # object stores put an object whole
        return
    local = Path(path.path)
    _remove_abandoned(local)
    with tempfile.NamedTemporaryFile(
        dir=local.parent, prefix=f".{local.name}.", suffix=".tmp", delete=False
    ) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            file.write(content)
            file.flush()
            Path(file.name).chmod(0o644)
            Path(file.name).replace(local)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def _remove_abandoned(path: Path) -> None:
    """Delete temporary files of killed writers: those that no living process holds locked."""
    for leftover in path.parent.glob(f".{path.name}.*.tmp"):
        with suppress(FileNotFoundError, BlockingIOError):
            descriptor = os.open(leftover, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                leftover.unlink()
            finally:
                os.close(descriptor)

"""What a power cut does not take back: files, and the names of files, on a disk."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from uuid import uuid4


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    _sync(folder)


def sync_tree(folder: Path) -> None:
    """Make a folder survive a power cut, with all files in it and below."""
    for path in [*folder.rglob("*"), folder, folder.parent]:
        if not path.is_symlink():
            _sync(path)


def replace_file(file: Path, content: bytes) -> None:
    """Make a file hold a content, whole or not at all; its permissions stay as they were."""
    temporary = file.with_name(f"{file.stem}.tmp")
    with temporary.open("wb") as stream:
        if file.exists():
            os.fchmod(stream.fileno(), file.stat().st_mode & 0o777)
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(file)
    sync_folder(file.parent)


@contextmanager
def replacing(file: Path) -> Iterator[IO[bytes]]:
    """Let a file hold what is written in the block, once the block has ended without an error.

    It is written beside the file, which keeps its permissions, and under another name; a name that
    is a link leads to the file that is replaced.
    """
    file = file.resolve()
    temporary = file.with_name(f".{file.name}.{uuid4().hex[:8]}.tmp")
    try:
        with temporary.open("xb") as stream:
            if file.exists():
                os.fchmod(stream.fileno(), file.stat().st_mode & 0o777)
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(file.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Where files are, on a disk or in an object store: listing, reading, and what fails there."""

import re
from contextlib import AbstractContextManager
from pathlib import Path

from upath import UPath

from credit_ct_dagster.causes import names_missing_bucket
from credit_ct_dagster.disk import sync_folder
from credit_ct_dagster.outages import Dependency, translated

LOCAL_PROTOCOLS = {"", "file", "local"}
_WITH_FOLDERS = {"ftp", "sftp", "ssh", "smb", "hdfs", "webhdfs", "arrow_hdfs"}
"""Stores in which a file needs its folder. An object store needs none, and would make a bucket."""


def is_local(path: UPath) -> bool:
    """Whether a path is on a disk of this machine."""
    return path.protocol in LOCAL_PROTOCOLS


def reaching(url: str) -> AbstractContextManager[None]:
    """Raise our own error for what a disk or an object store raises in the block.

    Args:
        url: A folder, or the URL of one; a password in it is not repeated.
    """
    protocol = re.match(r"([\w.+-]+)://", url)
    remote = protocol is not None and protocol[1] not in LOCAL_PROTOCOLS
    dependency = Dependency.object_store if remote else Dependency.artifacts
    return translated(dependency, re.sub(r"//[^@/\s]*@", "//***@", url))


def make_folder(folder: UPath, mode: int | None = None) -> None:
    """Make a folder for files, if the store has any; never a bucket.

    Args:
        folder: The folder; missing ones above it are made, too.
        mode: Its permissions on a disk. [default: as the umask says]
    """
    if is_local(folder):
        local = Path(folder.path)
        if not local.is_dir():
            missing = [each for each in (local, *local.parents) if not each.exists()]
            local.mkdir(parents=True, exist_ok=True)
            for made in missing:
                sync_folder(made.parent)
        if mode is not None and local.stat().st_mode & 0o777 != mode:
            local.chmod(mode)
    elif folder.protocol in _WITH_FOLDERS:
        folder.fs.makedirs(folder.path, exist_ok=True)


def names_in(folder: UPath) -> list[str]:
    """The sorted names of what is in a folder now; none if it does not exist."""
    if is_local(folder):
        local = Path(folder.path)
        return sorted(path.name for path in local.iterdir()) if local.is_dir() else []
    # What another machine has written since is not in the store's own list.
    folder.fs.invalidate_cache()
    try:
        found = folder.fs.ls(folder.path, detail=False)
    except FileNotFoundError as error:
        if names_missing_bucket(error):
            raise
        return []
    own = folder.path.strip("/").rpartition("/")[2]
    names = {path.rstrip("/").rpartition("/")[2] for path in found if path.strip("/")}
    return sorted(names - {own, ""})


def exists(path: UPath) -> bool:
    """Whether there is a file or a folder now."""
    if is_local(path):
        return Path(path.path).exists()
    path.fs.invalidate_cache()
    return bool(path.fs.exists(path.path))


def content_of(path: UPath) -> bytes:
    """The content of a file.

    Raises:
        FileNotFoundError: There is none.
    """
    if is_local(path):
        return Path(path.path).read_bytes()
    return bytes(path.fs.cat_file(path.path))


def sizes_below(folder: UPath) -> dict[str, int]:
    """The bytes of every file in a folder and below, by its path from there."""
    if not is_local(folder):
        folder.fs.invalidate_cache()
    files = folder.fs.find(folder.path, detail=True)
    above = folder.path.strip("/") + "/"
    return {
        path.strip("/").removeprefix(above): int(file["size"] or 0) for path, file in files.items()
    }

"""Exclusive locks in a database, which a killed process releases."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

import sqlalchemy as sa
from filelock import FileLock, Timeout
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, OperationalError

from credit_ct_dagster.databases import sqlite_file

_MAX_NAME = 64
_WAIT_SECONDS = 30
_WEEK_SECONDS = 7 * 24 * 3600


def take_server_lock(connection: Connection, name: str, seconds: int) -> bool:
    """Wait for a lock of a MySQL or MariaDB server; it is held as long as the connection lives.

    Args:
        connection: Holds the lock; its transaction ends.
        name: What is locked.
        seconds: How long to wait.

    Returns:
        Whether the lock is held now.
    """
    held = connection.scalar(sa.select(sa.func.get_lock(name[-_MAX_NAME:], seconds)))
    connection.commit()
    return bool(held)


@contextmanager
def exclusive(url: sa.URL, lock: str, waiting: Callable[[], None]) -> Iterator[Callable[[], bool]]:
    """Hold an exclusive lock among all processes with the same database; wait as long as it takes.

    A killed process releases it: a file's lock ends with its process, a server's with its
    connection.

    Args:
        url: The database; for SQLite, the lock is a file beside it.
        lock: The name of the lock.
        waiting: Called twice a minute while another process holds it.

    Yields:
        Takes the lock again if the connection to the server was lost; tells whether it was held
        until then.
    """
    with ExitStack() as held:
        file = sqlite_file(url)
        if file:
            file.parent.mkdir(parents=True, exist_ok=True)
            while not _take_file(file.with_name(lock), held):
                waiting()
            yield lambda: True
            return
        holder = f"credit_ct.holder.{uuid4().hex}"
        connection = held.enter_context(_connection_with(url, lock, holder, waiting))

        def ensure_held() -> bool:
            nonlocal connection
            if _is_ours(connection, lock):
                return True
            held.close()
            connection = held.enter_context(_connection_with(url, lock, holder, waiting))
            return False

        yield ensure_held


def _take_file(path: Path, held: ExitStack) -> bool:
    """Wait for a file's lock for a while; returns whether it is held, until the stack closes."""
    try:
        held.enter_context(file_lock(path, _WAIT_SECONDS))
    except Timeout:
        return False
    return True


@contextmanager
def _connection_with(
    url: sa.URL, lock: str, holder: str, waiting: Callable[[], None]
) -> Iterator[Connection]:
    """A connection that holds a server's lock.

    It also holds a lock with a unique name, by which the connection is found again once it is lost.
    """
    # Of a rollback on a lost connection, SQLAlchemy would print the traceback.
    engine = sa.create_engine(
        url, poolclass=sa.NullPool, pool_reset_on_return=None, hide_parameters=True
    )
    with _connected(engine) as connection:
        connection.execute(sa.text("SET SESSION wait_timeout = :s"), {"s": _WEEK_SECONDS})
        # The network may drop an idle connection without the server noticing: it would hold the
        # locks of that connection for hours.
        lost = connection.scalar(sa.select(_holder_of(holder)))
        if lost:
            connection.exec_driver_sql(f"KILL {lost}")
        take_server_lock(connection, holder, _WAIT_SECONDS)
        while not take_server_lock(connection, lock, _WAIT_SECONDS):
            waiting()
        yield connection


def _connected(engine: sa.Engine) -> Connection:
    try:
        return engine.connect()
    except OSError as error:  # such as a certificate that does not exist
        raise OperationalError("connect", None, error) from error


def _is_ours(connection: Connection, lock: str) -> bool:
    if connection.closed:  # the last attempt to take it again failed
        return False
    try:
        ours = connection.scalar(sa.select(_holder_of(lock) == sa.func.connection_id()))
        connection.commit()
    except DBAPIError:
        return False
    return bool(ours)


def _holder_of(lock: str) -> sa.Function[int]:
    """The connection that holds a server's lock."""
    return sa.func.is_used_lock(lock[-_MAX_NAME:])


def base_date_lock_name(base_dt: str) -> str:
    """The lock that a run holds while it works on a base date."""
    return f"credit_ct.base_date.{base_dt}"


def is_held(url: sa.URL, lock: str, connection: Connection) -> bool:
    """Whether some process holds an exclusive lock.

    Args:
        url: The database.
        lock: What is locked.
        connection: To the same database; used where it is a server.
    """
    file = sqlite_file(url)
    if file is None:
        return connection.scalar(sa.select(_holder_of(lock))) is not None
    try:
        with file_lock(file.with_name(lock), seconds=0):
            return False
    except Timeout:
        return True


@contextmanager
def file_lock(path: Path, seconds: float) -> Iterator[None]:
    """Hold a lock on this machine; its file exists only while somebody holds it.

    Raises:
        filelock.Timeout: Somebody else held it for that long.
    """
    with FileLock(path, timeout=seconds):
        try:
            yield
        finally:
            path.unlink(missing_ok=True)  # filelock notices an unlinked file

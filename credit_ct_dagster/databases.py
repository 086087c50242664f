"""What all databases have in common: URLs, and locks that a killed process frees."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

import sqlalchemy as sa
from filelock import FileLock, Timeout
from sqlalchemy.engine import Connection
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from credit_ct_dagster.errors import CreditCtError

_MAX_NAME = 64
_WAIT_SECONDS = 30
_WEEK_SECONDS = 7 * 24 * 3600
_SUPPORTED = {"sqlite", "mysql", "mariadb"}


def parse_url(text: str, variable: str) -> sa.URL:
    """The URL of a database that the platform supports; MySQL's is read by PyMySQL.

    Args:
        text: The value of an environment variable.
        variable: Its name, for a person.

    Raises:
        CreditCtError: It is no such URL; the value, which may hold a password, is not repeated.
    """
    try:
        url = sa.make_url(text)
    except (ArgumentError, ValueError):
        raise CreditCtError(
            f"{variable} is not a database URL: write sqlite:///file.db"
            " or mysql+pymysql://user:secret@host:3306/mlops."
        ) from None
    if url.get_backend_name() not in _SUPPORTED:
        raise CreditCtError(
            f"{variable} names '{url.get_backend_name()}': only sqlite, mysql and mariadb are"
            " supported."
        )
    if url.drivername in {"mysql", "mariadb"}:
        return url.set(drivername="mysql+pymysql")
    return url


def sqlite_file(url: sa.URL) -> Path | None:
    """The file of a SQLite database, absolute; none for a server."""
    return Path(url.database or "").absolute() if url.get_backend_name() == "sqlite" else None


def location(url: sa.URL) -> str:
    """A URL without its password and options."""
    return url.set(query={}).render_as_string(hide_password=True)


def said_by(error: BaseException | None) -> str:
    """What the database itself said, in one line."""
    return str(getattr(error, "orig", None) or error).splitlines()[0]


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
def alone(url: sa.URL, lock: str, waiting: Callable[[], None]) -> Iterator[Callable[[], None]]:
    """Hold a lock that all processes with the same database share; wait as long as it takes.

    A killed process frees it: a file's lock goes with its process, a server's with its connection.

    Args:
        url: The database; of SQLite, the lock is a file beside it.
        lock: What is locked.
        waiting: Called twice a minute while another process holds it.

    Yields:
        Takes the lock again if the server or the network went away; otherwise does nothing.
    """
    with ExitStack() as held:
        file = sqlite_file(url)
        if file:
            file.parent.mkdir(parents=True, exist_ok=True)
            while not _take_file(file.with_name(lock), held):
                waiting()
            yield lambda: None
            return
        holder = f"credit_ct.holder.{uuid4().hex}"
        connection = held.enter_context(_connection_with(url, lock, holder, waiting))

        def keep() -> None:
            nonlocal connection
            if not _is_ours(connection, lock):
                held.close()
                connection = held.enter_context(_connection_with(url, lock, holder, waiting))

        yield keep


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

    Beside it, it holds a lock that is named after nobody else, by which a lost connection is known.
    """
    # Of a rollback on a lost connection, SQLAlchemy would print the traceback.
    engine = sa.create_engine(
        url, poolclass=sa.NullPool, pool_reset_on_return=None, hide_parameters=True
    )
    with _connected(engine) as connection:
        connection.execute(sa.text("SET SESSION wait_timeout = :s"), {"s": _WEEK_SECONDS})
        # The network may drop an idle connection without telling the server, which would believe in
        # it, and keep its locks, for hours.
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
    except OSError as error:  # such as a certificate that is not there
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


def base_date_lock(base_dt: str) -> str:
    """The lock that a run holds while it works on a base date."""
    return f"credit_ct.base_date.{base_dt}"


def is_held(url: sa.URL, lock: str, connection: Connection) -> bool:
    """Whether some process holds a lock of `alone`.

    Args:
        url: The database.
        lock: What is locked.
        connection: To the same database; is asked where it is a server.
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
    """Hold a lock on this machine; its file is there only while somebody holds it.

    Raises:
        filelock.Timeout: Somebody else held it for that long.
    """
    with FileLock(path, timeout=seconds):
        try:
            yield
        finally:
            path.unlink(missing_ok=True)  # filelock tells an unlinked file from the one to lock

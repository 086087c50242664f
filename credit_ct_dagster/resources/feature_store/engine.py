"""The database of the feature store: connections and transactions."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from credit_ct_dagster import databases
from credit_ct_dagster.causes import server_code
from credit_ct_dagster.errors.stores import (
    FeatureStoreRefusedError,
    FeatureStoreUnavailableError,
)
from credit_ct_dagster.outages import Dependency, translated

_BUSY_TIMEOUT_SECONDS = 60
_T = TypeVar("_T")
_WRITES = "credit_ct_writes"
# A deadlock, and a row that changed since the transaction began: it was rolled back as a whole.
_ROLLED_BACK = {1213, 1020}
_ATTEMPTS = 5


class Database:
    """One SQLite, MySQL or MariaDB database; no connection stays open between two uses."""

    def __init__(self, url: str) -> None:
        """Connect to nothing yet.

        Args:
            url: The value of FEATURE_STORE_URL.

        Raises:
            DatabaseUrlError: It is no URL of a supported database.
        """
        self.url = databases.parse_url(url, "FEATURE_STORE_URL")

    @property
    def location(self) -> str:
        """The URL without its password and options."""
        return databases.location(self.url)

    @cached_property
    def engine(self) -> Engine:
        """SQLAlchemy's engine; no value of a row enters its error messages."""
        options = {"poolclass": sa.NullPool, "hide_parameters": True}
        file = databases.sqlite_file(self.url)
        if file is None:
            return sa.create_engine(self.url, **options)
        _create_folder(file)
        engine = sa.create_engine(
            self.url, connect_args={"timeout": _BUSY_TIMEOUT_SECONDS}, **options
        )
        _control_sqlite_transactions(engine)
        return engine

    @property
    def file(self) -> Path | None:
        """The file of a SQLite database; None for a server."""
        return databases.sqlite_file(self.url)

    def translated(self) -> AbstractContextManager[None]:
        """Raise a `FeatureStoreError` for what the database raises in the block."""
        return translated(Dependency.feature_store, self.location)

    @contextmanager
    def connection(self, *, writes: bool = False) -> Iterator[Connection]:
        """A connection without a transaction.

        Args:
            writes: Whether its transactions write.
        """
        engine = self.engine.execution_options(**{_WRITES: writes})
        with self.translated(), engine.connect() as connection:
            yield connection

    @contextmanager
    def transaction(self, *, writes: bool = False) -> Iterator[Connection]:
        """One transaction, which a failure rolls back.

        Args:
            writes: Whether it writes.
        """
        with self.connection(writes=writes) as connection, connection.begin():
            yield connection


def until_not_rolled_back(transaction: Callable[[], _T]) -> _T:
    """Execute a transaction again when the server chose it to end a deadlock.

    Args:
        transaction: Does all of its work again when it is called again.

    Raises:
        FeatureStoreUnavailableError: It was chosen every time.
    """
    for attempt in range(_ATTEMPTS):
        try:
            return transaction()
        except FeatureStoreUnavailableError as error:
            if server_code(error.__cause__) not in _ROLLED_BACK or attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("the last attempt returns or raises")


def _create_folder(database: Path) -> None:
    try:
        databases.create_sqlite_file(database)
    except OSError as error:
        raise FeatureStoreRefusedError(
            f"The folder of {database} cannot be created ({error.strerror}): choose another one in"
            " FEATURE_STORE_URL."
        ) from error


def _control_sqlite_transactions(engine: Engine) -> None:
    """Begin a writing transaction of SQLite as a writer, so that two of them wait for each other.

    https://docs.sqlalchemy.org/en/21/dialects/sqlite.html#enabling-non-legacy-sqlite-transactional-modes-with-the-sqlite3-or-aiosqlite-driver
    """

    @event.listens_for(engine, "connect")
    def _connect(dbapi_connection: Any, _record: object) -> None:
        dbapi_connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

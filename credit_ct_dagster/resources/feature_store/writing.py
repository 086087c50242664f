"""Statements that insert rows of a source table, or replace those with the same key."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from credit_ct_dagster.resources.feature_store.texts import literals_of, records_of

if TYPE_CHECKING:
    import pyarrow as pa

PARAMETERS = re.compile(r"\((%(\(\w+\))?s(, )?)+\)")
"""Of one row, in the statement that the driver would fill."""


class Writer(Protocol):
    """Writes rows of one table in the transaction of its connection."""

    def prepared(self, rows: "pa.Table") -> Iterable[Any]:
        """Rows in the form that `write` takes, without the database: on any thread."""
        ...

    def write(self, part: Any) -> None:
        """Write what was prepared; the other columns of a row that exists stay unchanged."""
        ...

    @staticmethod
    def of(connection: Connection, table: sa.Table, columns: Sequence[str]) -> "Writer":
        """For the database of a connection.

        Args:
            connection: With a transaction.
            table: As the schema describes it.
            columns: Those to write.
        """
        kind = _ToSqlite if connection.dialect.name == "sqlite" else _ToServer
        return kind.of(connection, table, columns)


@dataclass(frozen=True)
class _ToSqlite:
    connection: Connection
    statement: str
    columns: Sequence[str]

    @classmethod
    def of(cls, connection: Connection, table: sa.Table, columns: Sequence[str]) -> "_ToSqlite":
        into = sqlite.insert(table)
        values = {name: into.excluded[name] for name in _values(table, columns)}
        statement = into.on_conflict_do_update(index_elements=list(table.primary_key), set_=values)
        return cls(connection, *_compiled(statement, connection, columns))

    def prepared(self, rows: "pa.Table") -> list[list[tuple[Any, ...]]]:
        return [records_of(rows, self.columns)]

    def write(self, part: list[tuple[Any, ...]]) -> None:
        self.connection.exec_driver_sql(self.statement, part)


@dataclass(frozen=True)
class _ToServer:
    """Statements of many rows: the driver would put each value into the text in Python."""

    connection: Connection
    before: str
    after: str
    columns: Sequence[str]
    escapes_backslashes: bool

    @classmethod
    def of(cls, connection: Connection, table: sa.Table, columns: Sequence[str]) -> "_ToServer":
        insert = mysql.insert(table)
        values = {name: insert.inserted[name] for name in _values(table, columns)}
        statement, names = _compiled(insert.on_duplicate_key_update(values), connection, columns)
        [row] = PARAMETERS.finditer(statement)
        before, after = statement[: row.start()], statement[row.end() :]
        mode = str(connection.scalar(sa.text("SELECT @@sql_mode")))
        return cls(connection, before, after, names, "NO_BACKSLASH_ESCAPES" not in mode.upper())

    def prepared(self, rows: "pa.Table") -> Iterable[str]:
        return literals_of(rows, self.columns, escapes_backslashes=self.escapes_backslashes)

    def write(self, part: str) -> None:
        try:
            self.connection.exec_driver_sql(
                f"{self.before}{part}{self.after}", execution_options={"no_parameters": True}
            )
        except DBAPIError as error:
            error.statement = f"{self.before}(...){self.after}"  # no value enters a message
            raise


def _values(table: sa.Table, columns: Sequence[str]) -> list[str]:
    """The columns that do not belong to the key."""
    return [name for name in columns if not table.columns[name].primary_key]


def _compiled(
    statement: sa.Insert, connection: Connection, columns: Sequence[str]
) -> tuple[str, Sequence[str]]:
    """A statement in the driver's own form, and the columns of its parameters in their order."""
    compiled = statement.compile(dialect=connection.dialect, column_keys=list(columns))
    return str(compiled), [
        column.name for column in statement.table.columns if column.name in columns
    ]

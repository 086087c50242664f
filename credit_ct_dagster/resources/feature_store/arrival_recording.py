"""Adding lines to the ledger of arrivals, on a connection that nobody else records on."""

import time
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.resources.feature_store.arrival_lines import (
    RowRange,
    SourceRows,
    arrivals_table,
    stored,
)
from credit_ct_dagster.resources.feature_store.columns import has_table
from credit_ct_dagster.resources.feature_store.tables import Tables

_PIECE_ROWS = 100_000


def complete_since(connection: Connection, name: str) -> datetime | None:
    """Since when every row of a table has a line, in UTC; None: not yet. The ledger exists."""
    table = arrivals_table()
    without_key = [table.c[column] == value for column, value in _without_key(name).items()]
    found = connection.scalar(sa.select(table.c.first_seen).where(*without_key))
    return found.replace(tzinfo=UTC) if found else None


class Recording:
    """Adds the lines of one moment."""

    def __init__(self, connection: Connection, location: str, seen: datetime) -> None:
        """Add nothing yet.

        Args:
            connection: Without a transaction; the ledger exists.
            location: Of its database, for a person.
            seen: When rows are seen, with a time zone.
        """
        self._connection = connection
        self._location = location
        self._seen = seen

    def of_table(self, name: str, rows: RowRange, ends: float) -> int | None:
        """Add the lines of a table; see `Arrivals.record`.

        Args:
            name: Of the source table.
            rows: Which of its rows, once the ledger is complete.
            ends: When to leave the beginning to the next call, by `time.monotonic`.

        Returns:
            How many there are; None without the table.
        """
        with self._connection.begin():
            tables = {each.name: each for each in Tables.of_schema().sources}
            if not has_table(self._connection, tables[name]):
                return None
            source = SourceRows.usable(self._connection, name, self._location)
            is_complete = complete_since(self._connection, name) is not None
        if not is_complete:
            return self._begin(source, ends)
        with self._connection.begin():
            return self._add(source, rows)

    def _begin(self, source: SourceRows, ends: float) -> int:
        """Add what was there before the ledger, until all of it is recorded or the time is over.

        Pieces follow each other in the order of ids, so that the highest one of the ledger is where
        the next call goes on.
        """
        table = arrivals_table()
        of_table = table.c.table_name == source.shape.name
        with self._connection.begin():
            highest = sa.select(sa.func.max(table.c[schema.ID])).where(of_table)
            reached = self._connection.scalar(highest) if source.have_ordered_ids else None
        count = 0
        while True:
            with self._connection.begin():
                piece = RowRange(after_id=reached, until_id=self._end_of_piece(source, reached))
                count += self._add(source, piece, since_the_beginning=True)
                if piece.until_id is None:
                    self._complete(source.shape.name)
                    return count
            reached = piece.until_id
            if time.monotonic() > ends:
                return count

    def _end_of_piece(self, source: SourceRows, reached: str | None) -> str | None:
        """The highest id of the next piece; None if it is the last one."""
        if not source.have_ordered_ids:
            return None
        sql = sa.text(source.sql("end_of_piece", RowRange(after_id=reached)))
        found = self._connection.scalar(sql, {"rows": _PIECE_ROWS - 1})
        return None if found is None else str(found)

    def _add(self, source: SourceRows, rows: RowRange, *, since_the_beginning: bool = False) -> int:
        values = {
            "table_name": source.shape.name,
            "first_seen": stored(self._seen),
            "since_the_beginning": int(since_the_beginning),
        }
        return self._connection.execute(sa.text(source.sql("record", rows)), values).rowcount

    def _complete(self, name: str) -> None:
        """Add the line without a key, unless the table is empty: its first rows begin it."""
        table = arrivals_table()
        line = sa.select(table.c.first_seen).where(table.c.table_name == name).limit(1)
        if self._connection.execute(line).first() is None:
            return
        seen = self._seen.astimezone(UTC).replace(tzinfo=None)
        values = {**_without_key(name), "first_seen": seen, "since_the_beginning": True}
        self._connection.execute(table.insert().values(values))


def _without_key(name: str) -> dict[str, str]:
    """The key of the line that says since when the lines of a table are complete."""
    return {"table_name": name, **dict.fromkeys(schema.KEY, ""), "fingerprint": ""}

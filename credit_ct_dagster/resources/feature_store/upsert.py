"""Writing the source tables."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar, runtime_checkable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from credit_ct_dagster.errors.stores import MergeBusyError, RepeatedKeysError
from credit_ct_dagster.locks import take_server_lock
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.resources.feature_store.columns import require_columns
from credit_ct_dagster.resources.feature_store.engine import Database, until_not_rolled_back
from credit_ct_dagster.resources.feature_store.expressions import keys_of
from credit_ct_dagster.resources.feature_store.requirements import exact_keys, require_loadable
from credit_ct_dagster.resources.feature_store.shapes import TableShape
from credit_ct_dagster.resources.feature_store.tables import Tables
from credit_ct_dagster.resources.feature_store.texts import records_of, texts_of
from credit_ct_dagster.resources.feature_store.writing import Writer

if TYPE_CHECKING:  # half a second to import, which only reading and writing need
    import pandas as pd
    import pyarrow as pa

_BATCH_ROWS = 5_000
_READ_AHEAD = 2
"""Batches that are read and prepared while the database writes an earlier one."""
_LOCK_TIMEOUT_SECONDS = 600
_T = TypeVar("_T")


@runtime_checkable
class RowBatches(Protocol):
    """Rows of a source table that are read while they are written: more than fit in memory."""

    @property
    def columns(self) -> Sequence[str]:
        """Columns of every batch."""
        ...

    def batches(self) -> "Iterator[pa.Table]":
        """All rows as `texts_of` has them, no key twice; from the first one on at every call."""
        ...


def upsert_rows(
    database: Database, frames: "Mapping[str, pd.DataFrame | RowBatches]"
) -> dict[str, int]:
    """Insert rows, or replace those with the same key; see `FeatureStore.upsert`."""
    return until_not_rolled_back(lambda: _upserted(database, frames))


def _upserted(
    database: Database, frames: "Mapping[str, pd.DataFrame | RowBatches]"
) -> dict[str, int]:
    tables = {table.name: table for table in Tables.of_schema().sources}
    written: dict[str, int] = {}
    with database.connection(writes=True) as connection:
        _wait_for_other_loads(database, connection)
        with connection.begin():
            for name, frame in frames.items():
                written[name] = _write(connection, tables[name], frame, database.location)
    return written


def _wait_for_other_loads(database: Database, connection: Connection) -> None:
    """Two loads of the same keys would end in a deadlock; SQLite itself lets one in at a time."""
    if connection.dialect.name == "sqlite":
        return
    lock = f"credit_ct.load.{database.url.database}"
    if not take_server_lock(connection, lock, _LOCK_TIMEOUT_SECONDS):
        raise MergeBusyError(
            f"Another load has held {database.location} for {_LOCK_TIMEOUT_SECONDS} s: wait for it"
            " to end, then load again. Nothing was written."
        )


def _write(
    connection: Connection, table: sa.Table, frame: "pd.DataFrame | RowBatches", location: str
) -> int:
    """Write rows of one table; returns how many rows of it they are, each key counted once."""
    columns = list(frame.columns)
    require_columns(connection, table, columns, location)
    shape = require_loadable(connection, table, columns, location)
    writer = Writer.of(connection, table, columns)
    keys_are_exact = shape.is_exact(schema.KEY)
    count = 0
    batches = map(_in_key_order, _batches(frame))
    prepared = (_Prepared(list(writer.prepared(rows)), rows) for rows in batches)
    for batch in _read_ahead(prepared):
        for part in batch.parts:
            writer.write(part)
        if not keys_are_exact:
            _require_written(connection, shape, batch.rows, location)
        count += batch.rows.num_rows
    return count if isinstance(frame, RowBatches) else int((~frame.duplicated(schema.KEY)).sum())


def _in_key_order(rows: "pa.Table") -> "pa.Table":
    """Rows as an index has them: those of one page are inserted one after the other.

    Of two rows with one key, the later one remains the later one.
    """
    import pyarrow.compute as pc

    return rows.take(pc.sort_indices(rows, [(name, "ascending") for name in schema.KEY]))


class _Prepared(NamedTuple):
    """A batch, and its rows in the form in which the database takes them."""

    parts: list[Any]
    rows: "pa.Table"


def _read_ahead(items: Iterator[_T]) -> Iterator[_T]:
    """Items that a thread takes while earlier ones are worked on."""
    with ThreadPoolExecutor(1) as thread:
        taken = deque(thread.submit(next, items, None) for _ in range(_READ_AHEAD))
        while (item := taken.popleft().result()) is not None:
            taken.append(thread.submit(next, items, None))
            yield item


def _require_written(
    connection: Connection, shape: TableShape, batch: "pa.Table", location: str
) -> None:
    """Make sure that a table has the very keys that were written to it, byte by byte.

    Raises:
        RepeatedKeysError: It has others instead: its collation takes them for equal, or its types
            changed them.
    """
    lost: set[tuple[str, ...]] = set()
    for start in range(0, batch.num_rows, _BATCH_ROWS):
        keys = records_of(batch.slice(start, _BATCH_ROWS), schema.KEY)
        ids = list({key[0] for key in keys})
        written = connection.execute(keys_of(shape, ids, connection.dialect))
        lost |= set(keys) - set(map(tuple, written))
    if lost:
        remedy = exact_keys(shape, schema.KEY, connection.dialect)
        raise RepeatedKeysError(
            f"Nothing was written: {len(lost):,} of {batch.num_rows:,} keys of {shape.name} would"
            f" be lost in {location}, because the table changes them or takes them for equal to"
            f" others (case, accents, trailing blanks). Correct the keys, or the table: {remedy}."
            " Then load again."
        )


def _batches(rows: "pd.DataFrame | RowBatches") -> "Iterator[pa.Table]":
    if isinstance(rows, RowBatches):
        yield from rows.batches()
        return
    for start in range(0, len(rows), _BATCH_ROWS):
        yield texts_of(rows.iloc[start : start + _BATCH_ROWS])

"""Writing the source tables."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, sqlite
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

if TYPE_CHECKING:  # half a second to import, which only reading and writing need
    import pandas as pd

_BATCH_ROWS = 5_000
_LOCK_TIMEOUT_SECONDS = 600


@runtime_checkable
class RowBatches(Protocol):
    """Rows of a source table that are read while they are written: more than fit in memory."""

    @property
    def columns(self) -> Sequence[str]:
        """Columns of every batch."""
        ...

    def batches(self) -> "Iterator[pd.DataFrame]":
        """All rows, from the first one on, whenever it is called."""
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
    import numpy as np
    import pandas as pd

    columns = list(frame.columns)
    require_columns(connection, table, columns, location)
    shape = require_loadable(connection, table, columns, location)
    statement = _statement(table, columns, connection.dialect.name)
    keys = [np.array([], dtype="uint64")]
    for batch in _batches(frame):
        rows = batch.astype(object).where(batch.notna(), None)
        connection.execute(statement, rows.to_dict("records"))
        if not shape.is_exact(schema.KEY):
            _require_written(connection, shape, batch, location)
        keys.append(pd.util.hash_pandas_object(batch[schema.KEY], index=False).to_numpy())
    return len(np.unique(np.concatenate(keys)))


def _require_written(
    connection: Connection, shape: TableShape, batch: "pd.DataFrame", location: str
) -> None:
    """Make sure that a table has the very keys that were written to it, byte by byte.

    Raises:
        RepeatedKeysError: It has others instead: its collation takes them for equal, or its types
            changed them.
    """
    written = connection.execute(keys_of(shape, list(set(batch["id"])), connection.dialect))
    lost = set(batch[schema.KEY].itertuples(index=False, name=None)) - set(map(tuple, written))
    if lost:
        remedy = exact_keys(shape, schema.KEY, connection.dialect)
        raise RepeatedKeysError(
            f"Nothing was written: {len(lost):,} of {len(batch):,} keys of {shape.name} would be"
            f" lost in {location}, because the table changes them or takes them for equal to others"
            f" (case, accents, trailing blanks). Correct the keys, or the table: {remedy}. Then"
            " load again."
        )


def _batches(rows: "pd.DataFrame | RowBatches") -> "Iterator[pd.DataFrame]":
    if isinstance(rows, RowBatches):
        yield from rows.batches()
        return
    for start in range(0, len(rows), _BATCH_ROWS):
        yield rows.iloc[start : start + _BATCH_ROWS]


def _statement(table: sa.Table, columns: Sequence[str], dialect: str) -> sa.Insert:
    """Insert or replace the given columns; the others of a row that exists stay unchanged."""
    values = [name for name in columns if not table.columns[name].primary_key]
    if dialect == "sqlite":
        into = sqlite.insert(table)
        return into.on_conflict_do_update(
            index_elements=list(table.primary_key), set_={n: into.excluded[n] for n in values}
        )
    insert = mysql.insert(table)
    return insert.on_duplicate_key_update({n: insert.inserted[n] for n in values})

"""Results of queries as Arrow tables: no Python object per cell where ConnectorX can read."""

import logging
import zlib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from credit_ct_dagster.causes import cause_of
from credit_ct_dagster.resources.feature_store.engine import Database

if TYPE_CHECKING:  # half a second to import, which only reading needs
    import pyarrow as pa

logger = logging.getLogger(__name__)

_DRIVERS = {"sqlite", "mysql+pymysql"}
_STREAMED = 50_000

TEXT, NUMBER, WHOLE = "text", "number", "whole number"
"""What a column of a result is read as: a large string, a double, an integer of 64 bits."""


def through_connectorx(database: Database, query: sa.Select | sa.TextClause) -> "pa.Table | None":
    """The result of a query, in the types of its columns; None where ConnectorX takes no such URL.

    Args:
        database: Where to read.
        query: What to read; its values become literals, as ConnectorX takes no bind parameters.
    """
    if database.url.query or database.url.drivername not in _DRIVERS:
        logger.info("ConnectorX takes no URL with options such as TLS: reading through SQLAlchemy")
        return None
    import connectorx  # takes 0.1 s, and only reading needs it

    literally = {"literal_binds": True, "render_postcompile": True}
    sql = str(query.compile(database.engine, compile_kwargs=literally))
    with database.translated():
        try:
            return connectorx.read_sql(_connectorx_url(database.url), sql, return_type="arrow")
        except RuntimeError as error:
            # Its message may quote the URL with the password, so it is no part of the traceback.
            raise RuntimeError(cause_of(error)) from None


def read(database: Database, query: sa.TextClause, types: Mapping[str, str]) -> "pa.Table":
    """The result of a query as columns of given types.

    On SQLite, whose columns hold values of any type, ConnectorX would guess from the first row.

    Args:
        database: Where to read.
        query: What to read. On SQLite it may use `CRC32`, which servers have.
        types: What each column is read as: TEXT, NUMBER or WHOLE. A value that is no number is
            null in a column of numbers.
    """
    import pyarrow as pa

    fields = {TEXT: pa.large_string(), NUMBER: pa.float64(), WHOLE: pa.int64()}
    schema = pa.schema([(name, fields[kind]) for name, kind in types.items()])
    found = None if database.file else through_connectorx(database, query)
    if found is not None:
        columns = [found[name].cast(schema.field(name).type) for name in schema.names]
        return pa.table(columns, schema=schema)
    with database.transaction() as connection:
        if database.file:
            _add_functions(connection)
        result = connection.execution_options(yield_per=_STREAMED).execute(query)
        names = list(result.keys())
        batches = []
        for rows in result.partitions():
            cells = dict(zip(names, zip(*rows, strict=True), strict=True))
            batches.append(
                pa.record_batch([_array(cells[field.name], field.type) for field in schema], schema)
            )
    return pa.Table.from_batches(batches, schema)


def checksum(text: str | None) -> int | None:
    """What `CRC32` gives for a text in UTF-8: the same on every database, every day."""
    return None if text is None else zlib.crc32(text.encode())


def _array(cells: Sequence[Any], kind: "pa.DataType") -> "pa.Array":
    import pyarrow as pa

    try:
        return pa.array(cells, kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        convert = _text if pa.types.is_large_string(kind) else _number
        return pa.array([None if cell is None else convert(cell) for cell in cells]).cast(kind)


def _text(cell: Any) -> str:
    return cell.decode() if isinstance(cell, bytes) else str(cell)


def _number(cell: Any) -> float | None:
    try:
        return float(cell) if isinstance(cell, int | float | Decimal) else float(_text(cell))
    except ValueError:
        return None


def _add_functions(connection: Connection) -> None:
    driver = connection.connection.driver_connection
    assert driver is not None, "a connection that is open has one"
    driver.create_function("CRC32", 1, checksum, deterministic=True)


def _connectorx_url(url: sa.URL) -> str:
    if url.get_backend_name() == "sqlite":
        return f"sqlite://{Path(url.database or '').absolute()}"
    return url.set(drivername="mysql").render_as_string(hide_password=False)

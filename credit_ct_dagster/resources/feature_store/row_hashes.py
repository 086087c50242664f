"""Hashes of rows, computed by the database: equal on SQLite and on servers, whatever the types.

A number counts with the 24 binary digits of single precision, which any numeric type holds; a word
counts without the blanks around it, and as missing if there is nothing else. Missing values are
left out, so that a feature that the schema gets later changes no hash until it has a value.
"""

import hashlib
import math
from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy.engine import Connection

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.resources.feature_store.expressions import Sources
from credit_ct_dagster.resources.feature_store.shapes import TableShape

LENGTH = 16
"""Hexadecimal digits of a hash: 64 bits."""
_OF_NUMBER = 8
_SEPARATOR = "\x1f"
_BITS = 23
"""Binary digits behind the first one in single precision."""
_CARRY = 4.3e-8
"""Below a power of 2, in its logarithm, a number is rounded up to it: by half of the last digit."""


def hash_of_row(sources: Sources, alias: str, table: TableShape, names: Sequence[str]) -> str:
    """SQL for the hash of some columns of a row.

    Args:
        sources: The source tables, which exist.
        alias: Of the table in the statement.
        table: One of them.
        names: The columns, in the order of the schema.
    """
    values = [sources.value(alias, table, name) for name in names]
    if table.is_sqlite:
        return f"credit_ct_hash('{','.join(names)}', {', '.join(values)})"
    pairs = map(_pair, names, values)
    return f"LEFT(MD5(CONCAT_WS(CHAR(31 USING utf8mb4), {', '.join(pairs)})), {LENGTH})"


def number_of_hash(hashed: str, table: TableShape) -> str:
    """SQL for the first 32 bits of a hash as a number, of which sums can be computed.

    Args:
        hashed: SQL for the hash.
        table: Of the same database.
    """
    if table.is_sqlite:
        return f"credit_ct_number({hashed})"
    return f"CAST(CONV(LEFT({hashed}, {_OF_NUMBER}), 16, 10) AS UNSIGNED)"


def hash_of_label(word: str) -> str:
    """The hash of a row of `credit_score` with this class."""
    return _hash(schema.TARGET, word)


def define_functions(connection: Connection, *, busy_seconds: int | None = None) -> None:
    """Give a connection to SQLite the functions that a server has by itself.

    Args:
        connection: To any database.
        busy_seconds: How long it waits for other processes that write to a SQLite database.
            [default: as long as any connection]
    """
    if connection.dialect.name != "sqlite":
        return
    driver: Any = connection.connection.driver_connection
    if busy_seconds is not None:
        driver.execute(f"PRAGMA busy_timeout = {1000 * busy_seconds}")
    driver.create_function("credit_ct_hash", -1, _hash, deterministic=True)
    driver.create_function("credit_ct_number", 1, _number, deterministic=True)


def _pair(name: str, value: str) -> str:
    """`name=value` in SQL; NULL, which CONCAT_WS leaves out, for what is missing."""
    if name in schema.NUMERIC:
        # It also makes up for a logarithm that is not exact for a power of 2.
        power = f"FLOOR(LOG2(ABS({value})) + {_CARRY})"
        digits = f"CAST(ROUND({value} * POW(2, {_BITS} - {power})) AS SIGNED)"
        return (
            f"CASE WHEN {value} = 0 THEN '{name}=0'"
            f" ELSE CONCAT('{name}=', {digits}, 'e', CAST({power} AS SIGNED)) END"
        )
    text = f"CONVERT({value} USING utf8mb4)"
    if name not in schema.KEY:
        text = f"NULLIF(TRIM({text}), '')"
    return f"CONCAT('{name}=', {text})"


def _hash(listed: str, *values: Any) -> str:
    """What a server computes, for SQLite; it fails for no value."""
    pairs = []
    for (name, is_number, is_key), value in zip(_columns(listed), values, strict=True):
        if value is None:
            continue
        text = _text_of_number(value) if is_number else _text(value)
        if not is_key:
            text = text.strip(" ")
        if text or is_key:
            pairs.append(f"{name}={text}")
    joined = _SEPARATOR.join(pairs).encode(errors="surrogateescape")
    return hashlib.md5(joined, usedforsecurity=False).hexdigest()[:LENGTH]


def _number(hashed: str) -> int:
    return int(hashed[:_OF_NUMBER], 16)


@cache
def _columns(listed: str) -> list[tuple[str, bool, bool]]:
    """Each column, whether it is a number, and whether it belongs to the key."""
    return [(name, name in schema.NUMERIC, name in schema.KEY) for name in listed.split(",")]


def _text_of_number(value: Any) -> str:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):  # SQLite holds texts in any column
        return _text(value)
    if not math.isfinite(number):
        return str(number)
    if number == 0:
        return "0"
    power = math.frexp(number)[1] - 1
    digits = round(math.ldexp(number, _BITS - power))
    if abs(digits) == 2 << _BITS:  # rounded up to a power of 2
        digits, power = digits // 2, power + 1
    return f"{digits}e{power}"


def _text(value: Any) -> str:
    return value.decode(errors="surrogateescape") if isinstance(value, bytes) else str(value)

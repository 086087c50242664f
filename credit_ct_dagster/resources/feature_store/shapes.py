"""The tables of a database as they are: columns, types, collations and unique keys."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.engine import Connection

_COLUMNS_OF_SERVER = sa.text(
    "SELECT column_name, data_type, column_type, character_maximum_length, numeric_scale,"
    " character_set_name, collation_name, is_nullable, column_default, extra"
    " FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = :name"
    " ORDER BY ordinal_position"
)
_KEYS_OF_SERVER = sa.text(
    "SELECT index_name, column_name, sub_part FROM information_schema.statistics"
    " WHERE table_schema = DATABASE() AND table_name = :name AND non_unique = 0"
    " ORDER BY index_name, seq_in_index"
)
_COLUMNS_OF_SQLITE = sa.text(
    'SELECT name, type, "notnull", dflt_value FROM pragma_table_info(:name)'
)
_KEYS_OF_SQLITE = sa.text(
    "SELECT list.name, info.name, info.coll"
    " FROM pragma_index_list(:name) AS list, pragma_index_xinfo(list.name) AS info"
    ' WHERE list."unique" AND NOT list.partial AND info.key ORDER BY list.name, info.seqno'
)
_LARGEST_DAY = 10
"""The characters of YYYY-MM-DD: a text that is not longer has no time of day."""


class Holds(StrEnum):
    """What the type of a column can hold."""

    text = "text"
    bytes = "bytes"
    whole = "whole numbers"
    decimal = "decimal numbers"
    single = "numbers of single precision"
    double = "numbers of double precision"
    day = "days"
    moment = "moments"
    other = "other"


NUMBERS = {Holds.whole, Holds.decimal, Holds.single, Holds.double}
FLOATS = {Holds.single, Holds.double}
DATES = {Holds.day, Holds.moment}

_SERVER_TYPES = {
    **dict.fromkeys(["char", "varchar", "enum", "set"], Holds.text),
    **dict.fromkeys(["tinytext", "text", "mediumtext", "longtext"], Holds.text),
    **dict.fromkeys(["binary", "varbinary", "tinyblob", "blob"], Holds.bytes),
    **dict.fromkeys(["mediumblob", "longblob"], Holds.bytes),
    **dict.fromkeys(["tinyint", "smallint", "mediumint", "int", "bigint"], Holds.whole),
    "decimal": Holds.decimal,
    "float": Holds.single,
    "double": Holds.double,
    "date": Holds.day,
    "datetime": Holds.moment,
    "timestamp": Holds.moment,
}
# In SQLite's own order: https://www.sqlite.org/datatype3.html#determination_of_column_affinity
_SQLITE_TYPES = {
    r"DATETIME|TIMESTAMP": Holds.moment,
    r"DATE": Holds.day,
    r"INT": Holds.whole,
    r"CHAR|CLOB|TEXT|^$": Holds.text,
    r"BLOB": Holds.bytes,
    r"REAL|FLOA|DOUB": Holds.double,
    r"DECIMAL|NUMERIC": Holds.decimal,
}


@dataclass(frozen=True)
class ColumnShape:
    """A column of an existing table.

    Attributes:
        name: In lower case.
        declared: Its type as the table has it, such as `decimal(10,2)`.
        holds: What that type can hold.
        length: How many characters fit into a text; None without a limit.
        charset: The character set of a text on a server.
        collation: By which a text on a server is compared.
        nullable: Whether it may be NULL.
        required: Whether a row cannot be inserted without a value for it.
    """

    name: str
    declared: str
    holds: Holds
    length: int | None = None
    charset: str | None = None
    collation: str | None = None
    nullable: bool = True
    required: bool = False

    @property
    def is_exact(self) -> bool:
        """Whether two different texts of it are never equal to the server."""
        if self.holds != Holds.text:
            return False
        return bool(re.search(r"_(nopad|0900)_bin$|^BINARY$", self.collation or ""))

    @property
    def may_have_time(self) -> bool:
        """Whether a date in it may be followed by a time of day."""
        if self.holds == Holds.text:
            return self.length is None or self.length > _LARGEST_DAY
        return self.holds == Holds.moment


@dataclass(frozen=True)
class TableShape:
    """An existing table, or a view.

    Attributes:
        name: Of the table.
        is_sqlite: Whether its database is SQLite.
        columns: By name.
        unique: The columns of each unique key, by its name; one that takes a prefix of a column is
            left out.
    """

    name: str
    is_sqlite: bool
    columns: Mapping[str, ColumnShape]
    unique: Mapping[str, frozenset[str]]

    def has_key(self, names: Sequence[str]) -> bool:
        """Whether these columns, and no others, are a unique key."""
        return frozenset(names) in self.unique.values()

    def is_exact(self, names: Sequence[str]) -> bool:
        """Whether the database never takes two different texts in these columns for equal."""
        return all(self.columns[name].is_exact for name in names)


def shape_of(connection: Connection, table: sa.Table) -> TableShape:
    """The shape of an existing table.

    Args:
        connection: To its database.
        table: As the schema describes it.
    """
    if connection.dialect.name == "sqlite":
        return _on_sqlite(connection, table.name)
    columns = [
        ColumnShape(
            str(name).lower(),
            str(declared),
            _whole_if_scale_is_0(_SERVER_TYPES.get(str(kind).lower(), Holds.other), scale),
            length=None if length is None else int(length),
            charset=charset,
            collation=collation,
            nullable=nullable == "YES",
            required=nullable == "NO" and default is None and "auto_increment" not in extra.lower(),
        )
        for name, kind, declared, length, scale, charset, collation, nullable, default, extra in (
            connection.execute(_COLUMNS_OF_SERVER, {"name": table.name})
        )
    ]
    keys: dict[str, set[str]] = {}
    prefixed = set()
    for index, name, prefix in connection.execute(_KEYS_OF_SERVER, {"name": table.name}):
        keys.setdefault(index, set()).add(str(name).lower())
        if prefix is not None:
            prefixed.add(index)
    unique = {index: frozenset(keys[index]) for index in keys if index not in prefixed}
    return TableShape(table.name, False, {each.name: each for each in columns}, unique)


def _on_sqlite(connection: Connection, table: str) -> TableShape:
    keys: dict[str, set[str]] = {}
    collations: dict[str, str] = {}
    for index, name, collation in connection.execute(_KEYS_OF_SQLITE, {"name": table}):
        keys.setdefault(index, set()).add(str(name).lower())
        collations[str(name).lower()] = collation
    columns = [
        ColumnShape(
            str(name).lower(),
            str(declared),
            _sqlite_holds(str(declared)),
            collation=collations.get(str(name).lower()),
            nullable=not not_null,
            required=bool(not_null) and default is None,
        )
        for name, declared, not_null, default in connection.execute(
            _COLUMNS_OF_SQLITE, {"name": table}
        )
    ]
    unique = {index: frozenset(names) for index, names in keys.items()}
    return TableShape(table, True, {each.name: each for each in columns}, unique)


def _sqlite_holds(declared: str) -> Holds:
    for pattern, holds in _SQLITE_TYPES.items():
        if re.search(pattern, declared.upper()):
            scale = re.search(r",\s*(\d+)\s*\)", declared)
            return _whole_if_scale_is_0(holds, int(scale[1]) if scale else 0)
    return Holds.other


def _whole_if_scale_is_0(holds: Holds, scale: int | None) -> Holds:
    return Holds.whole if holds == Holds.decimal and scale == 0 else holds

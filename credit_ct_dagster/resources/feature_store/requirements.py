"""What tables of an existing database must be like: refused by name, with what corrects it."""

from collections.abc import Collection, Iterator, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Dialect

from credit_ct_dagster.databases import exact_collation
from credit_ct_dagster.errors.stores import MissingTableError, UnsuitableTableError
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.resources.feature_store.columns import (
    has_table,
    require_columns,
    require_sources,
)
from credit_ct_dagster.resources.feature_store.expressions import Sources
from credit_ct_dagster.resources.feature_store.shapes import (
    DATES,
    FLOATS,
    NUMBERS,
    ColumnShape,
    Holds,
    TableShape,
    shape_of,
)
from credit_ct_dagster.resources.feature_store.tables import Tables

TARGET_KEY = [schema.BASE_DATE, schema.ID, schema.CUSTOMER]
_WORDS = {Holds.text, Holds.bytes, Holds.other}


def usable_sources(connection: Connection, location: str) -> Sources:
    """The source tables, if labels and features can be merged.

    Raises:
        MissingTableError: A source table does not exist.
        MissingColumnError: A source table lacks a column.
        UnsuitableTableError: A column has a type that cannot hold what is expected.
    """
    require_sources(connection, location)
    sources = Sources.of(connection)
    for shape, names in (
        (sources.labels, schema.LABEL_COLUMNS),
        (sources.features, [*schema.KEY, *schema.FEATURES]),
    ):
        _raise_first(_wrong_types(shape, names, connection.dialect), location)
    return sources


def usable_features(connection: Connection, location: str) -> Sources:
    """The table of features as both source tables, if features can be read from it.

    Raises:
        MissingTableError: It does not exist.
        MissingColumnError: It lacks a column.
        UnsuitableTableError: A column has a type that cannot hold what is expected.
    """
    table, names = Tables.of_schema().features, [*schema.KEY, *schema.FEATURES]
    return _usable(connection, table, names, "features", location)


def usable_labels(connection: Connection, location: str) -> Sources:
    """The table of labels as both source tables, if labels can be read from it.

    Raises:
        MissingTableError: It does not exist.
        MissingColumnError: It lacks a column.
        UnsuitableTableError: A column has a type that cannot hold what is expected.
    """
    table = Tables.of_schema().labels
    return _usable(connection, table, schema.LABEL_COLUMNS, "labels", location)


def _usable(
    connection: Connection, table: sa.Table, names: Collection[str], what: str, location: str
) -> Sources:
    if not has_table(connection, table):
        raise MissingTableError(
            f"{location} has no table {table.name}: load {what} first (credit-ct load), or"
            " correct FEATURE_STORE_URL."
        )
    require_columns(connection, table, names, location)
    shape = shape_of(connection, table)
    _raise_first(_wrong_types(shape, names, connection.dialect), location)
    return Sources(shape, shape, connection.dialect)


def require_target(connection: Connection, location: str) -> TableShape:
    """Make sure that training rows can be merged into an existing table.

    Raises:
        UnsuitableTableError: It has another key, or columns that do not fit.
    """
    shape = shape_of(connection, Tables.of_schema().target)
    _raise_first(_faults_of_target(shape, connection.dialect), location)
    return shape


def require_loadable(
    connection: Connection, table: sa.Table, names: Collection[str], location: str
) -> TableShape:
    """Make sure that rows can be inserted into an existing source table, or replaced by their key.

    Args:
        connection: To its database.
        table: The table as the schema describes it.
        names: The columns of the rows.
        location: The database, for a person.

    Raises:
        UnsuitableTableError: It has another key, or columns that do not fit.
    """
    shape = shape_of(connection, table)
    _raise_first(_wrong_types(shape, names, connection.dialect), location)
    _raise_first(_wrong_keys(shape, schema.KEY, connection.dialect), location)
    _raise_first(_required(shape, names), location)
    return shape


def exact_keys(shape: TableShape, names: Sequence[str], dialect: Dialect) -> str:
    """The statement by which the keys of a table are compared byte by byte."""
    if shape.is_sqlite:
        return f"create the table again, with {', '.join(names)} as TEXT"
    changes = (
        f"MODIFY COLUMN {name} VARCHAR({_characters(shape.columns[name], name)})"
        f" CHARACTER SET utf8mb4 COLLATE {exact_collation(dialect)} NOT NULL"
        for name in names
    )
    return f"ALTER TABLE {shape.name} {', '.join(changes)}"


def _characters(column: ColumnShape, name: str) -> int:
    expected = schema.COLUMNS[name].length or 10
    varchars = column.holds == Holds.text and column.length is not None and column.length < 256
    return max(expected, column.length or 0) if varchars else expected


def _wrong_types(shape: TableShape, names: Collection[str], dialect: Dialect) -> Iterator[str]:
    for name in names:
        column, kind = shape.columns[name], schema.COLUMNS[name].kind
        if name == schema.DATE:
            allowed = {Holds.text, *DATES}
        elif kind == schema.Kind.key:
            allowed = {Holds.text, Holds.bytes, Holds.whole}
        else:
            allowed = NUMBERS if kind == schema.Kind.number else _WORDS
            if name in schema.WORDS and column.nullable:
                allowed = allowed | NUMBERS  # as pandas declares a column without any value
        if column.holds in allowed:
            continue
        if kind == schema.Kind.key:
            what, remedy = "a text", exact_keys(shape, [name], dialect)
        else:
            what = "a number" if kind == schema.Kind.number else "a text"
            remedy = _modified(shape, column, "DOUBLE" if what == "a number" else "VARCHAR(100)")
        yield (
            f"Table {shape.name} of {{}} has the column {name} of type {column.declared}, but"
            f" {what} is expected: {remedy}"
        )


def _wrong_keys(shape: TableShape, key: Sequence[str], dialect: Dialect) -> Iterator[str]:
    listed = ", ".join(key)
    if not shape.has_key(key):
        if shape.is_sqlite:
            remedy = f"CREATE UNIQUE INDEX {shape.name}_key ON {shape.name} ({listed})"
        else:
            long = [name for name in key if shape.columns[name].declared.lower().endswith("text")]
            first = f"{exact_keys(shape, long, dialect)}; " if long else ""
            remedy = f"{first}ALTER TABLE {shape.name} ADD UNIQUE KEY ({listed})"
        yield f"Table {shape.name} of {{}} has no unique key ({listed}): {remedy}"
    ours = set(schema.COLUMNS)
    for index, names in shape.unique.items():
        if names <= ours and not names >= set(key):
            yield (
                f"Table {shape.name} of {{}} has the unique key ({', '.join(sorted(names))}), by"
                f" which rows of different {listed} replace each other: ALTER TABLE {shape.name}"
                f" DROP {'PRIMARY KEY' if index == 'PRIMARY' else f'INDEX {index}'},"
                f" ADD UNIQUE KEY ({listed})"
            )


def _required(shape: TableShape, names: Collection[str]) -> Iterator[str]:
    for column in shape.columns.values():
        if column.required and column.name not in names:
            yield (
                f"Table {shape.name} of {{}} requires a value for the column {column.name}, which"
                f" nothing gives: {_modified(shape, column, column.declared)}"
            )


def _faults_of_target(shape: TableShape, dialect: Dialect) -> Iterator[str]:
    for name in schema.MERGED_COLUMNS:
        column, is_number = shape.columns[name], name in schema.NUMERIC
        if column.holds not in (FLOATS if is_number else {Holds.text}):
            expected = "FLOAT" if is_number else f"VARCHAR({schema.COLUMNS[name].length or 255})"
            yield (
                f"Table {shape.name} of {{}} has the column {name} of type {column.declared}, but"
                f" {expected} is expected: {_modified(shape, column, expected)}"
            )
        if name in schema.FEATURES and not column.nullable:
            yield (
                f"Table {shape.name} of {{}} requires a value for the column {name}, which may be"
                f" missing: {_modified(shape, column, column.declared)}"
            )
    yield from _wrong_keys(shape, TARGET_KEY, dialect)
    yield from _required(shape, schema.MERGED_COLUMNS)


def _modified(shape: TableShape, column: ColumnShape, declared: str) -> str:
    if shape.is_sqlite:
        return f"create the table again, with {column.name} {declared}"
    null = "NOT NULL" if column.name in [*TARGET_KEY, schema.DATE, schema.TARGET] else "NULL"
    return f"ALTER TABLE {shape.name} MODIFY COLUMN `{column.name}` {declared} {null}"


def _raise_first(faults: Iterator[str], location: str) -> None:
    fault = next(faults, None)
    if fault is not None:
        raise UnsuitableTableError(f"{fault.replace('{}', location, 1)}. Then try again.")

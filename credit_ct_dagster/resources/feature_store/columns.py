"""Columns that the schema has and a table of an existing database lacks."""

from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateColumn

from credit_ct_dagster.causes import is_denied
from credit_ct_dagster.errors.stores import (
    MissingColumnError,
    MissingRightsError,
    MissingTableError,
)
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.resources.feature_store.tables import Tables

# Lists what the user may read, where a user may read some columns of a table only.
_OF_SERVER = sa.text(
    "SELECT column_name FROM information_schema.columns"
    " WHERE table_schema = DATABASE() AND table_name = :name"
)
_OF_SQLITE = sa.text("SELECT name FROM pragma_table_info(:name)")


def has_table(connection: Connection, table: sa.Table) -> bool:
    """Whether a table, or a view of its name, exists."""
    return sa.inspect(connection).has_table(table.name)


def missing_columns(
    connection: Connection, table: sa.Table, names: Collection[str] | None = None
) -> list[sa.Column]:
    """The columns that an existing table lacks.

    Args:
        connection: To its database.
        table: The table as the schema describes it.
        names: Only look for these. [default: all]
    """
    query = _OF_SQLITE if connection.dialect.name == "sqlite" else _OF_SERVER
    present = {str(name).lower() for name in connection.scalars(query, {"name": table.name})}
    return [
        column
        for column in table.columns
        if column.name not in present and (names is None or column.name in names)
    ]


def require_sources(connection: Connection, location: str) -> None:
    """Make sure that labels and features can be merged.

    Raises:
        MissingTableError: A source table does not exist.
        MissingColumnError: A source table lacks a column.
    """
    tables = Tables.of_schema()
    missing = [table.name for table in tables.sources if not has_table(connection, table)]
    if missing:
        raise MissingTableError(
            f"{location} has no table {' and no table '.join(missing)}: load labels and features"
            " first (credit-ct load), or correct FEATURE_STORE_URL."
        )
    for table, names in (
        (tables.labels, schema.LABEL_COLUMNS),
        (tables.features, [*schema.KEY, *schema.FEATURES]),
    ):
        require_columns(connection, table, names, location)


def require_columns(
    connection: Connection, table: sa.Table, names: Collection[str], location: str
) -> None:
    """Make sure that a source table has columns.

    Raises:
        MissingColumnError: It lacks some.
    """
    missing = missing_columns(connection, table, names)
    if missing:
        raise MissingColumnError(
            f"Table {table.name} of {location} lacks {_listed(missing)}. Add what is missing"
            f" ({_added(table, missing, connection.dialect)}) and load its values (credit-ct load),"
            " then try again."
        )


def require_merged(connection: Connection, location: str) -> None:
    """Make sure that training rows can be read.

    Raises:
        MissingTableError: Nothing has been merged yet.
        MissingColumnError: Nothing has been merged since the schema has a new column.
    """
    target = Tables.of_schema().target
    if not has_table(connection, target):
        raise MissingTableError(
            f"{location} has no table {target.name}: materialize features_target first."
        )
    missing = missing_columns(connection, target)
    if missing:
        raise MissingColumnError(
            f"Table {target.name} of {location} lacks {_listed(missing)}: materialize"
            " features_target, which adds what is missing."
        )


def add_missing_columns(connection: Connection, location: str) -> None:
    """Add the features that the table of training rows lacks; rows in it get NULL.

    Raises:
        MissingColumnError: It lacks a column that cannot be NULL.
        MissingRightsError: The user lacks the right to.
    """
    target = Tables.of_schema().target
    missing = missing_columns(connection, target)
    fixed = [column for column in missing if not column.nullable]
    if fixed:
        raise MissingColumnError(
            f"Table {target.name} of {location} lacks {_listed(fixed)}, which no row can be"
            " without: correct the table, or drop it, then merge its base dates again."
        )
    for column in missing:
        statement = _added(target, [column], connection.dialect)
        try:
            connection.exec_driver_sql(statement)
        except DBAPIError as error:
            if not is_denied(error):
                raise
            raise MissingRightsError(
                f"Table {target.name} of {location} lacks {_listed([column])}, and the user may not"
                f" add it: GRANT ALTER on this table, or execute {statement}. Then try again."
            ) from error


def require_written(connection: Connection, table: sa.Table, location: str) -> None:
    """Make sure that an existing table of answers has every column; rows in it may get NULL.

    Args:
        connection: To its database.
        table: The table of predictions, or of scores, as it is created where it is missing.
        location: Of the database, for a person.

    Raises:
        MissingColumnError: It lacks some; has the statement that corrects it.
    """
    missing = missing_columns(connection, table)
    if not missing:
        return
    if any(column.primary_key for column in missing):
        old = f"{table.name}_of_an_earlier_release"
        raise MissingColumnError(
            f"Table {table.name} of {location} lacks {_listed(missing)}, and with it a part of"
            f" its key: rename it (ALTER TABLE {table.name} RENAME TO {old}); whoever writes it"
            " next creates it as it should be."
        )
    # Rows in it have no value for what is new.
    added = [sa.Column(column.name, column.type, nullable=True) for column in missing]
    raise MissingColumnError(
        f"Table {table.name} of {location} lacks {_listed(missing)}, as that of an earlier release."
        f" Have what is missing added ({_added(table, added, connection.dialect)}), then try again."
    )


def _listed(columns: Sequence[sa.Column]) -> str:
    names = ", ".join(column.name for column in columns)
    return f"the column{'s' if len(columns) > 1 else ''} {names}"


def _added(table: sa.Table, columns: Sequence[sa.Column], dialect: Dialect) -> str:
    """The statement that adds columns, one by one: SQLite takes no more at a time."""
    return "; ".join(
        f"ALTER TABLE {dialect.identifier_preparer.format_table(table)}"
        f" ADD COLUMN {CreateColumn(column).compile(dialect=dialect)}"
        for column in columns
    )

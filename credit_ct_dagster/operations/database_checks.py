"""Whether the database of the feature store is as a run needs it."""

from collections.abc import Iterator

import sqlalchemy as sa

from credit_ct_dagster.causes import is_denied
from credit_ct_dagster.errors.stores import (
    FeatureStoreError,
    LenientServerError,
    MissingRightsError,
)
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.resources.feature_store.arrival_lines import ARRIVALS, arrivals_table
from credit_ct_dagster.resources.feature_store.columns import (
    has_table,
    missing_columns,
    require_sources,
    require_written,
)
from credit_ct_dagster.resources.feature_store.customers import create_index, has_index
from credit_ct_dagster.resources.feature_store.requirements import require_target, usable_sources
from credit_ct_dagster.resources.feature_store.scores import scores_table
from credit_ct_dagster.resources.feature_store.shapes import TableShape
from credit_ct_dagster.resources.feature_store.statements import bound
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.resources.feature_store.tables import Tables
from credit_ct_dagster.serving.log.table import predictions_table

_STRICT = {"STRICT_TRANS_TABLES", "STRICT_ALL_TABLES"}


def server_version(store: FeatureStore) -> str:
    """The product and version of the database, such as `MariaDB 10.11.6` or `SQLite 3.40.1`."""
    with store.database.transaction() as connection:
        number = ".".join(map(str, connection.dialect.server_version_info or ()))
        if connection.dialect.name == "sqlite":
            return f"SQLite {number}"
        maria = getattr(connection.dialect, "is_mariadb", False)
        return f"{'MariaDB' if maria else 'MySQL'} {number}"


def require_source_tables(store: FeatureStore) -> None:
    """Make sure that labels and features exist, with every column that a merge reads.

    Raises:
        MissingTableError: A table does not exist; names it.
        MissingColumnError: A table lacks columns; names them.
    """
    with store.database.transaction() as connection:
        require_sources(connection, store.location)


def require_suitable_tables(store: FeatureStore) -> str:
    """Make sure that keys, columns, types and collations are such that a merge works.

    Returns:
        That they are, and what works but costs or loses something.

    Raises:
        UnsuitableTableError: They are not; names table, column or key, and the ALTER.
    """
    tables = Tables.of_schema()
    with store.database.transaction() as connection:
        sources = usable_sources(connection, store.location)
        if has_table(connection, tables.target) and not missing_columns(connection, tables.target):
            require_target(connection, store.location)
        unreadable = [
            int(connection.scalar(bound(connection.dialect, name, sources=sources)) or 0)
            for name in ("unreadable_dates", "unreadable_feature_dates")
        ]
        indexed = has_index(connection, tables.features)
    notes = [note for shape in (sources.labels, sources.features) for note in _notes(shape)]
    if not indexed:
        notes.append(
            f"{sources.features.name} has no index that begins with {schema.CUSTOMER}, so the"
            f" service reads the whole table for one customer: {create_index(sources.features)}"
        )
    for dates, shape, consequence in zip(
        unreadable,
        (sources.labels, sources.features),
        ("belong to no window", "are known on no label's day"),
        strict=True,
    ):
        if dates:
            notes.append(
                f"{dates:,} dates of {shape.name} are not written YYYY-MM-DD, and {consequence}"
            )
    return "; ".join(["keys, types and collations are suitable", *notes])


def require_answer_tables(store: FeatureStore) -> str:
    """Make sure that the tables of predictions and scores have the columns of this release.

    Returns:
        Which of them exist; whoever writes the first row creates them.

    Raises:
        MissingColumnError: One lacks columns; names them, with the ALTER.
    """
    tables = [predictions_table(), scores_table()]
    with store.database.transaction() as connection:
        found = [table for table in tables if has_table(connection, table)]
        for table in found:
            require_written(connection, table, store.location)
    absent = [f"{table.name} does not exist yet" for table in tables if table not in found]
    return "; ".join([*(f"{table.name} has all columns" for table in found), *absent])


def require_arrivals(store: FeatureStore) -> str:
    """Make sure that arrivals can be recorded, if the ledger exists.

    Returns:
        How late labels arrive.

    Raises:
        MissingColumnError: The ledger lacks columns.
        MissingRightsError: The user may not insert into it.
    """
    table = arrivals_table()
    with store.database.transaction() as connection:
        if not has_table(connection, table):
            return (
                f"{ARRIVALS} does not exist yet: credit-ct load, or the next tick of"
                " late_data_sensor, creates it"
            )
        require_written(connection, table, store.location)
    no_rows = sa.select(*table.columns).where(sa.false())
    if not _may(store, table.insert().from_select(list(table.columns), no_rows)):
        raise MissingRightsError(
            f"The user of {store.location} lacks INSERT on {ARRIVALS}, so the arrival of labels is"
            " not recorded: GRANT it."
        )
    delays = store.arrivals.delays()
    return str(delays) if delays else "what was there before the ledger is still being recorded"


def _notes(shape: TableShape) -> Iterator[str]:
    listed = ", ".join(schema.KEY)
    if not shape.has_key(schema.KEY):
        yield f"{shape.name} has no unique key ({listed}), which credit-ct load needs"
    collations = {shape.columns[name].collation for name in schema.KEY} - {None}
    if not shape.is_sqlite and collations and not shape.is_exact(schema.KEY):
        yield (
            f"{shape.name} compares keys by {', '.join(sorted(map(str, collations)))}; merges"
            " compare them byte by byte in addition"
        )


def require_rights(store: FeatureStore) -> list[str]:
    """Make sure that the user may do what a run does; no row is read or changed.

    Returns:
        The rights that were tried, such as `INSERT on credit_score_features_target`. Those on a
        table that the first merge is still to create cannot be tried.

    Raises:
        MissingRightsError: Rights are missing; names them.
    """
    tables = Tables.of_schema()
    target = tables.target
    statements: dict[str, sa.Executable] = {
        f"SELECT on {table.name}": sa.select(sa.literal(1)).select_from(table).limit(0)
        for table in tables.sources
    }
    with store.database.transaction() as connection:
        if has_table(connection, target):
            # The next merge adds the columns that are missing.
            missing = {column.name for column in missing_columns(connection, target)}
            present = [column for column in target.c if column.name not in missing]
            no_rows = sa.select(*present).where(sa.false())
            statements |= {
                f"SELECT on {target.name}": no_rows,
                f"INSERT on {target.name}": target.insert().from_select(present, no_rows),
                f"DELETE on {target.name}": target.delete().where(sa.false()),
            }
    denied = [right for right, statement in statements.items() if not _may(store, statement)]
    if denied:
        raise MissingRightsError(
            f"The user of {store.location} lacks {', '.join(denied)}: GRANT what is missing."
        )
    return list(statements)


def _may(store: FeatureStore, statement: sa.Executable) -> bool:
    try:
        with store.database.transaction(writes=True) as connection:
            connection.execute(statement)
    except FeatureStoreError as error:
        if is_denied(error.__cause__):
            return False
        raise
    return True


def require_strict_mode(store: FeatureStore) -> str:
    """Make sure that the server refuses a value that does not fit instead of changing it.

    Returns:
        The SQL mode by which it does.

    Raises:
        LenientServerError: It would cut texts and numbers to fit.
    """
    with store.database.transaction() as connection:
        if connection.dialect.name == "sqlite":
            return "SQLite has no SQL mode"
        modes = str(connection.scalar(sa.text("SELECT @@SESSION.sql_mode"))).split(",")
    strict = [mode for mode in modes if mode in _STRICT]
    if not strict:
        raise LenientServerError(
            f"The SQL mode of {store.location} is not strict, so the server cuts values to fit: add"
            " STRICT_TRANS_TABLES to sql_mode in its configuration."
        )
    return strict[0]

"""Reading rows: ConnectorX where it accepts the URL, SQLAlchemy where it does not."""

from collections.abc import Collection
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.partitions import LabelWindow
from credit_ct_dagster.resources.feature_store.arrow import through_connectorx
from credit_ct_dagster.resources.feature_store.columns import require_merged
from credit_ct_dagster.resources.feature_store.engine import Database
from credit_ct_dagster.resources.feature_store.expressions import ordered_by_bytes
from credit_ct_dagster.resources.feature_store.requirements import usable_sources
from credit_ct_dagster.resources.feature_store.shapes import Holds, shape_of
from credit_ct_dagster.resources.feature_store.statements import bound, selection, window_values
from credit_ct_dagster.resources.feature_store.tables import Tables

if TYPE_CHECKING:  # half a second to import, which only reading needs
    import pandas as pd


def training_rows(database: Database, base_dt: str) -> "pd.DataFrame":
    """The merged rows of a base date; see `FeatureStore.read`."""
    target = Tables.of_schema().target
    with database.transaction() as connection:
        require_merged(connection, database.location)
        shape = shape_of(connection, target)
    keys = [schema.ID, schema.CUSTOMER]
    rows = sa.select(*(target.c[name] for name in schema.MERGED_COLUMNS)).where(
        target.c.base_dt == base_dt
    )
    if shape.is_exact(keys):  # in the order of the primary key, in which the database stores them
        ordered = rows.order_by(*(target.c[name] for name in keys))
    else:
        ordered = rows.order_by(sa.text(ordered_by_bytes(keys, database.engine.dialect)))
    return _normalised(_frame_of(database, ordered), singles=())


def source_rows(database: Database, base_dt: str, *, point_in_time: bool) -> "pd.DataFrame":
    """The rows that a merge would insert now, as `training_rows` would return them."""
    target = Tables.of_schema().target
    with database.transaction() as connection:
        sources = usable_sources(connection, database.location)
        of_target = singles(connection)
    rows = bound(
        database.engine.dialect,
        *selection(point_in_time=point_in_time, newest_only=True),
        sources=sources,
        base_dt=base_dt,
        **window_values(LabelWindow.of(base_dt)),
    )
    types = {column.name: column.type for column in target.c}
    merged = rows.columns(**types).subquery("merged")
    columns = (merged.c[name] for name in schema.MERGED_COLUMNS)
    keys = [f"merged.{name}" for name in (schema.ID, schema.CUSTOMER)]
    ordered = ordered_by_bytes(keys, database.engine.dialect)
    query = sa.select(*columns).order_by(sa.text(ordered))
    frame = _frame_of(database, query, connectorx=sources.are_plain)
    return _normalised(frame, of_target)


def feature_rows(
    database: Database, query: sa.Select, singles: Collection[str], *, connectorx: bool
) -> "pd.DataFrame":
    """Rows of the feature table, as `training_rows` would return them.

    Args:
        database: Holds the table.
        query: Selects every feature, among others.
        singles: As the function of this name returns them.
        connectorx: Whether the columns are of types that ConnectorX reads as the schema has them.
    """
    return _normalised(_frame_of(database, query, connectorx=connectorx), singles)


def singles(connection: Connection) -> list[str]:
    """The numbers that the table of training rows holds in single precision."""
    of_target = shape_of(connection, Tables.of_schema().target)
    # As `require_merged` finds it, or as the next merge creates it.
    is_single = connection.dialect.name != "sqlite"
    return [
        name
        for name in schema.NUMERIC
        if (
            of_target.columns[name].holds == Holds.single
            if name in of_target.columns
            else is_single
        )
    ]


def _normalised(frame: "pd.DataFrame", singles: Collection[str]) -> "pd.DataFrame":
    """One value for what is the same: a blank word is missing, as NULL is.

    Args:
        frame: Rows as they were read.
        singles: Numbers that the table of training rows holds in single precision.
    """
    # Half a second to import, which only reading needs.
    from credit_ct_dagster.modeling.rows.missing import with_blanks_missing

    frame = with_blanks_missing(frame)
    words = frame[schema.WORDS].astype(object)  # a column without a word may have come as numbers
    frame[schema.WORDS] = words.where(words.notna(), None)
    return frame.astype(dict.fromkeys(singles, "float32")).astype(
        dict.fromkeys(schema.NUMERIC, "float64")
    )


def _frame_of(database: Database, query: sa.Select, *, connectorx: bool = True) -> "pd.DataFrame":
    """The result of a query; numbers are float64 even where all are NULL.

    Args:
        database: Where to read.
        query: What to read.
        connectorx: Whether its columns are of types that ConnectorX reads as the schema has them.
    """
    frame = _through_connectorx(database, query) if connectorx else None
    if frame is None:
        frame = _through_sqlalchemy(database, query)
    return frame.astype(dict.fromkeys(schema.NUMERIC, "float64"))


def _through_connectorx(database: Database, query: sa.Select) -> "pd.DataFrame | None":
    found = through_connectorx(database, query)
    return None if found is None else found.to_pandas()


def _through_sqlalchemy(database: Database, query: sa.Select) -> "pd.DataFrame":
    # The text protocol rounds FLOAT to six digits; a cast to DOUBLE shows all it holds.
    exact = query.with_only_columns(
        *(
            sa.cast(column, sa.Double).label(column.name)
            if isinstance(column.type, sa.Float)
            else column
            for column in query.selected_columns
        )
    )
    import pandas as pd

    with database.transaction() as connection:
        return pd.read_sql(exact, connection)

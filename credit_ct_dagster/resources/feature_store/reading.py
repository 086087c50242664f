"""Reading rows: ConnectorX where it accepts the URL, SQLAlchemy where it does not."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.outages import cause_of
from credit_ct_dagster.partitions import LabelWindow
from credit_ct_dagster.resources.feature_store.columns import require_merged, require_sources
from credit_ct_dagster.resources.feature_store.engine import Database
from credit_ct_dagster.resources.feature_store.statements import bound
from credit_ct_dagster.resources.feature_store.tables import Tables

if TYPE_CHECKING:  # half a second to import, which only reading needs
    import pandas as pd

logger = logging.getLogger(__name__)

_DRIVERS = {"sqlite", "mysql+pymysql"}


def training_rows(database: Database, base_dt: str) -> "pd.DataFrame":
    """The merged rows of a base date; see `FeatureStore.read`."""
    with database.transaction() as connection:
        require_merged(connection, database.location)
    target = Tables.of_schema().target
    rows = sa.select(*(target.c[name] for name in schema.MERGED_COLUMNS))
    # In the order of the primary key, in which the database stores them.
    return _frame_of(
        database,
        rows.where(target.c.base_dt == base_dt).order_by(target.c.id, target.c.customer_id),
    )


def source_rows(database: Database, base_dt: str) -> "pd.DataFrame":
    """The rows that a merge would insert now, as `training_rows` would return them."""
    with database.transaction() as connection:
        require_sources(connection, database.location)
    rows = bound(
        database.engine.dialect,
        "joined_rows",
        "newest_only",
        base_dt=base_dt,
        window_days=LabelWindow.of(base_dt).days,
    )
    types = {column.name: column.type for column in Tables.of_schema().target.c}
    merged = rows.columns(**types).subquery("merged")
    columns = (merged.c[name] for name in schema.MERGED_COLUMNS)
    return _frame_of(database, sa.select(*columns).order_by(merged.c.id, merged.c.customer_id))


def _frame_of(database: Database, query: sa.Select) -> "pd.DataFrame":
    """The result of a query; numbers are float64 even where all are NULL."""
    frame = _through_connectorx(database, query)
    if frame is None:
        frame = _through_sqlalchemy(database, query)
    return frame.astype(dict.fromkeys(schema.NUMERIC, "float64"))


def _through_connectorx(database: Database, query: sa.Select) -> "pd.DataFrame | None":
    """The result of a query; None where ConnectorX does not accept the URL."""
    if database.url.query or database.url.drivername not in _DRIVERS:
        logger.info("ConnectorX takes no URL with options such as TLS: reading through SQLAlchemy")
        return None
    import connectorx  # takes 0.1 s, and only reading needs it

    # It takes no bind parameters either; the only values are dates from the calendar.
    literally = {"literal_binds": True, "render_postcompile": True}
    sql = str(query.compile(database.engine, compile_kwargs=literally))
    with database.translated():
        try:
            return connectorx.read_sql(
                _connectorx_url(database.url), sql, return_type="arrow"
            ).to_pandas()
        except RuntimeError as error:
            # Its message may quote the URL with the password, so it is no part of the traceback.
            raise RuntimeError(cause_of(error)) from None


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


def _connectorx_url(url: sa.URL) -> str:
    if url.get_backend_name() == "sqlite":
        return f"sqlite://{Path(url.database or '').absolute()}"
    return url.set(drivername="mysql").render_as_string(hide_password=False)

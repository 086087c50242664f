"""Writing the source tables."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, sqlite

from credit_ct_dagster.resources.feature_store.columns import require_columns
from credit_ct_dagster.resources.feature_store.engine import Database
from credit_ct_dagster.resources.feature_store.tables import Tables

if TYPE_CHECKING:  # half a second to import, which only reading and writing need
    import pandas as pd

_BATCH_ROWS = 5_000


def upsert_rows(database: Database, frames: "Mapping[str, pd.DataFrame]") -> dict[str, int]:
    """Insert rows, or replace those with the same key; see `FeatureStore.upsert`."""
    tables = {table.name: table for table in Tables.of_schema().sources}
    with database.transaction(writes=True) as connection:
        for name, frame in frames.items():
            columns = list(frame.columns)
            require_columns(connection, tables[name], columns, database.location)
            statement = _statement(tables[name], columns, connection.dialect.name)
            for start in range(0, len(frame), _BATCH_ROWS):
                batch = frame.iloc[start : start + _BATCH_ROWS]
                rows = batch.astype(object).where(batch.notna(), None)
                connection.execute(statement, rows.to_dict("records"))
    return {name: len(frame) for name, frame in frames.items()}


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

"""Whether rows of a label window may have changed, without reading them: sums of their hashes."""

from datetime import date

import sqlalchemy as sa

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.partitions import LabelWindow
from credit_ct_dagster.resources.feature_store.engine import Database
from credit_ct_dagster.resources.feature_store.expressions import Sources
from credit_ct_dagster.resources.feature_store.named import statements
from credit_ct_dagster.resources.feature_store.requirements import usable_sources
from credit_ct_dagster.resources.feature_store.row_hashes import (
    define_functions,
    hash_of_row,
    number_of_hash,
)
from credit_ct_dagster.resources.feature_store.statements import window_values


def row_digests(database: Database, first: str, last: str) -> dict[str, str]:
    """A digest per day of labels, of these labels and of all feature rows with their keys.

    The rows that a merge of any of these labels would insert are the same as long as their digest
    is: whatever row is added, deleted or changed, and also if it changes back.

    Args:
        database: Holds the source tables.
        first: The first day of labels, one that exists.
        last: The last day, which exists.

    Returns:
        By day; days without labels are left out.

    Raises:
        MissingTableError: A source table does not exist.
        MissingColumnError: A source table lacks a column.
        UnsuitableTableError: A column has a type that cannot hold what is expected.
    """
    window = LabelWindow(date.fromisoformat(first), date.fromisoformat(last))
    found: dict[str, list[str]] = {}
    with database.transaction() as connection:
        sources = usable_sources(connection, database.location)
        define_functions(connection)
        for name in ("label_digests", "feature_digests"):
            for day, rows, digest in connection.execute(_bound(sources, name, window)):
                found.setdefault(str(day), []).append(f"{rows}:{int(digest)}")
    return {day: "/".join(parts) for day, parts in found.items()}


def _bound(sources: Sources, name: str, window: LabelWindow) -> sa.TextClause:
    names = {"label": schema.LABEL_COLUMNS, "feature": [*schema.KEY, *schema.FEATURES]}
    tables = {"label": sources.labels, "feature": sources.features}
    numbers = {
        f"{alias}_number": number_of_hash(hash_of_row(sources, alias, table, names[alias]), table)
        for alias, table in tables.items()
    }
    sql = statements("arrivals.sql")[name].format(**sources.substitutions(), **numbers)
    return sa.text(sql).bindparams(
        *(
            sa.bindparam(name, value, expanding=isinstance(value, list))
            for name, value in window_values(window).items()
            if f":{name}" in sql
        )
    )

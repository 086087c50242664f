"""The features that a day's answers were computed from."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.types import TypeEngine

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.watching import columns
from credit_ct_dagster.resources.feature_store import reading
from credit_ct_dagster.resources.feature_store.arrow import TEXT, WHOLE, checksum
from credit_ct_dagster.resources.feature_store.served import documents
from credit_ct_dagster.resources.feature_store.served.samples import cut_for, sampled
from credit_ct_dagster.resources.feature_store.served.tables import ServedTables
from credit_ct_dagster.resources.feature_store.tables import Tables

if TYPE_CHECKING:  # half a second to import, which only reading needs
    import pandas as pd
    import pyarrow as pa

DATE, ANSWERED_AT = "feature_date", "answered_at"
_LOGGED = {
    columns.KEY: TEXT, schema.CUSTOMER: TEXT, DATE: TEXT, ANSWERED_AT: WHOLE, "features": TEXT,
}  # fmt: skip
_TYPES = {name: columns.type_of(name) for name in columns.FEATURES}


def features_of_day(tables: ServedTables, day: str, most_rows: int) -> "pd.DataFrame":
    """See `ServedAnswers.features_of_day`."""
    import pandas as pd

    has_batch = tables.has_scores and tables.features is not None
    cut = cut_for(tables, day, most_rows)
    frames = [_scored(tables, day, cut)] if has_batch else []
    frames += [_requested(tables, day, cut)] if tables.has_log else []
    frames = [frame for frame in frames if len(frame)]
    if not frames:
        return columns.without_rows(columns.FEATURES)
    found = pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0]
    found = sampled(found, most_rows)
    return found.sort_values([columns.SOURCE, columns.KEY], ignore_index=True)


def _requested(tables: ServedTables, day: str, cut: int) -> "pd.DataFrame":
    """The features of requests, as they were scored."""
    import pandas as pd

    logged = logged_features(tables, day, cut)
    values = documents.parsed(logged["features"], schema.NUMERIC, schema.WORDS).to_pandas()
    keys = logged.select([columns.KEY, schema.CUSTOMER]).to_pandas()
    found = pd.concat([keys, values], axis=1).assign(**{columns.SOURCE: columns.REQUEST})
    return found[columns.FEATURES].astype(_TYPES)


def _scored(tables: ServedTables, day: str, cut: int) -> "pd.DataFrame":
    """The features of scores, as the feature store has them now."""
    values = tables.of_day(day) | {"cut": cut}
    # ConnectorX reads SQLite by functions of its own: there, the sample is taken afterwards.
    sample = {} if tables.database.file else tables.sample("score")
    rows = rows_of_features(tables, "scored_features", values, **sample).drop_duplicates(schema.KEY)
    customers = rows[schema.CUSTOMER]
    hashes = customers.map({each: checksum(each) for each in customers.unique()})
    rows = rows[hashes < cut]
    keys = rows[schema.ID] + "|" + rows[schema.CUSTOMER] + "|" + rows[schema.DATE]
    found = rows.assign(**{columns.SOURCE: columns.BATCH, columns.KEY: keys})
    return found[columns.FEATURES].astype(_TYPES)


def logged_features(tables: ServedTables, day: str, cut: int, **expressions: str) -> "pa.Table":
    """The requests of a day whose hashes are below the cut, with their features as documents."""
    values, sample = tables.of_day(day) | {"cut": cut}, tables.sample("request")
    return tables.read("logged_features", _LOGGED, values, **sample, **expressions)


def rows_of_features(
    tables: ServedTables,
    name: str,
    values: Mapping[str, object],
    also: Mapping[str, TypeEngine[Any]] = MappingProxyType({}),
    /,
    **expressions: str,
) -> "pd.DataFrame":
    """Rows of the feature table with their keys, as the pipeline reads them.

    Args:
        tables: As they are.
        name: Of a statement.
        values: As `ServedTables.statement` takes them.
        also: What else the statement selects.
        expressions: As `ServedTables.statement` takes them.
    """
    assert tables.features is not None, "the statement reads it"
    of_table = Tables.of_schema().features.c
    types = {name: of_table[name].type for name in [*schema.KEY, *schema.FEATURES]} | dict(also)
    rows = tables.statement(name, values, **expressions).columns(**types).subquery("found")
    query = sa.select(*(rows.c[name] for name in types))
    plain = tables.features.are_plain
    return reading.feature_rows(tables.database, query, tables.singles, connectorx=plain)

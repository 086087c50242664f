"""The features of a day's answers: as they were scored, and as the feature store has them."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from credit_ct_dagster.days import days_before
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.partitions import base_dates_after, day_after
from credit_ct_dagster.resources.feature_store import reading
from credit_ct_dagster.resources.feature_store.arrow import TEXT, WHOLE, checksum
from credit_ct_dagster.resources.feature_store.served import columns, documents
from credit_ct_dagster.resources.feature_store.served.joined import day_of_features
from credit_ct_dagster.resources.feature_store.served.keys import is_among
from credit_ct_dagster.resources.feature_store.served.labels import is_dated
from credit_ct_dagster.resources.feature_store.served.samples import (
    OF_CUSTOMERS,
    cut_for,
    sampled,
)
from credit_ct_dagster.resources.feature_store.served.tables import ServedTables
from credit_ct_dagster.resources.feature_store.tables import Tables

if TYPE_CHECKING:  # half a second to import, which only reading needs
    import numpy as np
    import pandas as pd
    import pyarrow as pa

_DATE, _FEATURES_DAY = "feature_date", "feature_day"
_LOGGED = {columns.KEY: TEXT, schema.CUSTOMER: TEXT, _DATE: TEXT, "features": TEXT}
_REQUEST = [columns.KEY, schema.CUSTOMER, _FEATURES_DAY]
_TYPES = {name: columns.type_of(name) for name in columns.FEATURES}
_LISTED = 10_000
"""Customers in one statement: few enough for a server to look each up in an index."""
_STORED_DAYS = 31


class BesideTheStore(NamedTuple):
    """Features of requests as they were served, and as the feature store has them.

    Attributes:
        served: Columns `schema.FEATURES`: what JSON holds, as objects (a number, a text, None);
            None also where the request was logged without the feature. Its index are request ids.
        stored: The same columns and index: numbers as float64 with NaN for NULL, words as objects
            with None, as the pipeline reads them.
        customers: The customer of each row, with the same index.
        without_row: How many of the requests that were looked at have a customer without a row of
            features for that time; they are in neither frame.
        without_customer: How many requests of the whole day name no customer.
        requests: How many requests of the whole day there were.
    """

    served: "pd.DataFrame"
    stored: "pd.DataFrame"
    customers: "pd.Series"
    without_row: int
    without_customer: int
    requests: int


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


def beside_the_store(tables: ServedTables, day: str, most_rows: int) -> BesideTheStore:
    """See `ServedAnswers.beside_the_store`."""
    if not tables.has_log:
        nothing = dict.fromkeys(schema.FEATURES, ())
        return _beside(
            columns.without_rows(_REQUEST), nothing, columns.without_rows(schema.FEATURES)
        )
    types = {"requests": WHOLE, "of_customers": WHOLE}
    (counts,) = tables.read("number_of_requests", types, tables.of_day(day)).to_pylist()
    of_customers = {"may_be_of_nobody": OF_CUSTOMERS}
    cut = cut_for(tables, day, most_rows, scores=False, **of_customers)
    logged = _logged(tables, day, cut, **of_customers)
    found = logged.select([columns.KEY, schema.CUSTOMER]).to_pandas()
    found[_FEATURES_DAY] = day_of_features(logged[_DATE], day).to_pandas()
    requests = sampled(found, most_rows).sort_values(columns.KEY)
    stored = _stored(tables, requests)
    rows = _newest(requests, stored)
    has_row = rows >= 0
    served = logged["features"].take(requests.index[has_row].to_numpy())
    return _beside(
        requests[has_row],
        documents.values_of(served, schema.NUMERIC, schema.WORDS),
        stored.iloc[rows[has_row]],
        without_row=int((~has_row).sum()),
        without_customer=counts["requests"] - counts["of_customers"],
        requests=counts["requests"],
    )


def _beside(
    asked: "pd.DataFrame",
    served: Mapping[str, Sequence[Any]],
    stored: "pd.DataFrame",
    /,
    **counts: int,
) -> BesideTheStore:
    import pandas as pd

    index = pd.Index(asked[columns.KEY], dtype=object, name=columns.KEY)
    return BesideTheStore(
        served=pd.DataFrame(
            {name: pd.Series(served[name], index, dtype=object) for name in schema.FEATURES}
        ),
        stored=stored[schema.FEATURES].set_axis(index),
        customers=asked[schema.CUSTOMER].set_axis(index),
        **{"without_row": 0, "without_customer": 0, "requests": 0} | counts,
    )


def _requested(tables: ServedTables, day: str, cut: int) -> "pd.DataFrame":
    """The features of requests, as they were scored."""
    import pandas as pd

    logged = _logged(tables, day, cut)
    values = documents.parsed(logged["features"], schema.NUMERIC, schema.WORDS).to_pandas()
    keys = logged.select([columns.KEY, schema.CUSTOMER]).to_pandas()
    found = pd.concat([keys, values], axis=1).assign(**{columns.SOURCE: columns.REQUEST})
    return found[columns.FEATURES].astype(_TYPES)


def _scored(tables: ServedTables, day: str, cut: int) -> "pd.DataFrame":
    """The features of scores, as the feature store has them now."""
    values = tables.of_day(day) | {"cut": cut}
    # ConnectorX reads SQLite by functions of its own: there, the sample is taken afterwards.
    sample = {} if tables.database.file else tables.sample("score")
    rows = _rows(tables, "scored_features", values, **sample).drop_duplicates(schema.KEY)
    customers = rows[schema.CUSTOMER]
    hashes = customers.map({each: checksum(each) for each in customers.unique()})
    rows = rows[hashes < cut]
    keys = rows["id"] + "|" + rows[schema.CUSTOMER] + "|" + rows["date"]
    found = rows.assign(**{columns.SOURCE: columns.BATCH, columns.KEY: keys})
    return found[columns.FEATURES].astype(_TYPES)


def _logged(tables: ServedTables, day: str, cut: int, **expressions: str) -> "pa.Table":
    """The requests of a day whose hashes are below the cut, with their features as documents."""
    values, sample = tables.of_day(day) | {"cut": cut}, tables.sample("request")
    return tables.read("logged_features", _LOGGED, values, **sample, **expressions)


def _stored(tables: ServedTables, requests: "pd.DataFrame") -> "pd.DataFrame":
    """The rows of features that the customers of some requests have around their days."""
    import pandas as pd

    if tables.features is None or requests.empty:
        return columns.without_rows([*schema.KEY, *schema.FEATURES])
    first = days_before(requests[_FEATURES_DAY].min(), _STORED_DAYS)
    last = requests[_FEATURES_DAY].max()
    values: dict[str, object] = {
        "window_start": first,
        "window_after": day_after(last),
        "window_days": [first, *base_dates_after(first, last)],
    }
    customers = sorted(requests[schema.CUSTOMER].unique())
    frames = [
        _rows(
            tables,
            "features_of_customers",
            values,
            feature_is_among=is_among(tables.features, "feature", customers[n : n + _LISTED]),
        )
        for n in range(0, len(customers), _LISTED)
    ]
    return pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0]


def _newest(requests: "pd.DataFrame", stored: "pd.DataFrame") -> "np.ndarray":
    """For each request the number of its customer's row of features, -1 where there is none."""
    import numpy as np

    rows_of = defaultdict[str, list[tuple[str, str, int]]](list)
    keys = zip(stored[schema.CUSTOMER], stored["date"], stored["id"], strict=True)
    dated = {day for day in stored["date"].unique() if is_dated(day)}
    for row, (customer, day, name) in enumerate(keys):
        if day in dated:
            rows_of[customer].append((day, name, row))
    for each in rows_of.values():
        each.sort()
    earliest = {day: days_before(day, _STORED_DAYS) for day in requests[_FEATURES_DAY].unique()}
    found = []
    for customer, day in zip(requests[schema.CUSTOMER], requests[_FEATURES_DAY], strict=True):
        rows = rows_of.get(customer, [])
        place = bisect_right(rows, day, key=itemgetter(0)) - 1
        is_recent = place >= 0 and rows[place][0] >= earliest[day]
        found.append(rows[place][-1] if is_recent else -1)
    return np.array(found, dtype="int64")


def _rows(
    tables: ServedTables, name: str, values: Mapping[str, object], **expressions: str
) -> "pd.DataFrame":
    """Rows of the feature table with their keys, as the pipeline reads them."""
    assert tables.features is not None, "the statement reads it"
    of_table = Tables.of_schema().features.c
    types = {name: of_table[name].type for name in [*schema.KEY, *schema.FEATURES]}
    rows = tables.statement(name, values, **expressions).columns(**types).subquery("found")
    query = sa.select(*(rows.c[name] for name in types))
    plain = tables.features.are_plain
    return reading.feature_rows(tables.database, query, tables.singles, connectorx=plain)

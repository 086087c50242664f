"""The features of a day's requests beside the rows that the feature store had for them."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, islice
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from credit_ct_dagster.days import days_before
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.watching import columns
from credit_ct_dagster.partitions import base_dates_after, day_after
from credit_ct_dagster.resources.feature_store.arrow import WHOLE
from credit_ct_dagster.resources.feature_store.served import documents
from credit_ct_dagster.resources.feature_store.served.features import (
    ANSWERED_AT,
    DATE,
    logged_features,
    rows_of_features,
)
from credit_ct_dagster.resources.feature_store.served.joined import day_of_features
from credit_ct_dagster.resources.feature_store.served.keys import is_among
from credit_ct_dagster.resources.feature_store.served.labels import is_dated
from credit_ct_dagster.resources.feature_store.served.samples import (
    OF_CUSTOMERS,
    cut_for,
    sampled,
)
from credit_ct_dagster.resources.feature_store.served.tables import ServedTables

if TYPE_CHECKING:  # half a second to import, which only reading needs
    import numpy as np
    import pandas as pd

_FEATURES_DAY, _SEEN_AT = "feature_day", "seen_at"
_REQUEST = [columns.KEY, schema.CUSTOMER, _FEATURES_DAY, ANSWERED_AT]
_LISTED = 10_000
"""Customers in one statement: few enough for a server to look each up in an index."""
_STORED_DAYS = 31
_OLDER = 3


class BesideTheStore(NamedTuple):
    """Features of requests as they were served, and as the feature store has them.

    Attributes:
        served: Columns `schema.FEATURES`: what JSON holds, as objects (a number, a text, None);
            None also where the request was logged without the feature. Its index are request ids.
        stored: The same columns and index: numbers as float64 with NaN for NULL, words as objects
            with None, as the pipeline reads them.
        customers: The customer of each row, with the same index.
        later: As `stored`, of requests whose customer has a newer row for that time, which the
            ledger of arrivals first saw after the answer. It may see a row an hour after it came.
        older: As `stored`: the row before that one, the row before that, and so on, each of the
            requests that have one.
        without_row: How many of the requests that were looked at have a customer without a row of
            features for that time; they are in no frame.
        not_known_then: Of how many the store has only rows that the ledger first saw after the
            answer, or one that was changed since; they are in no frame.
        without_customer: How many requests of the whole day name no customer.
        requests: How many requests of the whole day there were.
    """

    served: "pd.DataFrame"
    stored: "pd.DataFrame"
    customers: "pd.Series"
    later: "pd.DataFrame"
    older: "Sequence[pd.DataFrame]"
    without_row: int
    not_known_then: int
    without_customer: int
    requests: int


def beside_the_store(tables: ServedTables, day: str, most_rows: int) -> BesideTheStore:
    """See `ServedAnswers.beside_the_store`."""
    if not tables.has_log:
        nothing = dict.fromkeys(schema.FEATURES, ())
        return _beside(
            columns.without_rows(_REQUEST),
            nothing,
            columns.without_rows(schema.FEATURES),
            _places([]),
        )
    types = {"requests": WHOLE, "of_customers": WHOLE}
    (counts,) = tables.read("number_of_requests", types, tables.of_day(day)).to_pylist()
    of_customers = {"may_be_of_nobody": OF_CUSTOMERS}
    cut = cut_for(tables, day, most_rows, scores=False, **of_customers)
    logged = logged_features(tables, day, cut, **of_customers)
    found = logged.select([columns.KEY, schema.CUSTOMER, ANSWERED_AT]).to_pandas()
    found[_FEATURES_DAY] = day_of_features(logged[DATE], day).to_pandas()
    requests = sampled(found, most_rows).sort_values(columns.KEY)
    stored = _stored(tables, requests)
    places = _places(_rows_for(requests, stored))
    known, later = places[:, 0], places[:, 1]
    is_known = known >= 0
    served = logged["features"].take(requests.index[is_known].to_numpy())
    return _beside(
        requests[is_known],
        documents.values_of(served, schema.NUMERIC, schema.WORDS),
        stored,
        places[is_known],
        without_row=int((~is_known & (later < 0)).sum()),
        not_known_then=int((~is_known & (later >= 0)).sum()),
        without_customer=counts["requests"] - counts["of_customers"],
        requests=counts["requests"],
    )


def _beside(
    asked: "pd.DataFrame",
    served: Mapping[str, Sequence[Any]],
    stored: "pd.DataFrame",
    places: "np.ndarray",
    /,
    **counts: int,
) -> BesideTheStore:
    import pandas as pd

    index = pd.Index(asked[columns.KEY], dtype=object, name=columns.KEY)
    known, later, *older = (
        stored[schema.FEATURES].iloc[each[each >= 0]].set_axis(index[each >= 0])
        for each in places.T
    )
    return BesideTheStore(
        served=pd.DataFrame(
            {name: pd.Series(served[name], index, dtype=object) for name in schema.FEATURES}
        ),
        stored=known,
        customers=asked[schema.CUSTOMER].set_axis(index),
        later=later,
        older=older,
        **dict.fromkeys(("without_row", "not_known_then", "without_customer", "requests"), 0)
        | counts,
    )


def _stored(tables: ServedTables, requests: "pd.DataFrame") -> "pd.DataFrame":
    """The rows of features that the customers of some requests have around their days."""
    import pandas as pd

    if tables.features is None or requests.empty:
        return columns.without_rows([*schema.KEY, *schema.FEATURES]).assign(**{_SEEN_AT: 0})
    first = days_before(requests[_FEATURES_DAY].min(), _STORED_DAYS)
    last = requests[_FEATURES_DAY].max()
    values: dict[str, object] = {
        "window_start": first,
        "window_after": day_after(last),
        "window_days": [first, *base_dates_after(first, last)],
    }
    customers = sorted(requests[schema.CUSTOMER].unique())
    frames = [
        rows_of_features(
            tables,
            "features_of_customers",
            values,
            {_SEEN_AT: sa.BigInteger()},
            feature_is_among=is_among(tables.features, "feature", customers[n : n + _LISTED]),
        )
        for n in range(0, len(customers), _LISTED)
    ]
    return pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0]


class _Row(NamedTuple):
    """A row of features.

    Attributes:
        day: Its date.
        name: Its id.
        place: Its number.
        came: When the ledger first saw it, in microseconds since 1970; 0: before anybody asked.
        changed: When the ledger last saw another state of it.
    """

    day: str
    name: str
    place: int
    came: int
    changed: int


def _rows_for(requests: "pd.DataFrame", stored: "pd.DataFrame") -> Iterator[list[int]]:
    """For each request the numbers of rows of its customer, -1 where there is none.

    That which the store had as it is now, a newer one that came later, and `_OLDER` older ones.
    """
    rows_of = _by_customer(stored)
    earliest = {day: days_before(day, _STORED_DAYS) for day in requests[_FEATURES_DAY].unique()}
    asked = (requests[name] for name in (schema.CUSTOMER, _FEATURES_DAY, ANSWERED_AT))
    for customer, day, answered_at in zip(*asked, strict=True):
        rows = rows_of.get(customer, [])
        since = bisect_left(rows, earliest[day], key=attrgetter("day"))
        until = bisect_right(rows, day, key=attrgetter("day"))
        newest_first = [rows[place] for place in range(until - 1, since - 1, -1)]
        came = [row for row in newest_first if row.came <= answered_at]
        is_known = bool(came) and came[0].changed <= answered_at
        is_later = bool(newest_first) and not (is_known and came[0] is newest_first[0])
        older = [row.place for row in islice(came, 1, 1 + _OLDER)]
        yield [
            came[0].place if is_known else -1,
            newest_first[0].place if is_later else -1,
            *older,
            *[-1] * (_OLDER - len(older)),
        ]


def _by_customer(stored: "pd.DataFrame") -> dict[str, list[_Row]]:
    """The rows of each customer, the oldest first; of those of one day, the highest id last."""
    lines_of = defaultdict[str, list[tuple[str, str, int, int]]](list)
    dated = {day for day in stored[schema.DATE].unique() if is_dated(day)}
    read = (stored[name] for name in (schema.CUSTOMER, schema.DATE, schema.ID, _SEEN_AT))
    for place, (customer, day, name, seen_at) in enumerate(zip(*read, strict=True)):
        if day in dated:
            lines_of[customer].append((day, name, seen_at, place))
    found = defaultdict[str, list[_Row]](list)
    for customer, lines in lines_of.items():
        for _, each in groupby(sorted(lines), itemgetter(0, 1)):
            states = list(each)
            day, name, changed, place = states[-1]
            found[customer].append(_Row(day, name, place, came=states[0][2], changed=changed))
    return found


def _places(rows: "Iterator[list[int]] | list[list[int]]") -> "np.ndarray":
    """An array of shape (requests, 2 + `_OLDER`)."""
    import numpy as np

    return np.array([*rows], dtype="int64").reshape(-1, 2 + _OLDER)

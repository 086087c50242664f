"""A sample of a day's answers by their customers: the same customers every day, whole."""

from typing import TYPE_CHECKING

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.watching import columns
from credit_ct_dagster.resources.feature_store.arrow import WHOLE, checksum
from credit_ct_dagster.resources.feature_store.served.tables import ServedTables

if TYPE_CHECKING:  # half a second to import, which only reading needs
    import pandas as pd

_BUCKET = 1 << 16
_ALL = 1 << 32
OF_CUSTOMERS = f"prediction.{schema.CUSTOMER} IS NOT NULL"
"""Leaves out requests that name no customer."""


def cut_for(
    tables: ServedTables, day: str, most_rows: int, *, scores: bool = True, **expressions: str
) -> int:
    """Below which hash of the customer answers are read, so that they are about `most_rows`.

    Args:
        tables: As they are.
        day: The prediction day.
        most_rows: How many are wanted; at least one customer's are read, however many they are.
        scores: Whether scores are wanted, and not requests only.
        expressions: As `ServedTables.statement` takes them.
    """
    found: dict[int, int] = {}
    types = {"bucket": WHOLE, columns.ROWS: WHOLE}
    for name, exist in (
        ("hashes_of_requests", tables.has_log),
        ("hashes_of_scores", tables.has_scores and scores),
    ):
        if not exist:
            continue
        counts = tables.read(name, types, tables.of_day(day), **expressions)
        for bucket, rows in zip(*(counts[each].to_pylist() for each in types), strict=True):
            found[bucket] = found.get(bucket, 0) + rows
    total = 0
    for bucket, rows in sorted(found.items()):
        if total and total + rows > most_rows:
            return bucket * _BUCKET
        total += rows
    return _ALL


def sampled(frame: "pd.DataFrame", most_rows: int) -> "pd.DataFrame":
    """The answers of the customers with the lowest hashes; of a single one that has more, some.

    Args:
        frame: Columns `key` and that of the customer, among others; a request without a customer
            counts as one of its own.
        most_rows: How many rows to return at most; as many customers as are whole within it.
    """
    import numpy as np

    if len(frame) <= most_rows:
        return frame
    customers = frame[schema.CUSTOMER].where(frame[schema.CUSTOMER].notna(), frame[columns.KEY])
    hashes = customers.map({each: checksum(each) for each in customers.unique()}).to_numpy()
    order = np.lexsort((frame[columns.KEY].to_numpy(str), customers.to_numpy(str), hashes))
    ordered = customers.to_numpy()[order]
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)) + 1
    whole = ends[ends <= most_rows]
    return frame.iloc[np.sort(order[: whole[-1] if len(whole) else most_rows])]

"""Which label belongs to an answer; see `ServedAnswers`."""

from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, TypeGuard

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.partitions import day_after, exists
from credit_ct_dagster.resources.feature_store.arrival_lines import stored
from credit_ct_dagster.resources.feature_store.arrow import TEXT
from credit_ct_dagster.resources.feature_store.served.tables import ServedTables

if TYPE_CHECKING:  # half a second to import, which only reading needs
    import numpy as np
    import pyarrow as pa

_TYPES = {schema.ID: TEXT, schema.CUSTOMER: TEXT, "day": TEXT, "label": TEXT}
_DAYS = 1 << 22
"""More than any day's number: a customer's number times this, plus a day, is in one order."""


def is_dated(day: str | None) -> TypeGuard[str]:
    """Whether a date is a day of the calendar, and none that stands for an unknown one.

    Such as 9999-12-31, which has no days after it.
    """
    return day is not None and "1900" < day < "9000" and exists(day)


def read_labels(
    tables: ServedTables,
    days: Collection[str],
    label_days: int,
    known_at: datetime | None,
    cut: int | None,
) -> "pa.Table":
    """The labels that answers can have: columns of the id and the customer, `day` and `label`.

    Args:
        tables: As they are.
        days: The days of the answers' features.
        label_days: How many days later a label may be dated.
        known_at: Hides labels that the ledger of arrivals first saw later.
        cut: Only of customers whose hash is below. [default: of all]
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    windows = sorted({later for day in days for later in _window(day, label_days)})
    if tables.labels is None or not windows:
        return pa.table({name: pa.array([], pa.large_string()) for name in _TYPES})
    values: dict[str, object] = {
        "window_start": windows[0],
        "window_after": day_after(windows[-1]),
        "window_days": windows,
    }
    wanted = {} if cut is None else tables.sample("label")
    if known_at is not None:
        wanted["label_is_known"] = tables.label_is_known
        values["known_at"] = stored(known_at)
    found = tables.read("labels", _TYPES, values | {"cut": cut}, **wanted)
    # Whatever the collation, and the day of a date that the server made of a text.
    usable = pc.and_(
        pc.is_in(found["label"], pa.array(schema.CLASSES, pa.large_string())),
        pc.is_in(found["day"], pa.array(windows, pa.large_string())),
    )
    return found.filter(usable)


def labels_of(
    customers: "pa.ChunkedArray", days: "np.ndarray", labels: "pa.Table", label_days: int
) -> tuple["pa.ChunkedArray", "pa.ChunkedArray"]:
    """The label of each answer and its date, null where there is none.

    Args:
        customers: Of the answers; null belongs to nobody.
        days: Of their features, as ordinals.
        labels: As `read_labels` returns them.
        label_days: How many days later a label may be dated.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    both = pa.chunked_array(
        [*customers.chunks, *labels[schema.CUSTOMER].chunks], pa.large_string()
    ).combine_chunks()
    codes = both.dictionary_encode().indices.fill_null(-1).to_numpy().astype("int64")
    of_answers, of_labels = codes[: len(customers)], codes[len(customers) :]
    places = of_labels * _DAYS + ordinals(labels["day"])
    order = _order(places, labels[schema.ID])
    places = places[order]
    wanted = of_answers * _DAYS + days
    first = np.searchsorted(places, wanted)
    found = first < len(places)
    found[found] = places[first[found]] <= wanted[found] + label_days
    found &= of_answers >= 0
    rows = np.where(found, order[np.where(found, first, 0)] if len(order) else 0, 0)
    taken = pa.array(rows, pa.int64(), mask=~found)
    return pc.take(labels["label"], taken), pc.take(labels["day"], taken)


def ordinals(days: "pa.ChunkedArray", default: str | None = None) -> "np.ndarray":
    """Days as numbers, of texts `YYYY-MM-DD`.

    Args:
        days: The texts.
        default: Stands for what is null or no day of the calendar.
    """
    import pyarrow as pa

    encoded = pa.chunked_array(days.chunks, days.type).combine_chunks().dictionary_encode()
    fallback = 0 if default is None else date.fromisoformat(default).toordinal()
    numbers = [
        date.fromisoformat(day).toordinal() if is_dated(day) else fallback
        for day in encoded.dictionary.to_pylist()
    ]
    import numpy as np

    # The last one stands for null.
    return np.array([*numbers, fallback], dtype="int64")[encoded.indices.fill_null(-1).to_numpy()]


def _order(places: "np.ndarray", ids: "pa.ChunkedArray") -> "np.ndarray":
    """The order by customer and day; of those with the same ones, the highest id first."""
    import numpy as np

    order = np.argsort(places, kind="stable")
    same = places[order][1:] == places[order][:-1]
    if not same.any():
        return order
    tied = order[np.append(same, False) | np.append(False, same)]
    rank = np.zeros(len(places), dtype="int64")
    # Texts are compared by code points, as their bytes in UTF-8 are.
    names = np.array(ids.take(tied).to_pylist(), dtype=object)
    rank[tied] = np.unique(names, return_inverse=True)[1]
    return np.lexsort((-rank, places))


def _window(day: str, label_days: int) -> list[str]:
    first = date.fromisoformat(day)
    return [(first + timedelta(days=later)).isoformat() for later in range(label_days + 1)]

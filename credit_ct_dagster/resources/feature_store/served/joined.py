"""The answers of a day, with their labels."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.watching import columns
from credit_ct_dagster.resources.feature_store.arrow import NUMBER, TEXT, WHOLE, checksum
from credit_ct_dagster.resources.feature_store.served import documents
from credit_ct_dagster.resources.feature_store.served.labels import (
    is_dated,
    labels_of,
    ordinals,
    read_labels,
)
from credit_ct_dagster.resources.feature_store.served.samples import cut_for, sampled
from credit_ct_dagster.resources.feature_store.served.tables import ServedTables

if TYPE_CHECKING:  # half a second to import, which only reading needs
    import pandas as pd
    import pyarrow as pa

_DATE = "feature_date"
_LISTED = 2_000
"""Keys in one statement: few enough for a server to look each up in an index."""
_FEATURES_DAY = "feature_day"
_OF_REQUESTS = {
    columns.KEY: TEXT, columns.CUSTOMER: TEXT, _DATE: TEXT, columns.MODEL_TAG: TEXT,
    columns.PREDICTED: TEXT, "probabilities": TEXT, **dict.fromkeys(schema.GROUPED, TEXT),
    columns.LATENCY: NUMBER, "answered_at": WHOLE,
}  # fmt: skip
_OF_SCORES = {
    schema.ID: TEXT, columns.CUSTOMER: TEXT, _DATE: TEXT, columns.MODEL_TAG: TEXT,
    columns.PREDICTED: TEXT, **dict.fromkeys(columns.PROBABILITIES, NUMBER),
    **{name: NUMBER if name in schema.NUMERIC else TEXT for name in schema.GROUPED},
}  # fmt: skip


def answers_of_day(
    tables: ServedTables,
    day: str,
    label_days: int,
    known_at: datetime | None,
    most_rows: int | None,
) -> "pd.DataFrame":
    """See `ServedAnswers.of_day`."""
    cut = None if most_rows is None else cut_for(tables, day, most_rows)
    values = tables.of_day(day) | {"cut": cut}
    requests, scores = ({} if cut is None else tables.sample(name) for name in ("request", "score"))
    parts = [*_scores(tables, day, values, scores), *_requests(tables, day, values, requests)]
    frame = _labelled(tables, parts, label_days, known_at, cut)[columns.ANSWERS]
    return frame if most_rows is None else sampled(frame, most_rows).reset_index(drop=True)


def answers_of_keys(
    tables: ServedTables, keys: "pd.DataFrame", label_days: int, known_at: datetime | None
) -> "pd.DataFrame":
    """See `ServedAnswers.of_keys`."""
    parts: list[pa.Table] = []
    for (day, source), group in keys.groupby([columns.DAY, columns.SOURCE]):
        wanted = sorted(set(group[columns.KEY]))
        for start in range(0, len(wanted), _LISTED):
            listed = wanted[start : start + _LISTED]
            if source == columns.REQUEST:
                among = tables.is_among("prediction.request_id", listed)
                sample = {"request_in_sample": among}
                parts += _requests(tables, day, tables.of_day(day), sample)
            else:
                ids = sorted({each for key in listed for each in _ids_of(key)})
                among = tables.is_among(f"score.{schema.ID}", ids)
                sample = {"score_in_sample": among}
                parts += _of_keys(_scores(tables, day, tables.of_day(day), sample), listed)
    customers = {each for part in parts for each in part[columns.CUSTOMER].to_pylist() if each}
    cut = 1 + max((checksum(each) or 0 for each in customers), default=0)
    frame = _labelled(tables, parts, label_days, known_at, cut)
    return frame.sort_values([columns.DAY, columns.SOURCE, columns.KEY], ignore_index=True)


def _labelled(
    tables: ServedTables,
    parts: "list[pa.Table]",
    label_days: int,
    known_at: datetime | None,
    cut: int | None,
) -> "pd.DataFrame":
    """Answers with their labels, and the day of each."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not parts:
        return columns.without_rows([columns.DAY, *columns.ANSWERS])
    whole = pa.concat_tables(parts)
    parts.clear()
    labels = read_labels(
        tables, pc.unique(whole[_FEATURES_DAY]).to_pylist(), label_days, known_at, cut
    )
    found = labels_of(whole[columns.CUSTOMER], ordinals(whole[_FEATURES_DAY]), labels, label_days)
    for name, column in zip((columns.LABEL, columns.LABEL_DATE), found, strict=True):
        whole = whole.append_column(name, column)
    return _frame(whole)


def _ids_of(key: str) -> Iterator[str]:
    """What the id in a key `id|customer_id|date` can be: either may contain the sign."""
    parts = key.split("|")
    return ("|".join(parts[:end]) for end in range(1, len(parts) - 1))


def _of_keys(parts: "list[pa.Table]", keys: Sequence[str]) -> "list[pa.Table]":
    """Without the other scores of the same ids."""
    import pyarrow as pa
    import pyarrow.compute as pc

    wanted = pa.array(keys, pa.large_string())
    return [part.filter(pc.is_in(part[columns.KEY], wanted)) for part in parts]


def day_of_features(dates: "pa.ChunkedArray", day: str) -> "pa.Array":
    """The day that the features of each answer are of: the prediction day where it is unknown."""
    import pyarrow as pa

    return decoded(dates, lambda date: date if is_dated(date) else day, pa.large_string())


def decoded(
    column: "pa.ChunkedArray", convert: Callable[[str | None], Any], kind: "pa.DataType"
) -> "pa.Array":
    """A column converted, value by value, as it has few different ones."""
    import pyarrow as pa
    import pyarrow.compute as pc

    encoded = pa.chunked_array(column.chunks, column.type).combine_chunks().dictionary_encode()
    values = pa.array([*map(convert, encoded.dictionary.to_pylist()), convert(None)], kind)
    return values.take(pc.fill_null(encoded.indices, len(values) - 1))


def _requests(
    tables: ServedTables, day: str, values: Mapping[str, object], sample: Mapping[str, str]
) -> "list[pa.Table]":
    """The answers to requests, without labels; no table if there are none."""
    import pyarrow as pa

    if not tables.has_log:
        return []
    found = tables.read("requests_of_day", _OF_REQUESTS, values, **sample)
    if not found.num_rows:
        return []
    probabilities = documents.parsed(found["probabilities"], schema.CLASSES, ())
    return [
        _sorted(
            {
                columns.DAY: pa.repeat(day, found.num_rows),
                columns.SOURCE: pa.repeat(columns.REQUEST, found.num_rows),
                columns.KEY: found[columns.KEY],
                columns.CUSTOMER: found[columns.CUSTOMER],
                columns.MODEL_TAG: found[columns.MODEL_TAG],
                columns.PREDICTED: found[columns.PREDICTED],
                **{columns.PROBABILITY_OF[name]: probabilities[name] for name in schema.CLASSES},
                **{name: _logged(found[name], name) for name in schema.GROUPED},
                columns.LATENCY: found[columns.LATENCY],
                columns.TIME: found["answered_at"].cast(pa.timestamp("us")),
                _FEATURES_DAY: day_of_features(found[_DATE], day),
            }
        )
    ]


def _logged(values: "pa.ChunkedArray", name: str) -> "pa.ChunkedArray | pa.Array":
    """The values of a feature in the documents of the log."""
    import pyarrow as pa

    return decoded(values, documents.number_of, pa.float64()) if name in schema.NUMERIC else values


def _scores(
    tables: ServedTables, day: str, values: Mapping[str, object], sample: Mapping[str, str]
) -> "list[pa.Table]":
    """The scores of a base date, without labels; no table if there are none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not tables.has_scores:
        return []
    found = tables.read("scores_of_day", _OF_SCORES, values, **sample)
    if not found.num_rows:
        return []
    rows = found.num_rows
    between = pa.scalar("|", pa.large_string())
    parts_of_key = (found[name] for name in (schema.ID, columns.CUSTOMER, _DATE))
    keys = pc.binary_join_element_wise(*parts_of_key, between)
    part = _sorted(
        {
            columns.DAY: pa.repeat(day, rows),
            columns.SOURCE: pa.repeat(columns.BATCH, rows),
            columns.KEY: keys,
            **{name: found[name] for name in (columns.CUSTOMER, columns.MODEL_TAG)},
            columns.PREDICTED: found[columns.PREDICTED],
            **{name: found[name] for name in columns.PROBABILITIES},
            **{name: found[name] for name in schema.GROUPED},
            columns.LATENCY: pa.nulls(rows, pa.float64()),
            columns.TIME: pa.nulls(rows, pa.timestamp("us")),
            _FEATURES_DAY: day_of_features(found[_DATE], day),
        }
    )
    return [_once(part)]


def _sorted(given: "dict[str, Any]") -> "pa.Table":
    import pyarrow as pa

    return pa.table(given).sort_by(columns.KEY)


def _once(part: "pa.Table") -> "pa.Table":
    """Each score once, where a table of features without a key has several rows for it."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    keys = part[columns.KEY].combine_chunks()
    repeated = pc.equal(keys[1:], keys[:-1]).to_numpy(zero_copy_only=False)
    if not repeated.any():
        return part
    return part.filter(pa.array(np.append(True, ~repeated)))


def _frame(part: "pa.Table") -> "pd.DataFrame":
    """Texts as objects with None, numbers with NaN, moments with NaT."""
    names = [columns.DAY, *columns.ANSWERS]
    return part.select(names).to_pandas(split_blocks=True, self_destruct=True)

"""JSON documents of the log, as columns: parsed by Arrow where their values are of one type."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # half a second to import, which only reading needs
    import pyarrow as pa


def parsed(
    documents: "pa.ChunkedArray", numbers: Sequence[str], words: Sequence[str]
) -> "pa.Table":
    """The values of JSON objects, one document per row.

    Args:
        documents: Texts; one that is null or no object has no values.
        numbers: Keys whose values become doubles; of a text the number that it spells.
        words: Keys whose values become texts; a number becomes its JSON.

    Returns:
        A column per key, null where a document has no such value; other keys are passed over.
    """
    import pyarrow as pa

    found = _typed(documents, numbers, words)
    if found is not None:
        return found
    objects = objects_of(documents)
    columns = {
        name: pa.array([convert(each.get(name)) for each in objects], kind)
        for names, convert, kind in (
            (numbers, number_of, pa.float64()),
            (words, _word, pa.string()),
        )
        for name in names
    }
    return pa.table(columns)


def values_of(
    documents: "pa.ChunkedArray", numbers: Sequence[str], words: Sequence[str]
) -> dict[str, list[Any]]:
    """The values of JSON objects as they are, by key; None where there is none.

    Args:
        documents: As `parsed` takes them.
        numbers: Keys whose values should be numbers.
        words: Keys whose values should be texts.
    """
    found = _typed(documents, numbers, words)
    if found is not None:  # no value is of another type: nothing was converted
        return {name: found[name].to_pylist() for name in found.column_names}
    objects = objects_of(documents)
    return {name: [each.get(name) for each in objects] for name in (*numbers, *words)}


def objects_of(documents: "pa.ChunkedArray") -> list[dict[str, Any]]:
    """Documents as they are, each with the values that JSON has; one that is no object is empty."""
    loaded = (None if text is None else json.loads(text) for text in documents.to_pylist())
    return [each if isinstance(each, dict) else {} for each in loaded]


def _typed(
    documents: "pa.ChunkedArray", numbers: Sequence[str], words: Sequence[str]
) -> "pa.Table | None":
    """The values as columns; None where any of them is of another type."""
    import pyarrow as pa
    from pyarrow import json as arrow_json

    fields = [pa.field(name, pa.float64()) for name in numbers]
    fields += [pa.field(name, pa.string()) for name in words]
    schema = pa.schema(fields)
    if not len(documents):
        return schema.empty_table()
    options = arrow_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    try:
        found = arrow_json.read_json(pa.BufferReader(_lines(documents)), parse_options=options)
    except pa.ArrowInvalid:
        return None
    return found.select(schema.names) if found.num_rows == len(documents) else None


def _lines(documents: "pa.ChunkedArray") -> "pa.Buffer":
    """One document per line, without an object per document."""
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = pc.fill_null(documents.cast(pa.large_string()), "{}")
    for end in "\n\r":
        # Between values, where a blank means the same: within a text, JSON has to escape it.
        if pc.any(pc.match_substring(texts, end)).as_py():
            texts = pc.replace_substring(texts, end, " ")
    nothing, newline = (pa.scalar(each, pa.large_string()) for each in ("", "\n"))
    lines = pc.binary_join_element_wise(texts, nothing, newline)
    whole = lines.combine_chunks() if isinstance(lines, pa.ChunkedArray) else lines
    _, _, data = whole.buffers()
    return data


def number_of(value: Any) -> float | None:
    """A value as a number, of a text the one that it spells."""
    try:
        return None if value is None or isinstance(value, dict | list) else float(value)
    except ValueError:
        return None


def _word(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)

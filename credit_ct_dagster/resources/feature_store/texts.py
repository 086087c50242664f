"""Rows of a source table as Arrow's texts, which files and statements hold: no object per cell.

A number is the text that is read as exactly that number, an absent value is null.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from credit_ct_dagster.modeling import schema

if TYPE_CHECKING:  # half a second to import, which only reading and writing need
    import pandas as pd
    import pyarrow as pa

_STATEMENT_BYTES = 1_000_000
"""Of the rows of one statement; a server refuses more than its `max_allowed_packet`."""


def texts_of(frame: "pd.DataFrame") -> "pa.Table":
    """The rows of a frame; what pandas takes for missing is null."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = {}
    for name in frame.columns:
        values = frame[name]
        if schema.COLUMNS[name].kind == schema.Kind.number:
            numbers = pd.to_numeric(values).to_numpy("float64", na_value=float("nan"))
            columns[name] = pc.cast(pa.array(numbers, from_pandas=True), pa.string())
            continue
        cells = zip(values, values.isna(), strict=True)
        words = [None if missing else str(word) for word, missing in cells]
        columns[name] = pa.array(words, pa.string())
    return pa.table(columns)


def frame_of(rows: "pa.Table") -> "pd.DataFrame":
    """Rows as a frame: numbers are float64 with NaN, words are objects with None for null."""
    import pandas as pd

    return pd.DataFrame({name: _values(rows, name) for name in rows.column_names})


def records_of(rows: "pa.Table", names: Sequence[str]) -> list[tuple[Any, ...]]:
    """Rows as tuples of the columns named, as a driver takes them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    cells = (
        pc.cast(rows[name], pa.float64()) if name in schema.NUMERIC else rows[name]
        for name in names
    )
    return list(zip(*(each.to_pylist() for each in cells), strict=True))


def literals_of(
    rows: "pa.Table", names: Sequence[str], *, escapes_backslashes: bool
) -> Iterator[str]:
    """Rows as literals of MySQL, `(…),(…)`, in texts that one statement each can hold.

    Args:
        rows: The rows.
        names: Their columns, in the order of the literals.
        escapes_backslashes: Whether the server reads a backslash in a literal as an escape; its
            SQL mode says so.
    """
    import numpy as np
    import pyarrow.compute as pc

    cells = [_literal(rows[name].combine_chunks(), name, escapes_backslashes) for name in names]
    listed = pc.binary_join_element_wise(
        *cells, ",", null_handling="replace", null_replacement="NULL"
    )
    # The data of all rows lies in one piece, which is cut between rows.
    _, offsets_buffer, data = pc.binary_join_element_wise("(", listed, "),", "").buffers()
    offsets = np.frombuffer(offsets_buffer, dtype=np.int32, count=rows.num_rows + 1)
    start = 0
    while start < rows.num_rows:
        fits = int(np.searchsorted(offsets, offsets[start] + _STATEMENT_BYTES, "right")) - 1
        stop = max(fits, start + 1)
        yield str(data[offsets[start] : offsets[stop] - 1], "utf-8")
        start = stop


def _values(rows: "pa.Table", name: str) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    column = rows[name].combine_chunks()
    if schema.COLUMNS[name].kind == schema.Kind.number:
        return pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False)
    return column.to_numpy(zero_copy_only=False)


def _literal(column: "pa.Array", name: str, escapes_backslashes: bool) -> "pa.Array":
    """Each cell as a literal; null stays null."""
    import pyarrow.compute as pc

    data = memoryview(column.buffers()[2] or b"").tobytes()
    if schema.COLUMNS[name].kind == schema.Kind.number:
        # Without an exponent, a literal is a decimal number, which servers round in other ways.
        exact = pc.binary_join_element_wise(column, "e0", "")
        if b"e" not in data:
            return exact
        return pc.if_else(pc.match_substring(column, "e"), column, exact)
    if b"\\" in data and escapes_backslashes:
        column = pc.replace_substring(column, "\\", "\\\\")
    if b"'" in data:
        column = pc.replace_substring(column, "'", "''")
    return pc.binary_join_element_wise("'", column, "'", "")

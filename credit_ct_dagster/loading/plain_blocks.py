"""Blocks of CSV in which nothing needs a second look, parsed and checked by Arrow column by column.

What is taken here is what the careful way takes, with the same values; a block with anything else,
faulty or only unusual, is left to it, because it knows the line and the sentence.
"""

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from credit_ct_dagster.csv_lines import UTF_8_MARK
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.column import WORDS_FOR_MISSING

SEPARATORS = (",", ";", "\t", "|")
LONGEST_LINE = 131_072
"""A cell that is longer is refused by Python's parser."""
_QUOTE, _NEWLINE, _BLANK = b'"'[0], b"\n"[0], b" "[0]
_OTHER_BLANKS = re.compile("[\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")
_NUMBERS = b"0123456789+-.eE"
_DATE_LENGTH = len("2025-01-31")
_MISSING = pa.array(sorted(WORDS_FOR_MISSING))
_CLASSES = pa.array(schema.CLASSES)


def plain_rows(block: bytes, names: Sequence[str], separator: str) -> pa.Table | None:
    """The rows of a block, each on one line, checked.

    Args:
        block: Whole lines.
        names: Of the cells of each line.
        separator: Of the cells.

    Returns:
        A text per cell, null where it is empty; None if the block is not plain.
    """
    if separator not in SEPARATORS:
        return None
    text = _plain_text(block)
    if text is None or not _is_quoted_simply(text, separator):
        return None
    rows = _parsed(text, names, separator)
    if rows is None or rows.num_rows != text.count(b"\n"):
        return None
    columns = {name: _plain(rows[name].combine_chunks(), name) for name in names}
    if any(column is None for column in columns.values()):
        return None
    return pa.table(columns)


def _plain_text(block: bytes) -> bytes | None:
    """The lines with a line feed after each, without empty ones at the end."""
    if block.startswith(UTF_8_MARK) or b"\0" in block:
        return None
    if not block.isascii():
        try:
            if _OTHER_BLANKS.search(block.decode()):
                return None
        except UnicodeDecodeError:
            return None
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n")
        if b"\r" in block:
            return None
    return block.rstrip(b"\n") + b"\n"


def _is_quoted_simply(text: bytes, separator: str) -> bool:
    """Whether quotes surround whole cells and nothing else, and no line is too long for a cell."""
    found = np.frombuffer(text, dtype=np.uint8)
    ends = np.flatnonzero(found == _NEWLINE)
    if np.diff(ends, prepend=-1).max() > LONGEST_LINE:
        return False
    quotes = np.flatnonzero(found == _QUOTE)
    if len(quotes) % 2:
        return False
    opening, closing = quotes[::2], quotes[1::2]
    if len(opening) and opening[0] == 0:
        opening = opening[1:]
    around = np.concatenate([found[opening - 1], found[closing + 1]])
    return bool(((around == ord(separator)) | (around == _NEWLINE)).all())


def _parsed(text: bytes, names: Sequence[str], separator: str) -> pa.Table | None:
    try:
        return csv.read_csv(
            pa.py_buffer(text),
            read_options=csv.ReadOptions(
                column_names=list(names), use_threads=False, block_size=len(text) + 1
            ),
            parse_options=csv.ParseOptions(delimiter=separator, ignore_empty_lines=False),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=True,
                null_values=[""],
            ),
        )
    except pa.ArrowInvalid:
        return None


def _plain(column: pa.Array, name: str) -> pa.Array | None:
    """A column as it is written; None if a cell is not plain."""
    described = schema.COLUMNS[name]
    if described.kind == schema.Kind.number:
        return _plain_numbers(column)
    if name in schema.KEY and column.null_count:
        return None
    offsets, data = _buffers(column)
    filled = np.diff(offsets) > 0
    edges = np.concatenate([data[offsets[:-1][filled]], data[offsets[1:][filled] - 1]])
    if (edges <= _BLANK).any():
        return None
    if described.length is not None and not _fit(column, described.length):
        return None
    if _any(pc.is_in(column, value_set=_MISSING)):
        return None
    if name == schema.TARGET and not _all(pc.is_in(column, value_set=_CLASSES)):
        return None
    if name == schema.DATE and not _are_dates(offsets, data):
        return None
    return column


def _plain_numbers(column: pa.Array) -> pa.Array | None:
    data = _buffers(column)[1].tobytes()
    if data.translate(None, _NUMBERS):
        return None
    try:
        numbers = pc.cast(column, pa.float64())
    except pa.ArrowInvalid:
        return None
    if not _all(pc.is_finite(numbers)):
        return None
    # One way to write an exponent: what reads the text need not know any other.
    return pc.cast(numbers, pa.string()) if b"e" in data.lower() else column


def _fit(column: pa.Array, length: int) -> bool:
    longest = pc.max(pc.binary_length(column)).as_py() or 0
    return longest <= length or pc.max(pc.utf8_length(column)).as_py() <= length


def _are_dates(offsets: np.ndarray, data: np.ndarray) -> bool:
    """Whether all texts are YYYY-MM-DD, of months 1 to 12 and days 1 to 31."""
    if (np.diff(offsets) != _DATE_LENGTH).any():
        return False
    cells = data[offsets[0] : offsets[-1]].reshape(-1, _DATE_LENGTH).astype(np.int16)
    digits = cells[:, [0, 1, 2, 3, 5, 6, 8, 9]] - ord("0")
    month, day = (10 * digits[:, place] + digits[:, place + 1] for place in (4, 6))
    return bool(
        (cells[:, [4, 7]] == ord("-")).all()
        and ((digits >= 0) & (digits <= 9)).all()
        and ((month >= 1) & (month <= 12)).all()
        and ((day >= 1) & (day <= 31)).all()
    )


def _buffers(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Where each text begins, and the bytes of all."""
    _, offsets, data = column.buffers()
    begins = np.frombuffer(offsets, dtype=np.int32)[column.offset :][: len(column) + 1]
    return begins, np.frombuffer(data or b"", dtype=np.uint8)


def _all(found: pa.Array) -> bool:
    """Whether it holds for all, null left out."""
    return bool(pc.all(found, min_count=0).as_py())


def _any(found: pa.Array) -> bool:
    return bool(pc.any(found, min_count=0).as_py())

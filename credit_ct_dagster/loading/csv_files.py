"""Labels and features from CSV files, checked before a row is written.

A file is read twice, in blocks: to check all of it, and to write it. Memory grows by 8 bytes per
row, for keys that occur more than once, and not with what the rows hold.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from credit_ct_dagster.csv_lines import COMMA, CsvLines, Place
from credit_ct_dagster.errors.inputs import FileError
from credit_ct_dagster.loading.cells import check_cells
from credit_ct_dagster.loading.plain_blocks import LONGEST_LINE, plain_rows
from credit_ct_dagster.loading.repeated_keys import KeyHashes, RepeatedKeys, key_hashes
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.resources.feature_store.texts import frame_of, texts_of

_BLOCK_BYTES = 2 * 2**20
_BATCH_ROWS = 5_000
"""Of a block that is not plain."""


class _Batch(NamedTuple):
    """Rows that were checked.

    Attributes:
        rows: As `texts_of` has them.
        lines: On which each begins.
        trimmed: Words and labels that had blanks around them.
    """

    rows: pa.Table
    lines: Sequence[int]
    trimmed: int = 0


@dataclass
class CsvFile:
    """A file of rows of a source table, all of it checked.

    Attributes:
        lines: The file.
        columns: Of the table, those that the file has.
        rows: How many rows are written.
        trimmed: Words and labels that had blanks around them.
        first: The earliest date.
        last: The latest date.
    """

    lines: CsvLines
    columns: Sequence[str] = ()
    rows: int = 0
    trimmed: int = 0
    first: str = ""
    last: str = ""
    _left_out: np.ndarray = field(default_factory=lambda: np.array([], dtype=np.int64))

    @property
    def repeated(self) -> int:
        """Rows that repeat an earlier one, and are left out."""
        return len(self._left_out)

    def batches(self) -> Iterator[pa.Table]:
        """The rows to write, in the order of the file, no key twice.

        Raises:
            FileError: The file changed since it was checked.
        """
        start, expected = 0, self.rows + self.repeated
        for batch in _checked_batches(self.lines):
            rows, stop = batch.rows, start + len(batch.lines)
            if stop > expected:
                start = stop
                break
            begin, end = np.searchsorted(self._left_out, [start, stop])
            if begin < end:
                is_written = np.ones(stop - start, dtype=bool)
                is_written[self._left_out[begin:end] - start] = False
                rows = rows.filter(pa.array(is_written))
            start = stop
            yield rows
        if start != expected:
            raise FileError(
                f"{self.lines.path} changed while it was loaded. Load it again when it is complete."
            )

    def frame(self) -> pd.DataFrame:
        """All rows at once; numbers are float64, an empty cell is None or NaN."""
        return pd.concat(map(frame_of, self.batches()), ignore_index=True)


def check_labels(path: Path, separator: str = COMMA) -> CsvFile:
    """Check a file of labels.

    Args:
        path: A CSV file, either with a header naming the columns in any order, or without one and
            in the order of the table.
        separator: Of its cells.

    Raises:
        FileError: The file, the header, a line or a cell is not usable; names file and line.
    """
    return _check(CsvLines(path, schema.LABEL_COLUMNS, [], separator))


def check_features(path: Path, separator: str = COMMA) -> CsvFile:
    """Check a file of features; see `check_labels`.

    A header may leave out personal data, which then stays unchanged.
    """
    return _check(CsvLines(path, schema.FEATURE_COLUMNS, schema.PERSONAL, separator))


def _check(lines: CsvLines) -> CsvFile:
    file, keys = CsvFile(lines), KeyHashes()
    for batch in _checked_batches(lines):
        keys.add(batch.rows)
        file.columns = batch.rows.column_names
        file.rows += len(batch.lines)
        file.trimmed += batch.trimmed
        dates = pc.min_max(batch.rows[schema.DATE]).as_py()
        file.first = min(file.first or dates["min"], dates["min"])
        file.last = max(file.last, dates["max"])
    if not file.columns:
        raise FileError(f"{lines.path} has a header, but no rows.")
    repeated = keys.repeated()
    if len(repeated):
        file._left_out = _repetitions(lines, repeated)
        file.rows -= file.repeated
    return file


def _checked_batches(lines: CsvLines) -> Iterator[_Batch]:
    with lines.opened() as binary:
        place = Place()
        with closing(lines.rows_from(binary, place)) as rows:
            first = next(rows, None)
        header = lines.header_of(first)
        names = header or list(lines.columns)
        if header is None and first is not None:
            lines.require_complete(*first, names)
            yield _careful(lines, names, [first])
        while block := _read(lines, binary, place):
            # Only the end of the file may lack the end of a line.
            is_whole = block.endswith(b"\n") or len(block) < _BLOCK_BYTES
            plain = plain_rows(block, names, lines.separator) if is_whole else None
            if plain is None:
                yield from _careful_batches(lines, binary, place, len(block), names)
                continue
            numbers = range(place.line, place.line + plain.num_rows)
            yield _Batch(plain.select(_in_order(lines, names)), numbers)
            place.offset += len(block)
            place.line += block.count(b"\n")


def _read(lines: CsvLines, binary: IO[bytes], place: Place) -> bytes:
    """The next block, which ends with a line if none is too long."""
    try:
        binary.seek(place.offset)
        block = binary.read(_BLOCK_BYTES)
        return block if block.endswith(b"\n") else block + binary.readline(LONGEST_LINE)
    except OSError as error:
        raise lines.unreadable(error) from error


def _careful_batches(
    lines: CsvLines, binary: IO[bytes], place: Place, size: int, names: list[str]
) -> Iterator[_Batch]:
    """The rows that begin in a block, the last one whole; the place is then behind it."""
    end = place.offset + size
    numbered: list[tuple[int, list[str]]] = []
    with closing(lines.rows_from(binary, place)) as rows:
        for line, row in rows:
            lines.require_complete(line, row, names)
            numbered.append((line, row))
            if place.offset >= end:
                break
            if len(numbered) >= _BATCH_ROWS:
                yield _careful(lines, names, numbered)
                numbered = []
    if numbered:
        yield _careful(lines, names, numbered)


def _careful(
    lines: CsvLines, names: Sequence[str], numbered: Sequence[tuple[int, list[str]]]
) -> _Batch:
    """Rows, checked cell by cell."""
    numbers = [line for line, _ in numbered]
    frame = pd.DataFrame([row for _, row in numbered], columns=names, index=numbers, dtype=object)
    frame = frame[_in_order(lines, names)]
    trimmed = check_cells(frame, lines.path)
    return _Batch(texts_of(frame), numbers, trimmed)


def _in_order(lines: CsvLines, names: Sequence[str]) -> list[str]:
    return [name for name in lines.columns if name in names]


def _repetitions(lines: CsvLines, repeated: np.ndarray) -> np.ndarray:
    """The places of rows that only repeat an earlier one, in ascending order.

    Args:
        lines: The file.
        repeated: The hashes of keys that occur more than once.

    Raises:
        FileError: A key has two different rows.
    """
    found, start = RepeatedKeys(), 0
    for batch in _checked_batches(lines):
        keys = key_hashes(batch.rows)
        is_repeated = np.isin(keys, repeated)
        if is_repeated.any():
            rows = frame_of(batch.rows.filter(pa.array(is_repeated)))
            found.add(np.flatnonzero(is_repeated) + start, keys[is_repeated], rows)
        start += len(keys)
    left_out, conflicts = found.found()
    _require_no_conflict(lines, conflicts)
    return left_out


def _require_no_conflict(lines: CsvLines, conflicts: np.ndarray) -> None:
    """Raise for the first key that has two different rows."""
    for conflict in conflicts:
        first: tuple[int, pd.Series] | None = None
        for batch in _checked_batches(lines):
            for place in np.flatnonzero(key_hashes(batch.rows) == conflict).tolist():
                line, row = batch.lines[place], frame_of(batch.rows.slice(place, 1)).iloc[0]
                if first is None:
                    first = line, row
                    continue
                differing = [name for name in row.index if not _same(row[name], first[1][name])]
                if differing and not set(differing) & set(schema.KEY):
                    more = f" ({len(conflicts)} keys like it)" if len(conflicts) > 1 else ""
                    raise FileError(
                        f"{lines.path}, line {line}: the key ({', '.join(schema.KEY)}) of line"
                        f" {first[0]} again, with another {', '.join(differing)}{more}."
                        " Remove the row that is wrong."
                    )


def _same(one: object, other: object) -> bool:
    return one == other or bool(pd.isna(one) and pd.isna(other))

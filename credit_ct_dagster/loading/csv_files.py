"""Labels and features from CSV files, checked before a row is written.

A file is read twice, in batches: to check all of it, and to write it. Memory grows by 17 bytes per
row, for keys that occur more than once, and not with what the rows hold.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from credit_ct_dagster.csv_lines import COMMA, CsvLines, numbers_of
from credit_ct_dagster.errors.inputs import FileError
from credit_ct_dagster.loading.repeated_keys import RepeatedKeys, key_hashes
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.rows.missing import WORDS_FOR_MISSING

# A month and a day: a date such as 2025-02-29 occurs in real files, and the merge counts it.
_DATE = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_BATCH_ROWS = 5_000
_MISSING = "is a word for a missing value: leave the cell empty"


@dataclass
class CsvFile:
    """A file of rows of a source table, all of it checked.

    Attributes:
        lines: The file.
        columns: Of the table, those that the file has.
        rows: How many rows are written.
        repeated: Rows that repeat an earlier one, and are left out.
        trimmed: Words and labels that had blanks around them.
        first: The earliest date.
        last: The latest date.
    """

    lines: CsvLines
    columns: Sequence[str] = ()
    rows: int = 0
    repeated: int = 0
    trimmed: int = 0
    first: str = ""
    last: str = ""
    _is_first: np.ndarray = field(default_factory=lambda: np.ones(0, dtype=bool))

    def batches(self) -> Iterator[pd.DataFrame]:
        """The rows to write, in the order of the file.

        Numbers are float64, an empty cell is None. The index is the line of each row.

        Raises:
            FileError: The file changed since it was checked.
        """
        start = 0
        for batch, _ in _checked_batches(self.lines):
            is_first = self._is_first[start : start + len(batch)]
            start += len(batch)
            if start > len(self._is_first):
                break
            yield batch if is_first.all() else batch[is_first]
        if start != len(self._is_first):
            raise FileError(
                f"{self.lines.path} changed while it was loaded. Load it again when it is complete."
            )

    def frame(self) -> pd.DataFrame:
        """All rows at once."""
        return pd.concat(self.batches())


def check_labels(path: Path, separator: str = COMMA) -> CsvFile:
    """Check a file of rows of `credit_score`.

    Args:
        path: A CSV file, either with a header naming the columns in any order, or without one and
            in the order of the table.
        separator: Of its cells.

    Raises:
        FileError: The file, the header, a line or a cell is not usable; names file and line.
    """
    return _check(CsvLines(path, schema.LABEL_COLUMNS, [], separator))


def check_features(path: Path, separator: str = COMMA) -> CsvFile:
    """Check a file of rows of `credit_score_features`; see `check_labels`.

    A header may leave out personal data, which then stays unchanged.
    """
    return _check(CsvLines(path, schema.FEATURE_COLUMNS, schema.PERSONAL, separator))


def _check(lines: CsvLines) -> CsvFile:
    file, keys = CsvFile(lines), RepeatedKeys()
    for batch, trimmed in _checked_batches(lines):
        keys.add(batch)
        file.columns = list(batch.columns)
        file.trimmed += trimmed
        dates = batch["date"]
        file.first = min(file.first or dates.min(), dates.min())
        file.last = max(file.last, dates.max())
    if not file.columns:
        raise FileError(f"{lines.path} has a header, but no rows.")
    file._is_first, conflicts = keys.found()
    _require_no_conflict(lines, conflicts)
    file.rows = int(file._is_first.sum())
    file.repeated = len(file._is_first) - file.rows
    return file


def _checked_batches(lines: CsvLines) -> Iterator[tuple[pd.DataFrame, int]]:
    """Rows in batches, and how many words of a batch had blanks around them."""
    names, rows = lines.named_rows()
    while numbered := list(islice(rows, _BATCH_ROWS)):
        frame = pd.DataFrame(
            [row for _, row in numbered],
            columns=names,
            index=[line for line, _ in numbered],
            dtype=object,
        )
        frame = frame[[name for name in lines.columns if name in names]]
        yield frame, _check_batch(frame, lines.path)


def _check_batch(frame: pd.DataFrame, path: Path) -> int:
    """Check a batch and bring it into the form of the table, in place."""
    trimmed = 0
    for name in frame.columns:
        column = schema.COLUMNS[name]
        cells = frame[name]
        if column.kind == schema.Kind.number:
            frame[name] = _numbers(frame, path, name)
            continue
        stripped = cells.str.strip()
        if column.kind != schema.Kind.personal:
            if name not in schema.KEY:
                trimmed += int(((stripped != cells) & (stripped != "")).sum())
            cells = stripped
        frame[name] = cells = cells.where(stripped != "", None)
        _reject(frame, path, name, cells.isin(WORDS_FOR_MISSING), _MISSING)
        if column.length is not None:
            too_long = cells.str.len() > column.length
            _reject(frame, path, name, too_long, f"is longer than {column.length} characters")
        if name in schema.KEY:
            _reject(frame, path, name, cells.isna(), "is empty, but belongs to the key")
        if name == schema.TARGET:
            expected = ", ".join(schema.CLASSES)
            unknown = ~cells.isin(schema.CLASSES)
            _reject(frame, path, name, unknown, f"is not a label: expected {expected}")
    not_a_date = ~frame["date"].str.fullmatch(_DATE).astype(bool)
    _reject(frame, path, "date", not_a_date, "is not written YYYY-MM-DD")
    return trimmed


def _numbers(frame: pd.DataFrame, path: Path, name: str) -> pd.Series:
    cells = frame[name]
    found = numbers_of(cells.tolist())
    numbers = pd.Series(
        [None if isinstance(each, str) else each for each in found],
        index=cells.index,
        dtype="float64",
    )
    is_text = np.array([isinstance(each, str) for each in found], dtype=bool)
    unusable = np.isinf(numbers) | is_text
    if unusable.any():
        cell = cells[unusable.idxmax()].strip()
        reason = "is not a number"
        if cell in WORDS_FOR_MISSING:
            reason += ", but a word for a missing value: leave the cell empty"
        elif "," in cell:
            reason += ": write a decimal point, and nothing between thousands"
        _reject(frame, path, name, unusable, reason)
    return numbers


def _reject(frame: pd.DataFrame, path: Path, column: str, unusable: pd.Series, reason: str) -> None:
    """Raise for the first unusable line; personal data is not quoted."""
    if not unusable.any():
        return
    line = unusable.idxmax()
    cell = "" if column in schema.PERSONAL else f" {frame.at[line, column] or ''!r}"
    more = f" ({int(unusable.sum())} lines like it)" if unusable.sum() > 1 else ""
    raise FileError(f"{path}, line {line}: {column}{cell} {reason}{more}.")


def _require_no_conflict(lines: CsvLines, conflicts: np.ndarray) -> None:
    """Raise for the first key that has two different rows."""
    for conflict in conflicts:
        first: pd.DataFrame | None = None
        for batch, _ in _checked_batches(lines):
            for line in batch.index[key_hashes(batch) == conflict]:
                row = batch.loc[[line]]
                if first is None:
                    first = row
                    continue
                differing = [
                    name
                    for name in row.columns
                    if not row[name]
                    .reset_index(drop=True)
                    .equals(first[name].reset_index(drop=True))
                ]
                if differing and not set(differing) & set(schema.KEY):
                    more = f" ({len(conflicts)} keys like it)" if len(conflicts) > 1 else ""
                    raise FileError(
                        f"{lines.path}, line {line}: the key ({', '.join(schema.KEY)}) of line"
                        f" {first.index[0]} again, with another {', '.join(differing)}{more}."
                        " Remove the row that is wrong."
                    )

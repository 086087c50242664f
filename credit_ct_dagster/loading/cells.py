"""The careful way to check cells, which knows the line and the sentence for whatever is wrong."""

from pathlib import Path

import numpy as np
import pandas as pd

from credit_ct_dagster.csv_lines import numbers_of
from credit_ct_dagster.errors.inputs import FileError
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.column import WORDS_FOR_MISSING

# A month and a day: a date such as 2025-02-29 occurs in real files, and the merge counts it.
_DATE = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_MISSING = "is a word for a missing value: leave the cell empty"


def check_cells(frame: pd.DataFrame, path: Path) -> int:
    """Check rows and bring them into the form of the table, in place.

    Args:
        frame: A text per cell; the index is the line of each row.
        path: The file.

    Returns:
        How many words and labels had blanks around them.

    Raises:
        FileError: A cell is not usable; names the first one of its column.
    """
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
    not_a_date = ~frame[schema.DATE].str.fullmatch(_DATE).astype(bool)
    _reject(frame, path, schema.DATE, not_a_date, "is not written YYYY-MM-DD")
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

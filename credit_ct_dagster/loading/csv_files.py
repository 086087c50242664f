"""Labels and features from CSV files, checked before a row is written."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd

from credit_ct_dagster.errors.inputs import FileError
from credit_ct_dagster.modeling import schema

# A month and a day: a date such as 2025-02-29 occurs in real files, and the merge counts it.
_DATE = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"


def read_labels(path: Path) -> pd.DataFrame:
    """Read the rows of `credit_score`.

    Args:
        path: A CSV file, either with a header naming the columns in any order, or without one and
            in the order of the table.

    Returns:
        One row per line with the columns of the table; None for an empty cell.

    Raises:
        FileError: The file, the header, a line or a cell is not usable; names file and line.
    """
    frame = _read(path, schema.LABEL_COLUMNS, optional=[])
    _reject(
        frame, path, schema.TARGET, ~frame[schema.TARGET].isin(schema.CLASSES),
        f"is not a label: expected {', '.join(schema.CLASSES)}",
    )  # fmt: skip
    return frame


def read_features(path: Path) -> pd.DataFrame:
    """Read the rows of `credit_score_features`; see `read_labels`.

    Numbers are float64. A header may leave out personal data, which then stays unchanged.
    """
    frame = _read(path, schema.FEATURE_COLUMNS, optional=schema.PERSONAL)
    for column in schema.NUMERIC:
        numbers = pd.to_numeric(frame[column], errors="coerce")
        unusable = frame[column].notna() & ~np.isfinite(numbers)
        _reject(frame, path, column, unusable, "is not a number")
        frame[column] = numbers.astype("float64")
    return frame


def _read(path: Path, columns: list[str], optional: list[str]) -> pd.DataFrame:
    lines, rows = [], []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            for row in reader:
                if row:
                    lines.append(reader.line_num)
                    rows.append(row)
    except OSError as error:
        raise FileError(
            f"{path} cannot be read: {error.strerror}. Check the path and its permissions."
        ) from error
    except (csv.Error, UnicodeDecodeError) as error:
        where = lines[-1] + 1 if lines else 1
        raise FileError(f"{path}, line {where}: this is not CSV in UTF-8 ({error}).") from error
    if not rows:
        raise FileError(f"{path} is empty: expected the columns {', '.join(columns)}.")

    header = [cell.strip().lower() for cell in rows[0]]
    if set(header) & set(columns):
        _check_header(path, header, columns, optional)
        names, lines, rows = header, lines[1:], rows[1:]
    else:
        names = columns
    for line, row in zip(lines, rows, strict=True):
        if len(row) != len(names):
            raise FileError(f"{path}, line {line}: {len(row)} cells instead of {len(names)}.")

    if not rows:
        raise FileError(f"{path} has a header, but no rows.")
    frame = pd.DataFrame(rows, columns=names, index=lines, dtype=object)
    frame = frame[[name for name in columns if name in names]].replace("", None)
    frame[schema.KEY] = frame[schema.KEY].apply(lambda cells: cells.str.strip())
    for column in frame.columns:
        length = schema.COLUMNS[column].length
        if length is not None:
            too_long = frame[column].str.len() > length
            _reject(frame, path, column, too_long, f"is longer than {length} characters")
    for column in schema.KEY:
        _reject(frame, path, column, frame[column].isna(), "is empty, but belongs to the key")
    not_a_date = ~frame["date"].str.fullmatch(_DATE).astype(bool)
    _reject(frame, path, "date", not_a_date, "is not written YYYY-MM-DD")
    return frame


def _check_header(path: Path, header: list[str], columns: list[str], optional: list[str]) -> None:
    missing = [c for c in columns if c not in header and c not in optional]
    unknown = [c for c in header if c not in columns]
    twice = sorted({c for c in header if header.count(c) > 1})
    problems = [
        f"{what} {', '.join(names)}"
        for what, names in (("lacks", missing), ("has the unknown", unknown), ("repeats", twice))
        if names
    ]
    if problems:
        raise FileError(
            f"{path}, line 1: the header {' and '.join(problems)}. The columns are"
            f" {', '.join(columns)}."
        )


def _reject(frame: pd.DataFrame, path: Path, column: str, unusable: pd.Series, reason: str) -> None:
    """Raise for the first unusable line; personal data is not quoted."""
    if not unusable.any():
        return
    line = unusable.idxmax()
    cell = "" if column in schema.PERSONAL else f" '{frame.at[line, column] or ''}'"
    more = f" ({int(unusable.sum())} lines like it)" if unusable.sum() > 1 else ""
    raise FileError(f"{path}, line {line}: {column}{cell} {reason}{more}.")

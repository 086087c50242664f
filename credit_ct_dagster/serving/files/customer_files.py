"""Customers in files: what every format has in common, and CSV."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO, Any, NamedTuple, Protocol

from credit_ct_dagster.csv_lines import COMMA, CsvLines, numbers_of
from credit_ct_dagster.errors.inputs import FileError
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.serving import contract


class Format(StrEnum):
    """How rows are stored."""

    csv = "csv"
    jsonl = "jsonl"
    parquet = "parquet"


_FORMATS = {
    ".csv": Format.csv,
    ".tsv": Format.csv,
    ".txt": Format.csv,
    ".jsonl": Format.jsonl,
    ".ndjson": Format.jsonl,
    ".json": Format.jsonl,
    ".parquet": Format.parquet,
    ".pq": Format.parquet,
}


def format_of(path: Path) -> Format | None:
    """The format that a suffix names; None for any other suffix."""
    return _FORMATS.get(path.suffix.lower())


def input_format(path: Path) -> Format:
    """The format of a file to read, by its suffix.

    Raises:
        FileError: The suffix names none.
    """
    found = format_of(path)
    if found:
        return found
    way_out = "Name its format with --input-format."
    if path.suffix.lower() in (".gz", ".zst", ".bz2", ".xz", ".zip"):
        way_out = "Decompress it, such as: zcat FILE | credit-ct predict -"
    raise FileError(
        f"{path}: the suffix is none of those known here ({', '.join(_FORMATS)}). {way_out}"
    )


class CustomerRow(NamedTuple):
    """A customer.

    Attributes:
        line: Where it begins; in Parquet, the number of the row.
        keys: In the order of `CustomerFile.keys`.
        features: By name; None is a missing value. What the file does not have is absent.
        problem: Why the row cannot be read at all; empty if it can.
    """

    line: int
    keys: tuple[Any, ...]
    features: dict[str, Any]
    problem: str = ""


class CustomerFile(Protocol):
    """A file of customers, whose columns were found to suffice.

    Attributes:
        name: The file, for a person.
        place: What `CustomerRow.line` counts: `line` or `row`.
        keys: The columns of `schema.KEY` that it has, in their order.
        wording: What rules of the contract are called in this format.
    """

    name: str
    place: str
    keys: Sequence[str]
    wording: Mapping[str, str]

    def rows(self) -> Iterator[CustomerRow]:
        """Its rows, once.

        Raises:
            FileError: It cannot be read on.
        """


class CsvCustomers:
    """A CSV file with a header; columns that nobody asked for are passed over."""

    place = "line"
    wording: Mapping[str, str] = {
        contract.NOT_NUMBER: "must be a number with a decimal point, or empty if it is not known",
        contract.SPELT_MISSING: "must be empty if it is not known, not a word such as 'NULL',"
        " '\\N', 'nan' or 'None'",
    }

    def __init__(
        self, name: str, stream: IO[bytes], features: Sequence[str], separator: str = COMMA
    ) -> None:
        """Read the header.

        Args:
            name: The file, for a person.
            stream: Its content.
            features: Columns that it must have.
            separator: Of its cells.

        Raises:
            FileError: The file is empty or no CSV, or lacks a column.
        """
        self.name = name
        lines = CsvLines(Path(name), [*schema.KEY, *features], (), separator, stream)
        self._rows = lines.rows()
        first = next(self._rows, None)
        if first is None:
            raise empty(name, features)
        line, cells = first
        header = [cell.strip().lower() for cell in cells]
        require_columns(f"{name}, line {line}", header, features)
        self.keys: Sequence[str] = [key for key in schema.KEY if key in header]
        self._width = len(header)
        self._key_places = [header.index(key) for key in self.keys]
        numbers = [name for name in features if name in schema.NUMERIC]
        words = [name for name in features if name not in schema.NUMERIC]
        self._names = [*numbers, *words]
        self._numbers = [header.index(name) for name in numbers]
        self._words = [header.index(name) for name in words]

    def rows(self) -> Iterator[CustomerRow]:
        """See `CustomerFile`; a row with too many or too few cells has a problem."""
        for line, cells in self._rows:
            if len(cells) != self._width:
                problem = f"has {len(cells)} cells instead of {self._width}"
                yield CustomerRow(line, (), {}, problem)
                continue
            values: list[Any] = numbers_of([cells[place] for place in self._numbers])
            values += [cells[place] or None for place in self._words]
            yield CustomerRow(
                line,
                tuple(cells[place].strip() or None for place in self._key_places),
                dict(zip(self._names, values, strict=True)),
            )


@contextmanager
def readable(name: str) -> Iterator[None]:
    """Name the file that cannot be read in the block.

    Raises:
        FileError: The block raised an OSError.
    """
    try:
        yield
    except OSError as error:
        raise FileError(
            f"{name} cannot be read: {error.strerror}. Check the path and its permissions."
        ) from error


def require_columns(where: str, columns: Sequence[str], features: Sequence[str]) -> None:
    """Make sure that a file has every feature, once.

    Args:
        where: The file, and the line of its header.
        columns: Those that it has.
        features: Those that the model takes.

    Raises:
        FileError: It does not; names the columns.
    """
    absent = [name for name in features if name not in columns]
    if len(absent) == len(features):
        raise FileError(
            f"{where}: none of the features is named here. Name the columns, in any order; the"
            f" model takes {', '.join(features)}."
        )
    twice = sorted({name for name in [*schema.KEY, *features] if columns.count(name) > 1})
    problems = [
        f"{what} {', '.join(names)}"
        for what, names in (("lacks", absent), ("repeats", twice))
        if names
    ]
    if problems:
        raise FileError(
            f"{where}: the file {' and '.join(problems)}. Each feature must be a column, once; it"
            " may be empty where a value is not known."
        )


def empty(name: str, features: Sequence[str]) -> FileError:
    """The error for a file without content."""
    return FileError(f"{name} is empty: expected the columns {', '.join(features)}.")

"""The lines of a CSV file: separator, encoding and header, each fault named with its line."""

import csv
import os
import re
import shutil
import tempfile
import weakref
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from io import TextIOWrapper
from pathlib import Path
from typing import IO

from credit_ct_dagster.errors.inputs import FileError

COMMA = ","
_SEPARATORS = {COMMA: "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_WRITTEN = {"\t": "tab"}
"""How a separator is written in the command line, where it is not written as itself."""
_DECLARED = re.compile(r'"?sep=(.)"?\s*')
"""Excel's first line, which names the separator of the others."""
_NAMELESS = re.compile(r"(unnamed: \d+)?")
"""A column without a name, as it is and as pandas reads it."""
_PLAIN_NUMBERS = re.compile(r"[0-9eE+.\- ]*")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
UTF_8_MARK = b"\xef\xbb\xbf"


def separator_of(text: str) -> str:
    """The separator that a person writes: one character, or `tab`.

    Raises:
        ValueError: It is neither.
    """
    named = {"tab": "\t", "\\t": "\t"}.get(text.lower(), text)
    if len(named) != 1 or named in '"\r\n' or named.isalnum():
        raise ValueError(f"'{text}' is no separator: write one character, or tab.")
    return named


def numbers_of(cells: Sequence[str]) -> list[float | str | None]:
    """The numbers of cells, exactly as Python reads them; pandas errs in the last bit of some.

    Returns:
        None for a blank cell. A cell that holds no number stays the text that it is.
    """
    if _PLAIN_NUMBERS.fullmatch(" ".join(cells)):
        try:
            return [float(cell) if cell else None for cell in cells]
        except ValueError:
            pass
    return [_number(cell) for cell in cells]


def _number(cell: str) -> float | str | None:
    text = cell.strip()
    if not text:
        return None
    # Python itself also reads 1_000, nan, infinity and the digits of other scripts.
    return float(text) if _NUMBER.fullmatch(text) else cell


@dataclass
class Place:
    """Where in a file a row begins: after how many bytes, and on which line, from 1 on."""

    offset: int = 0
    line: int = 1


@dataclass(frozen=True)
class CsvLines:
    """A file whose rows can be read as often as needed, one after the other.

    Attributes:
        path: A file, or a pipe, whose content is then copied to a temporary file.
        columns: Those of the table, in its order.
        optional: Those of them that a header may leave out.
        separator: Of cells.
        stream: Is read in place of the path, once; the path is then only its name.
    """

    path: Path
    columns: Sequence[str]
    optional: Sequence[str]
    separator: str = COMMA
    stream: IO[bytes] | None = None

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Each row with the line that it begins on; empty lines are passed over."""
        with self.opened() as binary:
            yield from self.rows_from(binary, Place())

    def rows_from(
        self, binary: IO[bytes], place: Place
    ) -> Generator[tuple[int, list[str]], None, None]:
        """Each row from a place on, with the line that it begins on.

        The place, where the file or a row begins, moves on with each row, to behind it.

        Raises:
            FileError: The file cannot be read, or a line is no CSV in UTF-8.
        """
        line, at_start = place.line, place.offset == 0
        try:
            if at_start:
                self._pass_mark(binary, place)
            else:
                binary.seek(place.offset)
            encoding = "utf-8-sig" if at_start else "utf-8"
            text = TextIOWrapper(binary, encoding, errors="surrogateescape", newline="")
            lines = self._lines(text, place, content=not at_start)
            try:
                for row in csv.reader(lines, delimiter=self.separator, strict=True):
                    if row:
                        yield line, row
                    line = place.line
            finally:
                # Both may be garbage, which is collected in any order.
                if not binary.closed:
                    text.detach()
        except OSError as error:
            raise self.unreadable(error) from error
        except csv.Error as error:
            raise FileError(f"{self.path}, line {line}: this is not CSV ({error}).") from error

    @contextmanager
    def opened(self) -> Iterator[IO[bytes]]:
        """The file, or the copy of what a pipe delivered."""
        try:
            copy = None if self.stream else self._copy
            if copy is None:
                binary: IO[bytes] = self.stream or self.path.open("rb")
            else:
                copy.seek(0)
                binary = os.fdopen(os.dup(copy.fileno()), "rb")
        except OSError as error:
            raise self.unreadable(error) from error
        with binary:
            yield binary

    def unreadable(self, error: OSError) -> FileError:
        """The error for a file that the system does not read."""
        return FileError(
            f"{self.path} cannot be read: {error.strerror}. Check the path and its permissions."
        )

    def _pass_mark(self, binary: IO[bytes], place: Place) -> None:
        begins = binary.peek(3)  # type: ignore[attr-defined]
        if begins[:2] in _UTF_16:
            raise FileError(
                f"{self.path}, line 1: this is not CSV in UTF-8 (it begins as UTF-16 does)."
                " Save the file as CSV in UTF-8."
            )
        if begins[:3] == UTF_8_MARK:
            place.offset = len(UTF_8_MARK)

    def header_of(self, first: tuple[int, list[str]] | None) -> list[str] | None:
        """The names of the columns, if the first row has them.

        Args:
            first: The first row, with its line; None if there is none.

        Raises:
            FileError: The file is empty, or its header cannot be used.
        """
        if first is None:
            raise FileError(
                f"{self.path} is empty: expected the columns {', '.join(self.columns)}."
            )
        line, cells = first
        header = [cell.strip().lower() for cell in cells]
        if not set(header) & set(self.columns):
            return None
        self._check_header(line, header)
        return header

    def require_complete(self, line: int, row: Sequence[str], names: Sequence[str]) -> None:
        """Make sure that a row has a cell per name.

        Raises:
            FileError: It has more, or fewer.
        """
        if len(row) == len(names):
            return
        hint = ""
        if len(row) == len(names) + 1:
            hint = " The first cell looks like an index: write the file without (index=False)."
            if not row[-1].strip():
                hint = f" The line ends with a separator ('{self._written(self.separator)}')."
            elif not row[0].strip().isdigit():
                hint = ""
        raise FileError(
            f"{self.path}, line {line}: {len(row)} cells instead of {len(names)}.{hint}"
        )

    def _check_header(self, line: int, header: list[str]) -> None:
        nameless = [place for place, name in enumerate(header) if _NAMELESS.fullmatch(name)]
        named = [name for name in header if not _NAMELESS.fullmatch(name)]
        missing = [c for c in self.columns if c not in named and c not in self.optional]
        unknown = [c for c in named if c not in self.columns]
        twice = sorted({c for c in named if named.count(c) > 1})
        faults = {"lacks": missing, "has the unknown": unknown, "repeats": twice}
        problems = [f"{what} {', '.join(names)}" for what, names in faults.items() if names]
        if nameless == [0]:
            problems.append(
                "has a first column without a name, as pandas writes its index (write the file with"
                " index=False)"
            )
        elif nameless == [len(header) - 1]:
            problems.append("ends with a separator (remove it, and the last cell of each line)")
        elif nameless:
            problems.append(f"has {len(nameless)} columns without a name")
        if problems:
            raise FileError(
                f"{self.path}, line {line}: the header {' and '.join(problems)}. The columns are"
                f" {', '.join(self.columns)}."
            )

    def _lines(self, text: Iterable[str], place: Place, *, content: bool) -> Iterator[str]:
        """The lines, each checked for what a parser does not notice or cannot name.

        The place moves on with each, to behind it; `content`: a line with cells came before.
        """
        for line in text:
            number = place.line
            if not line.isascii():
                self._require_utf8(number, line)
            if "\0" in line:
                raise FileError(
                    f"{self.path}, line {number}: this is not CSV in UTF-8 (it has a NUL"
                    " character, as UTF-16 has). Save the file as CSV in UTF-8."
                )
            place.offset += len(line) if line.isascii() else len(line.encode())
            place.line += 1
            if not content and line.strip():
                declared = _DECLARED.fullmatch(line)
                if declared:
                    self._require_separator(number, declared[1], f"'sep={declared[1]}'")
                    yield "\n"
                    continue
                content = True
                self._require_separator(number, self._separator_in(line), "the line")
            yield line

    def _require_utf8(self, number: int, line: str) -> None:
        try:
            line.encode()
        except UnicodeEncodeError as error:  # what cannot be decoded was escaped
            byte = ord(line[error.start]) - 0xDC00
            raise FileError(
                f"{self.path}, line {number}: this is not CSV in UTF-8 (byte 0x{byte:02x} at"
                f" character {error.start + 1}). Save the file as CSV in UTF-8."
            ) from None

    def _require_separator(self, number: int, found: str, where: str) -> None:
        if found == self.separator:
            return
        written = self._written(found)
        raise FileError(
            f"{self.path}, line {number}: {where} has {_SEPARATORS.get(found, found)} between its"
            f" cells, not {_SEPARATORS.get(self.separator, self.separator)}. If that is right, give"
            f" --separator '{written}'."
        )

    def _separator_in(self, line: str) -> str:
        """The separator with which the first line is a header or a row; else the expected one."""
        for separator in dict.fromkeys([self.separator, *_SEPARATORS]):
            try:
                [cells] = csv.reader([line], delimiter=separator)
            except (csv.Error, ValueError):
                continue
            names = {cell.strip().lower() for cell in cells}
            if len(cells) == len(self.columns) or len(names & set(self.columns)) > 1:
                return separator
        return self.separator

    @staticmethod
    def _written(separator: str) -> str:
        return _WRITTEN.get(separator, separator)

    @cached_property
    def _copy(self) -> IO[bytes] | None:
        """What a pipe delivers, which can be read only once, in a file without a name."""
        if self.path.is_file() or not self.path.exists() or self.path.is_dir():
            return None
        copy = tempfile.TemporaryFile()  # noqa: SIM115 - closed with this object
        weakref.finalize(self, copy.close)
        with self.path.open("rb") as pipe:
            shutil.copyfileobj(pipe, copy)
        return copy

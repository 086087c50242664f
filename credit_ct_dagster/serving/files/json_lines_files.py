"""Customers in files with a JSON object per line."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from math import isfinite
from typing import IO, Any

from credit_ct_dagster.errors.inputs import FileError
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.serving.files.customer_files import (
    CustomerRow,
    empty,
    readable,
    require_columns,
)

_LOOKED_AT = 1_000
"""Objects in which each feature has to occur, or it is absent from the file."""
_LONGEST_LINE = 1 << 20
_KEY_RULE = "must be text or a number"


class JsonLinesCustomers:
    """A file with a JSON object per line; fields that nobody asked for are passed over."""

    place = "line"
    wording: Mapping[str, str] = {}

    def __init__(self, name: str, stream: IO[bytes], features: Sequence[str]) -> None:
        """Read the first objects.

        Args:
            name: The file, for a person.
            stream: Its content.
            features: Fields that it must have.

        Raises:
            FileError: The file is empty, is not written in lines, or lacks a field.
        """
        self.name = name
        self._features = features
        objects = _json_objects(name, stream)
        first = list(islice(objects, _LOOKED_AT))
        if not first:
            raise empty(name, features)
        self._objects = chain(first, objects)
        rows = [row for _, row in first if isinstance(row, dict)]
        if not rows:
            line, problem = first[0]
            raise FileError(f"{name}, line {line} {problem}. Write one JSON object per line.")
        fields = dict.fromkeys(field for row in rows for field in row)
        require_columns(name, list(fields), features)
        self.keys: Sequence[str] = [key for key in schema.KEY if key in fields]

    def rows(self) -> Iterator[CustomerRow]:
        """See `CustomerFile`; a line that is no JSON object has a problem."""
        for line, row in self._objects:
            if isinstance(row, str):
                yield CustomerRow(line, (), {}, row)
                continue
            keys = tuple(_known(row.get(key)) for key in self.keys)
            broken = [
                name
                for name, key in zip(self.keys, keys, strict=True)
                if not (key is None or type(key) in (str, int) or _is_finite(key))
            ]
            features = {name: _known(row[name]) for name in self._features if name in row}
            problem = "; ".join(f"{name} {_KEY_RULE}" for name in broken)
            yield CustomerRow(line, keys, features, problem)


def _known(value: Any) -> Any:
    """None for NaN, which JSON does not have, and programs write nevertheless."""
    return None if type(value) is float and value != value else value


def _is_finite(value: Any) -> bool:
    return type(value) is float and isfinite(value)


def _json_objects(name: str, stream: IO[bytes]) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """Per line that is not blank, its number, and the object or why it is none."""
    line = 0
    while content := _line(name, stream):
        line += 1
        if len(content) == _LONGEST_LINE:
            raise FileError(
                f"{name}, line {line}: the line is longer than {_LONGEST_LINE:,} bytes. Write one"
                " JSON object per line."
            )
        if line == 1:
            content = content.removeprefix(b"\xef\xbb\xbf")
        content = content.strip()
        if not content:
            continue
        if line == 1 and content.startswith(b"["):
            raise FileError(
                f"{name}, line 1: this is a JSON list. Write one JSON object per line, without"
                " brackets or commas around them (jq -c '.[]' does that)."
            )
        yield line, _json_object(content)


def _line(name: str, stream: IO[bytes]) -> bytes:
    with readable(name):
        return stream.readline(_LONGEST_LINE)


def _json_object(content: bytes) -> dict[str, Any] | str:
    try:
        row = json.loads(content.decode())
    except UnicodeDecodeError:
        return "is not UTF-8"
    except (ValueError, RecursionError):
        return "is not JSON"
    return row if isinstance(row, dict) else "is not a JSON object"

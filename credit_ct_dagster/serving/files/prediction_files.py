"""Predictions as CSV, JSON lines or Parquet, written in groups of rows."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time
from io import StringIO
from typing import IO, TYPE_CHECKING, Any, Protocol

from credit_ct_dagster.causes import cause_of
from credit_ct_dagster.errors.inputs import PredictionsNotWrittenError
from credit_ct_dagster.scorer.reasons import MOST, Reason, protected_features
from credit_ct_dagster.serving.files.customer_files import Format

# Only who writes Parquet needs it.
if TYPE_CHECKING:
    import pyarrow as pa

Columns = Mapping[str, Sequence[Any]]
"""Columns of the same length by name."""

FLAGS = "compliance_flags"
REASONS = [f"reason_{number}" for number in range(1, MOST + 1)]


@contextmanager
def writable(where: str) -> Iterator[None]:
    """Name the place that cannot be written in the block.

    Raises:
        PredictionsNotWrittenError: The block raised an OSError, other than that of a pipe whose
            reader has enough.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise PredictionsNotWrittenError(
            f"Predictions cannot be written to {where}: {cause_of(error)}. A file that was there"
            " before is unchanged. Free disk space, correct the permissions or choose another"
            " place, then try again."
        ) from error


class Predictions(Protocol):
    """A file that predictions are written to; nothing is, before the first of them."""

    def write(self, keys: Columns, answers: Columns, reasons: Sequence[Sequence[Reason]]) -> None:
        """Write rows.

        Args:
            keys: Of the customers.
            answers: Class and probabilities.
            reasons: Per row; empty where none were asked for.
        """

    def close(self) -> None:
        """Complete the file; the stream stays open."""


def predictions(
    format_: Format,
    stream: IO[bytes],
    columns: Sequence[str],
    reasons: bool,
    key_types: "Mapping[str, pa.DataType]",
) -> Predictions:
    """A file of a format.

    Args:
        format_: Of the file.
        stream: Where it is written.
        columns: Keys and answers, in their order.
        reasons: Whether they follow: as sentences, or as objects in JSON lines.
        key_types: Types of keys that are known; others are text in Parquet.
    """
    if format_ == Format.jsonl:
        return _JsonLines(stream, reasons)
    names = [*columns, *REASONS, FLAGS] if reasons else list(columns)
    if format_ == Format.csv:
        return _Csv(stream, names)
    return _Parquet(stream, names, key_types)


class _Csv:
    def __init__(self, stream: IO[bytes], names: Sequence[str]) -> None:
        self._stream = stream
        self._header: list[Sequence[str]] = [names]

    def write(self, keys: Columns, answers: Columns, reasons: Sequence[Sequence[Reason]]) -> None:
        text = StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows(self._header)
        self._header = []
        keys = {name: [_as_text(key) for key in column] for name, column in keys.items()}
        writer.writerows(zip(*_flat(keys, answers, reasons).values(), strict=True))
        self._stream.write(text.getvalue().encode())

    def close(self) -> None:
        self.write({}, {}, [])


class _JsonLines:
    def __init__(self, stream: IO[bytes], reasons: bool) -> None:
        self._stream = stream
        self._with_reasons = reasons

    def write(self, keys: Columns, answers: Columns, reasons: Sequence[Sequence[Reason]]) -> None:
        columns = {**keys, **answers}
        if self._with_reasons:
            columns["reasons"] = [[each.as_dict() for each in row] for row in reasons]
            columns[FLAGS] = [protected_features(row) for row in reasons]
        lines = (
            json.dumps(
                dict(zip(columns, row, strict=True)),
                ensure_ascii=False,
                allow_nan=False,
                default=_as_text,
            )
            for row in zip(*columns.values(), strict=True)
        )
        self._stream.write("".join(f"{line}\n" for line in lines).encode())

    def close(self) -> None:
        """A file of lines is complete after each."""


class _Parquet:
    def __init__(
        self, stream: IO[bytes], names: Sequence[str], key_types: "Mapping[str, pa.DataType]"
    ) -> None:
        import pyarrow as pa

        self._stream = _Counted(stream)
        self._texts = {name for name in names if name not in key_types}
        # Fixed beforehand: a first group may have no value in a column.
        types = {
            name: pa.float64() if name.startswith("probability_") else pa.string() for name in names
        }
        self._schema = pa.schema({**types, **key_types})
        self._writer: Any = None

    def write(self, keys: Columns, answers: Columns, reasons: Sequence[Sequence[Reason]]) -> None:
        import pyarrow as pa

        keys = {
            name: [_as_text(key) for key in column] if name in self._texts else column
            for name, column in keys.items()
        }
        rows = _flat(keys, answers, reasons)
        self._opened().write_table(pa.table(dict(rows), schema=self._schema))

    def close(self) -> None:
        self._opened().close()

    def _opened(self) -> Any:
        import pyarrow.parquet as pq

        if self._writer is None:
            self._writer = pq.ParquetWriter(self._stream, self._schema)
        return self._writer


class _Counted:
    """A stream that knows where it is, as a pipe does not."""

    closed = False

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._place = 0

    def write(self, content: bytes) -> int:
        self._stream.write(content)
        self._place += len(content)
        return len(content)

    def tell(self) -> int:
        return self._place

    def flush(self) -> None:
        self._stream.flush()


def _flat(
    keys: Columns, answers: Columns, reasons: Sequence[Sequence[Reason]]
) -> dict[str, Sequence[Any]]:
    """Columns of single values: of each reason its sentence."""
    columns = {**keys, **answers}
    if reasons:
        for place, name in enumerate(REASONS):
            columns[name] = [row[place].sentence if place < len(row) else None for row in reasons]
        columns[FLAGS] = ["; ".join(protected_features(row)) or None for row in reasons]
    return columns


def _as_text(key: Any) -> Any:
    """A key as text; of a moment at midnight its day."""
    if key is None or isinstance(key, str):
        return key
    if isinstance(key, datetime) and key.time() == time():
        return key.date().isoformat()
    if isinstance(key, bytes):
        return key.decode(errors="replace")
    return key.isoformat() if isinstance(key, date) else str(key)

"""Customers in Parquet files."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from credit_ct_dagster.errors.inputs import FileError
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.serving.files.customer_files import CustomerRow, require_columns

# Only who reads Parquet needs it.
if TYPE_CHECKING:
    import pyarrow as pa

_BATCH_ROWS = 5_000
_LONGEST = 131_072
"""Of a text, as in CSV."""


class ParquetCustomers:
    """A Parquet file; columns that nobody asked for are not read.

    Attributes:
        key_types: Per column of `keys`, its type.
    """

    place = "row"
    wording: Mapping[str, str] = {}

    def __init__(self, name: str, stream: IO[bytes], features: Sequence[str]) -> None:
        """Read the schema.

        Args:
            name: The file, for a person.
            stream: Its content; what cannot be read from its end is copied to a temporary file.
            features: Columns that it must have.

        Raises:
            FileError: The file is no Parquet, or lacks a column.
        """
        import pyarrow.parquet as pq

        self.name = name
        self._features = features
        with self._readable():
            # Buffering ahead would hold a whole row group.
            source = _seekable(stream)
            self._file = pq.ParquetFile(source, pre_buffer=False)
            columns = self._file.schema_arrow
            texts = [field.name for field in columns if _is_text(field.type)]
            # A word that occurs in every row is in memory once: a small file may hold gigabytes.
            self._file = pq.ParquetFile(source, pre_buffer=False, read_dictionary=texts)
        require_columns(name, columns.names, features)
        self.keys: Sequence[str] = [key for key in schema.KEY if key in columns.names]
        self.key_types = {key: _plain(columns.field(key).type) for key in self.keys}
        nested = [key for key, type_ in self.key_types.items() if type_.num_fields]
        if nested:
            raise FileError(f"{name}: {', '.join(nested)} must be text or a number.")

    def rows(self) -> Iterator[CustomerRow]:
        """See `CustomerFile`."""
        number = 0
        batches = self._file.iter_batches(_BATCH_ROWS, columns=[*self.keys, *self._features])
        while True:
            with self._readable():
                batch = next(batches, None)
                if batch is None:
                    return
                self._require_short(batch)
                keys = [_finite(_decoded(batch.column(key))).to_pylist() for key in self.keys]
                values = [_values(batch.column(name)) for name in self._features]
            of_rows = zip(*keys, strict=True) if keys else iter([()] * batch.num_rows)
            for key, row in zip(of_rows, zip(*values, strict=True), strict=True):
                number += 1
                yield CustomerRow(number, key, dict(zip(self._features, row, strict=True)))

    def _require_short(self, batch: "pa.RecordBatch") -> None:
        import pyarrow.compute as pc

        for name in batch.schema.names:
            column = batch.column(name)
            words = getattr(column, "dictionary", column)
            if _is_text(words.type) and (pc.max(pc.binary_length(words)).as_py() or 0) > _LONGEST:
                raise FileError(
                    f"{self.name}: a text of {name} has more than {_LONGEST:,} bytes. Correct the"
                    " file, then try again."
                )

    @contextmanager
    def _readable(self) -> Iterator[None]:
        import pyarrow as pa

        try:
            yield
        except (pa.ArrowException, OSError) as error:
            raise FileError(
                f"{self.name} cannot be read as Parquet ({type(error).__name__}). Write it again,"
                " or name its format with --input-format."
            ) from error


def _seekable(stream: IO[bytes]) -> IO[bytes]:
    if stream.seekable():
        return stream
    copy = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the last reference to it
    shutil.copyfileobj(stream, copy)
    copy.seek(0)
    return copy


def _plain(type_: "pa.DataType") -> "pa.DataType":
    import pyarrow as pa

    return type_.value_type if pa.types.is_dictionary(type_) else type_


def _is_text(type_: "pa.DataType") -> bool:
    import pyarrow as pa

    type_ = _plain(type_)
    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_))


def _decoded(column: "pa.Array") -> "pa.Array":
    import pyarrow as pa

    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _finite(column: "pa.Array") -> "pa.Array":
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_floating(column.type):
        return column
    return pc.if_else(pc.is_finite(column), column, None)


def _values(column: "pa.Array") -> list[Any]:
    """The values of a feature: None for what is missing, and for NaN."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = _decoded(column)
    if pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
        column = pc.if_else(pc.is_nan(column), None, column)
    return column.to_pylist()

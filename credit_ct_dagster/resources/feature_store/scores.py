"""The scores of customers: one table, replaced base date by base date, for each model by itself."""

import pickle
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import repeat
from types import TracebackType
from typing import IO, TYPE_CHECKING, Self

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from credit_ct_dagster.databases import KeyText
from credit_ct_dagster.errors.stores import LowDiskSpaceError, MergeBusyError
from credit_ct_dagster.locks import take_server_lock
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.resources.feature_store.columns import has_table, require_written
from credit_ct_dagster.resources.feature_store.engine import Database, until_not_rolled_back

if TYPE_CHECKING:  # half a second to import, which only scoring needs
    import pandas as pd

SCORES = "credit_customer_scores"

_LOCK_TIMEOUT_SECONDS = 600
_MODEL_NAME = "model_name"
_MODEL_NAME_LENGTH = 63  # the longest MODEL_NAME
_OF_ROW = [
    *schema.KEY, schema.TARGET, "is_most_probable", *schema.PROBABILITIES.values(), "reasons",
    "compliance_flags",
]  # fmt: skip
"""What differs from row to row; the other columns name model and run."""


def scores_table() -> sa.Table:
    """The table, as it is created where it is missing.

    Its keys are those of the features that were scored.
    """
    of_schema = [schema.BASE_DATE, *schema.KEY]
    key = {_MODEL_NAME: KeyText(_MODEL_NAME_LENGTH)} | {
        name: KeyText(schema.COLUMNS[name].length) for name in of_schema
    }
    return sa.Table(
        SCORES,
        sa.MetaData(),
        *(sa.Column(name, kind, primary_key=True, nullable=False) for name, kind in key.items()),
        sa.Column(schema.TARGET, sa.String(schema.COLUMNS[schema.TARGET].length), nullable=False),
        sa.Column("is_most_probable", sa.Boolean, nullable=False),
        *(sa.Column(name, sa.Double, nullable=False) for name in schema.PROBABILITIES.values()),
        sa.Column("reasons", sa.JSON, nullable=True),
        sa.Column("compliance_flags", sa.JSON, nullable=True),
        sa.Column("model_tag", sa.String(128), nullable=False),
        sa.Column("model_base_dt", sa.String(10), nullable=False),
        sa.Column("registered_version", sa.String(20), nullable=False),
        sa.Column("dagster_run_id", sa.String(36), nullable=False),
        sa.Column("scored_at", sa.DateTime, nullable=False),
    )  # fmt: skip


@dataclass(frozen=True)
class ScoredBy:
    """What all scores of a base date have in common.

    Attributes:
        model_tag: The package that scored.
        model_base_dt: The base date whose rows the model was trained on.
        registered_version: The model's version in MLflow.
        dagster_run_id: The run that scored.
        scored_at: When, in UTC: `YYYY-MM-DD HH:MM:SS`.
    """

    model_tag: str
    model_base_dt: str
    registered_version: str
    dagster_run_id: str
    scored_at: str


@dataclass
class AnswersFile:
    """Answers that wait on the disk until all are there; a killed process leaves nothing.

    Without it, the transaction would be open as long as scoring takes: readers of SQLite would
    wait, and a deadlock would repeat the scoring.
    """

    rows: int = 0
    _file: IO[bytes] = field(default_factory=tempfile.TemporaryFile, repr=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(OSError):  # what a full disk did not take is tried once more
            self._file.close()

    def append(self, answers: "pd.DataFrame") -> None:
        """Add answers.

        Args:
            answers: The columns of the table that differ from row to row; `reasons` and
                `compliance_flags` are JSON texts or None.

        Raises:
            LowDiskSpaceError: The disk with the temporary files is full.
        """
        columns = [answers[name].tolist() for name in _OF_ROW]
        packed = zlib.compress(pickle.dumps(columns, pickle.HIGHEST_PROTOCOL), level=1)
        try:
            self._file.write(len(packed).to_bytes(8, "big"))
            self._file.write(packed)
            self._file.flush()
        except OSError as error:
            raise LowDiskSpaceError(
                f"Answers cannot wait in {tempfile.gettempdir()} until all are there"
                f" ({error.strerror}), and nothing was written to {SCORES}: free disk space there,"
                " or set TMPDIR to a folder on another disk. Then score this base date again."
            ) from error
        self.rows += len(answers)

    def chunks(self) -> Iterator[Sequence[Sequence[object]]]:
        """The columns of each chunk, from the first one on whenever it is called."""
        self._file.seek(0)
        while size := self._file.read(8):
            # Nobody else can reach the file, which has no name.
            yield pickle.loads(zlib.decompress(self._file.read(int.from_bytes(size, "big"))))  # noqa: S301


class CustomerScores:
    """The scores of one model in a database; those of other models are never touched."""

    def __init__(self, database: Database, model_name: str) -> None:
        """Read nothing yet.

        Args:
            database: Has the table, or gets it.
            model_name: Whose scores these are (MODEL_NAME).
        """
        self._database = database
        self._model_name = model_name

    def replace(self, base_dt: str, answers: AnswersFile, by: ScoredBy) -> None:
        """Replace the scores of a base date, in one transaction.

        Whoever writes waits for others that write, in whatever processes they run. A failure, or
        a kill, leaves the scores that were there before.

        Args:
            base_dt: The base date.
            answers: All of its answers.
            by: What scored them.

        Raises:
            MissingColumnError: The existing table lacks a column.
            FeatureStoreRefusedError: A right is missing.
            FeatureStoreUnavailableError: The database does not answer.
            MergeBusyError: Another writer does not end.
        """
        until_not_rolled_back(lambda: self._replace(base_dt, answers, by))

    def counts(self, base_dt: str) -> dict[str, int]:
        """Rows of a base date per package that scored them; empty without the table."""
        table = scores_table()
        query = (
            sa.select(table.c.model_tag, sa.func.count())
            .where(self._are_ours(table), table.c.base_dt == base_dt)
            .group_by(table.c.model_tag)
        )
        with self._database.transaction() as connection:
            if not has_table(connection, table):
                return {}
            return {str(tag): rows for tag, rows in connection.execute(query)}

    def per_base_date(self) -> dict[str, int]:
        """Rows per base date; empty without the table."""
        table = scores_table()
        query = (
            sa.select(table.c.base_dt, sa.func.count())
            .where(self._are_ours(table))
            .group_by(table.c.base_dt)
        )
        with self._database.transaction() as connection:
            if not has_table(connection, table):
                return {}
            return {str(base_dt): rows for base_dt, rows in connection.execute(query)}

    def delete(self, base_dt: str) -> int:
        """Delete the scores of a base date, in one transaction; returns how many rows.

        Raises:
            FeatureStoreError: The database does not answer, or refuses.
        """
        return until_not_rolled_back(lambda: self._delete(base_dt))

    def _delete(self, base_dt: str) -> int:
        table = scores_table()
        with self._database.transaction(writes=True) as connection:
            if not has_table(connection, table):
                return 0
            return connection.execute(self._deletion(table, base_dt)).rowcount

    def _replace(self, base_dt: str, answers: AnswersFile, by: ScoredBy) -> None:
        table = scores_table()
        fixed = {_MODEL_NAME: self._model_name, schema.BASE_DATE: base_dt, **vars(by)}
        with self._database.connection(writes=True) as connection:
            self._wait_for_other_writers(connection)
            with connection.begin():
                table.create(connection, checkfirst=True)
                require_written(connection, table, self._database.location)
            with connection.begin():
                connection.execute(self._deletion(table, base_dt))
                insert, order = _insert(connection, table), table.columns.keys()
                for columns in answers.chunks():
                    connection.exec_driver_sql(insert, _rows(columns, fixed, order))

    def _are_ours(self, table: sa.Table) -> sa.ColumnElement[bool]:
        return table.c[_MODEL_NAME] == self._model_name

    def _deletion(self, table: sa.Table, base_dt: str) -> sa.Delete:
        return table.delete().where(self._are_ours(table), table.c.base_dt == base_dt)

    def _wait_for_other_writers(self, connection: Connection) -> None:
        """As for merges, two deletes of empty base dates would block each other's inserts."""
        if connection.dialect.name == "sqlite":
            return
        lock = f"credit_ct.scores.{self._database.url.database}"
        if not take_server_lock(connection, lock, _LOCK_TIMEOUT_SECONDS):
            raise MergeBusyError(
                f"Another run has been writing scores to {self._database.location} for"
                f" {_LOCK_TIMEOUT_SECONDS} s: wait for it to end, then score this base date again."
            )


def _insert(connection: Connection, table: sa.Table) -> str:
    """A statement for the driver itself: SQLAlchemy takes longer to process rows than the server.

    Its values are those of every column, in the order of the table.
    """
    sign = "?" if connection.dialect.name == "sqlite" else "%s"
    quote = connection.dialect.identifier_preparer.quote
    names = [quote(column.name) for column in table.columns]
    return f"INSERT INTO {SCORES} ({', '.join(names)}) VALUES ({', '.join([sign] * len(names))})"  # noqa: S608


def _rows(
    columns: Sequence[Sequence[object]], fixed: Mapping[str, str], order: Sequence[str]
) -> list[tuple[object, ...]]:
    by_name = dict(zip(_OF_ROW, columns, strict=True))
    values = (by_name[name] if name in by_name else repeat(fixed[name]) for name in order)
    return list(zip(*values, strict=False))

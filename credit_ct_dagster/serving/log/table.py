"""The table of the prediction log: its rows are inserted and read, and never changed.

The user of the service needs SELECT and INSERT on it, and nothing else.
"""

import logging
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from functools import cached_property

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.exc import DBAPIError, IntegrityError

from credit_ct_dagster import databases
from credit_ct_dagster.causes import is_denied, server_code
from credit_ct_dagster.databases import KeyText
from credit_ct_dagster.errors.stores import FeatureStoreUnavailableError, MissingRightsError
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.outages import Dependency, translated
from credit_ct_dagster.serving.log.prediction import LENGTHS, Prediction

logger = logging.getLogger(__name__)

NAME = "credit_predictions"
_ATTEMPTS = 3
# A deadlock, and a row that changed since the transaction began.
_ROLLED_BACK = {1213, 1020}


def predictions_table() -> sa.Table:
    """The table, as it is created where it is missing."""
    number = sa.Float().with_variant(mysql.DOUBLE(), "mysql", "mariadb")
    identifier = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    moment = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
    return sa.Table(
        NAME,
        sa.MetaData(),
        sa.Column("prediction_id", identifier, primary_key=True, autoincrement=True),
        sa.Column("request_id", KeyText(LENGTHS["request_id"]), nullable=False),
        sa.Column("time", moment, nullable=False),
        sa.Column(schema.CUSTOMER, KeyText(LENGTHS["customer_id"])),
        sa.Column("feature_date", sa.String(LENGTHS["feature_date"])),
        sa.Column("model_tag", sa.String(LENGTHS["model_tag"]), nullable=False),
        sa.Column("base_dt", sa.String(LENGTHS["base_dt"]), nullable=False),
        sa.Column("registered_version", sa.String(LENGTHS["registered_version"])),
        sa.Column(schema.TARGET, sa.String(LENGTHS["credit_score"]), nullable=False),
        sa.Column("is_most_probable", sa.Boolean(), nullable=False),
        sa.Column("probabilities", sa.JSON(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("compliance_flags", sa.JSON(), nullable=False),
        sa.Column("warnings", sa.JSON(), nullable=False),
        sa.Column("features", sa.JSON(), nullable=False),
        sa.Column("latency_ms", number, nullable=False),
        sa.Column("record_version", sa.SmallInteger(), nullable=False),
        sa.UniqueConstraint("request_id", name="credit_predictions_by_request"),
        sa.Index("credit_predictions_by_time", "time"),
        sa.Index("credit_predictions_by_customer", schema.CUSTOMER),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mariadb_engine="InnoDB",
        mariadb_charset="utf8mb4",
    )


def create_statements(dialect: Dialect) -> list[str]:
    """The statements that create the table with its indexes: on servers a single one.

    Args:
        dialect: Of a connection, which knows the server's version.
    """
    return databases.create_statements(predictions_table(), dialect)


class LogTable:
    """The table in its database, which answers within a bound or fails."""

    def __init__(self, url: str, variable: str, answer_seconds: float) -> None:
        """Connect to nothing yet.

        Args:
            url: SQLAlchemy URL of a SQLite, MySQL or MariaDB database.
            variable: Where the URL comes from, for a person.
            answer_seconds: How long to wait for a connection, and for each answer.

        Raises:
            DatabaseUrlError: It is no URL of a supported database.
        """
        self._url = databases.parse_url(url, variable)
        self._seconds = answer_seconds
        self._table = predictions_table()
        self._writer: Connection | None = None

    @property
    def location(self) -> str:
        """The URL without its password and options."""
        return databases.location(self._url)

    @cached_property
    def _engine(self) -> sa.Engine:
        options = {"hide_parameters": True, "pool_recycle": 3600, "max_overflow": -1}
        file = databases.sqlite_file(self._url)
        if file is None:
            bounds = dict.fromkeys(
                ("connect_timeout", "read_timeout", "write_timeout"), self._seconds
            )
            return sa.create_engine(self._url, connect_args=bounds, **options)
        databases.create_sqlite_file(file)
        return sa.create_engine(self._url, connect_args={"timeout": self._seconds}, **options)

    def prepare(self) -> None:
        """Make sure that the table exists; it is created where the user may.

        Raises:
            MissingRightsError: It does not exist, and the user may not create it.
            FeatureStoreError: The database does not answer, or refuses.
        """
        with self._translated(), self._engine.connect() as connection:
            if sa.inspect(connection).has_table(NAME):
                return
            statements = create_statements(connection.dialect)
            try:
                for statement in statements:
                    connection.exec_driver_sql(statement)
                connection.commit()
            except DBAPIError as error:
                if not is_denied(error):
                    raise
                raise MissingRightsError(
                    f"{self.location} has no table {NAME}, and the user may not create it: execute"
                    f" {' '.join('; '.join(statements).split())}; and GRANT SELECT, INSERT on it."
                    " Predictions that are spooled until then are inserted later."
                ) from error

    def insert(self, predictions: Sequence[Prediction]) -> set[str]:
        """Insert predictions in one transaction; those that the table has already are left out.

        It keeps a connection of its own: one thread at a time calls it.

        Args:
            predictions: With different request ids.

        Returns:
            The request ids under which the table has another prediction.

        Raises:
            FeatureStoreError: The database does not answer, or refuses. Whether the rows were
                inserted is then unknown: to insert them again does no harm.
        """
        with self._translated():
            began = time.monotonic()
            try:
                return self._inserted(predictions)
            except DBAPIError as error:
                # The server closed an idle connection, or was started again in the meantime.
                waited = time.monotonic() - began > self._seconds / 2
                if waited or not error.connection_invalidated:
                    raise
                return self._inserted(predictions)

    def find(self, request_ids: Collection[str]) -> dict[str, Prediction]:
        """The predictions of requests, by request id; those that are not in the table are left out.

        Raises:
            FeatureStoreError: The database does not answer, or refuses.
        """
        query = sa.select(self._table).where(self._table.c.request_id.in_(request_ids))
        with self._translated(), self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return {row.request_id: Prediction.from_values(row._asdict()) for row in rows}

    def close(self) -> None:
        """Close all connections."""
        self._disconnect()
        if "_engine" in vars(self):
            self._engine.dispose()

    def _inserted(self, predictions: Sequence[Prediction]) -> set[str]:
        remaining, taken = {each.request_id: each for each in predictions}, set[str]()
        for attempt in range(_ATTEMPTS):
            try:
                connection = self._connected()
                with connection.begin():
                    rows = [each.to_row() for each in remaining.values()]
                    connection.execute(self._table.insert(), rows)
            except IntegrityError:
                present = self._present(remaining)
                if not present:
                    self._disconnect()
                    raise
                # The same time to the microsecond: an attempt of ours that seemed to fail.
                taken |= {
                    name for name, at in present.items() if at != remaining[name].to_row()["time"]
                }
                remaining = {name: remaining[name] for name in remaining if name not in present}
                if not remaining:
                    return taken
            except DBAPIError as error:
                self._disconnect()
                if attempt == _ATTEMPTS - 1 or server_code(error) not in _ROLLED_BACK:
                    raise
            except BaseException:
                self._disconnect()
                raise
            else:
                return taken
        raise FeatureStoreUnavailableError(
            f"The table {NAME} of {self.location} changes too fast to be written to: try again."
        )

    def _present(self, predictions: Mapping[str, Prediction]) -> dict[str, datetime]:
        """The request ids of these that the table has, each with the time of its prediction."""
        ids, times = self._table.c.request_id, self._table.c.time
        connection = self._connected()
        with connection.begin():
            found = connection.execute(sa.select(ids, times).where(ids.in_(list(predictions))))
            return {str(row.request_id): row.time for row in found}

    def _connected(self) -> Connection:
        if self._writer is None or self._writer.closed or self._writer.invalidated:
            self._disconnect()
            self._writer = self._engine.connect()
        return self._writer

    def _disconnect(self) -> None:
        """The next attempt starts with a new connection."""
        writer, self._writer = self._writer, None
        if writer is not None:
            try:
                writer.invalidate()
                writer.close()
            except DBAPIError:
                logger.debug("a lost connection could not be closed", exc_info=True)

    def _translated(self) -> AbstractContextManager[None]:
        return translated(Dependency.feature_store, self.location)

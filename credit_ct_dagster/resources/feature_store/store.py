"""The feature store: source tables in, one table of training rows per base date out."""

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import connectorx
import dagster as dg
import pandas as pd
import sqlalchemy as sa
from pydantic import Field
from sqlalchemy import event
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError

from credit_ct_dagster.databases import (
    base_date_lock,
    is_held,
    location,
    parse_url,
    sqlite_file,
    take_server_lock,
)
from credit_ct_dagster.errors import FeatureStoreError, FeatureStoreUnavailableError
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.partitions import LabelWindow, exists, last_expired
from credit_ct_dagster.resources.feature_store import tables
from credit_ct_dagster.sql import statements

logger = logging.getLogger(__name__)

_LOCK_TIMEOUT_SECONDS = 600
_BUSY_TIMEOUT_SECONDS = 60
_UPSERT_BATCH_ROWS = 5_000
_STRICT = {"STRICT_TRANS_TABLES", "STRICT_ALL_TABLES"}
_WRITES = "credit_ct_writes"

# https://mariadb.com/kb/en/mariadb-error-code-reference/
_UNAVAILABLE = {1020, 1040, 1053, 1205, 1213, 2002, 2003, 2006, 2013, 2055}
_DENIED = {1044, 1142, 1143}
_QUOTES_VALUES = {1062, 1292, 1366}
_WAY_OUT = {
    1044: "grant the user rights on this database",
    1045: "check user and password in FEATURE_STORE_URL",
    1049: "create the database, or correct its name in FEATURE_STORE_URL",
    1142: "grant the user this right",
    1146: "load labels and features first (credit-ct load)",
}


@dataclass(frozen=True)
class MergeResult:
    """What one merge did.

    Attributes:
        window: The label window.
        labels: Label rows in the window, on days that exist.
        rows_inserted: Rows of `credit_score_features_target` for the base date.
        labels_without_features: Labels in the window that no feature row belongs to.
        rows_superseded: Pairs of label and feature row that gave way to a newer one of the same
            id and customer.
        invalid_dates: Label rows per date that does not exist, such as 2025-02-29.
        expired: Rows deleted per other base date.
    """

    window: LabelWindow
    labels: int
    rows_inserted: int
    labels_without_features: int
    rows_superseded: int
    invalid_dates: Mapping[str, int]
    expired: Mapping[str, int]


class FeatureStore(dg.ConfigurableResource):
    """The two source tables and the table of training rows, in one database."""

    url: str = Field(description="SQLAlchemy URL of a SQLite, MySQL or MariaDB database")
    retention_days: int | None = Field(
        default=7,
        ge=1,
        description="Merging base date D deletes the rows of base dates up to D - this many days;"
        " none keeps all",
    )

    @cached_property
    def _engine(self) -> Engine:
        url = parse_url(self.url, "FEATURE_STORE_URL")
        # Nothing is kept open between two uses, and no value of a row enters an error message.
        options = {"poolclass": sa.NullPool, "hide_parameters": True}
        file = sqlite_file(url)
        if file is None:
            return sa.create_engine(url, **options)
        _create_folder(file)
        engine = sa.create_engine(url, connect_args={"timeout": _BUSY_TIMEOUT_SECONDS}, **options)
        _own_sqlite_transactions(engine)
        return engine

    @property
    def location(self) -> str:
        """The URL without its password and options."""
        return location(self._engine.url)

    @contextmanager
    def _transaction(self, *, writes: bool = False) -> Iterator[Connection]:
        """One transaction, whose failure is told in a sentence and leaves nothing behind."""
        engine = self._engine.execution_options(**{_WRITES: writes})
        with self._failures_told(), engine.begin() as connection:
            yield connection

    @contextmanager
    def _failures_told(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise _told(error, self.location) from error
        except OSError as error:  # such as a certificate that is not there
            raise FeatureStoreError(
                f"The feature store at {self.location} cannot be opened: {error}."
                " Check FEATURE_STORE_URL."
            ) from error

    def create_missing_tables(self) -> None:
        """Create the tables that do not exist; those that do are used as they are."""
        with self._failures_told():
            tables.metadata.create_all(self._engine, checkfirst=True)

    def upsert(self, frames: Mapping[str, pd.DataFrame]) -> dict[str, int]:
        """Insert rows, or replace those with the same key, in one transaction for all tables.

        Args:
            frames: Per source table, its rows with the columns of the table; NaN becomes NULL.

        Returns:
            Per table, the number of rows written.
        """
        self.create_missing_tables()
        with self._transaction(writes=True) as connection:
            for name, frame in frames.items():
                statement = _upsert_statement(
                    tables.metadata.tables[name], list(frame.columns), connection.dialect.name
                )
                for start in range(0, len(frame), _UPSERT_BATCH_ROWS):
                    batch = frame.iloc[start : start + _UPSERT_BATCH_ROWS]
                    rows = batch.astype(object).where(batch.notna(), None)
                    connection.execute(statement, rows.to_dict("records"))
        return {name: len(frame) for name, frame in frames.items()}

    def has_labels(self) -> bool:
        """Whether there is any label at all; no table counts as none."""
        with self._transaction() as connection:
            if not sa.inspect(connection).has_table(tables.credit_score.name):
                return False
            first = sa.select(tables.credit_score.c.id).limit(1)
            return connection.execute(first).first() is not None

    def newest_label_date(self, until: str) -> str | None:
        """The newest existing date of a label, not after `until`; None without labels."""
        dates = tables.credit_score.c.date
        newest_first = sa.select(dates).distinct().where(dates <= until).order_by(dates.desc())
        with self._transaction() as connection:
            return next(filter(exists, connection.scalars(newest_first)), None)

    def labels_in(self, window: LabelWindow) -> int:
        """How many labels are dated inside the window, on days that exist."""
        with self._transaction() as connection:
            existing, _ = _labels_per_date(connection, window)
            return sum(existing.values())

    def row_counts(self, base_dt: str | None = None) -> dict[str, int]:
        """Rows of `credit_score_features_target` per base date; no table counts as none.

        Args:
            base_dt: Count only those of this base date. [default: of all]
        """
        target = tables.credit_score_features_target
        count = sa.select(target.c.base_dt, sa.func.count()).group_by(target.c.base_dt)
        if base_dt:
            count = count.where(target.c.base_dt == base_dt)
        with self._transaction() as connection:
            if not sa.inspect(connection).has_table(target.name):
                return {}
            return {str(base_dt): rows for base_dt, rows in connection.execute(count)}

    def server_version(self) -> str:
        """What answers, such as `MySQL 8.0.40`, `MariaDB 10.11.6` or `SQLite 3.40.1`."""
        with self._transaction() as connection:
            number = ".".join(map(str, connection.dialect.server_version_info or ()))
            if connection.dialect.name == "sqlite":
                return f"SQLite {number}"
            maria = getattr(connection.dialect, "is_mariadb", False)
            return f"{'MariaDB' if maria else 'MySQL'} {number}"

    def require_source_tables(self) -> None:
        """Make sure that labels and features are there.

        Raises:
            FeatureStoreError: A table is not; says which.
        """
        with self._transaction() as connection:
            there = sa.inspect(connection).has_table
            missing = [table.name for table in tables.SOURCES if not there(table.name)]
        if missing:
            raise FeatureStoreError(
                f"{self.location} has no table {' and no table '.join(missing)}: load labels and"
                " features (credit-ct load), or correct FEATURE_STORE_URL."
            )

    def require_rights(self) -> list[str]:
        """Make sure that the user may do what a run does; no row is touched.

        Returns:
            The rights that were tried, such as `INSERT on credit_score_features_target`. Those on a
            table that the first merge is still to create cannot be.

        Raises:
            FeatureStoreError: Rights are missing; says which.
        """
        target = tables.credit_score_features_target
        nothing = sa.select(target).where(sa.false())
        inserts = target.insert().from_select(list(target.c), nothing)
        statements: dict[str, sa.Executable] = {
            f"SELECT on {table.name}": sa.select(sa.literal(1)).select_from(table).limit(0)
            for table in tables.SOURCES
        }
        with self._transaction() as connection:
            if sa.inspect(connection).has_table(target.name):
                statements |= {
                    f"SELECT on {target.name}": nothing,
                    f"INSERT on {target.name}": inserts,
                    f"DELETE on {target.name}": target.delete().where(sa.false()),
                }
        missing = [right for right, statement in statements.items() if not self._may(statement)]
        if missing:
            raise FeatureStoreError(
                f"The user of {self.location} lacks {', '.join(missing)}: GRANT what is missing."
            )
        return list(statements)

    def _may(self, statement: sa.Executable) -> bool:
        try:
            with self._transaction(writes=True) as connection:
                connection.execute(statement)
        except FeatureStoreError as error:
            if _code(error.__cause__) in _DENIED:
                return False
            raise
        return True

    def require_strict_mode(self) -> str:
        """Make sure that the server refuses a value that does not fit, and does not change it.

        Returns:
            Why it does.

        Raises:
            FeatureStoreError: It would cut texts and numbers to fit.
        """
        with self._transaction() as connection:
            if connection.dialect.name == "sqlite":
                return "not a matter of SQLite"
            modes = str(connection.scalar(sa.text("SELECT @@SESSION.sql_mode"))).split(",")
        strict = [mode for mode in modes if mode in _STRICT]
        if not strict:
            raise FeatureStoreError(
                f"The SQL mode of {self.location} is not strict, so it cuts values to fit: add"
                " STRICT_TRANS_TABLES to sql_mode in the server's configuration."
            )
        return strict[0]

    def merge(self, base_dt: str) -> MergeResult:
        """Replace the rows of a base date and delete the expired ones, in one transaction.

        Rows of a base date that a run is working on do not expire; the next merge deletes them.
        Merges take turns: one that starts while another runs waits for it, whatever started them.

        Args:
            base_dt: The base date, `YYYY-MM-DD`.

        Raises:
            FeatureStoreError: A source table or a right is missing.
            FeatureStoreUnavailableError: The database does not answer, or another merge does not
                end.
        """
        window = LabelWindow.of(base_dt)
        # An empty text sorts before every date: nothing expires.
        expiry = {
            "base_dt": base_dt,
            "last_expired": last_expired(base_dt, self.retention_days) or "",
        }
        with (
            self._failures_told(),
            self._locked_connection() as connection,
            connection.begin(),
        ):
            expired = {
                day: rows
                for day, rows in _pairs(connection.execute(_bound("expiring", **expiry))).items()
                if not is_held(self._engine.url, base_date_lock(day), connection)
            }
            connection.execute(_bound("delete", base_dts=[base_dt, *expired]))
            existing, invalid_dates = _labels_per_date(connection, window)
            labels = sum(existing.values())
            inserted, without_features, superseded = _insert(connection, base_dt, window, labels)
            return MergeResult(
                window=window,
                labels=labels,
                rows_inserted=inserted,
                labels_without_features=without_features,
                rows_superseded=superseded,
                invalid_dates=invalid_dates,
                expired=expired,
            )

    @contextmanager
    def _locked_connection(self) -> Iterator[Connection]:
        """A connection that lets one merge at a time into the table, from any process or machine.

        Two deletes of an empty base date take gap locks that block each other's insert: without a
        lock of its own, InnoDB ends one of them as a deadlock. The lock is the session's, so a
        killed process frees it. SQLite's transactions take turns by themselves.
        """
        with self._engine.execution_options(**{_WRITES: True}).connect() as connection:
            if connection.dialect.name != "sqlite":
                name = f"credit_ct.merge.{self._engine.url.database}"
                if not take_server_lock(connection, name, _LOCK_TIMEOUT_SECONDS):
                    raise FeatureStoreUnavailableError(
                        f"Another merge has held {self.location} for {_LOCK_TIMEOUT_SECONDS} s:"
                        " wait for it to end, then run this base date again."
                    )
            with connection.begin():
                tables.credit_score_features_target.create(connection, checkfirst=True)
            yield connection

    def read(self, base_dt: str) -> pd.DataFrame:
        """The training rows of a base date.

        Returns:
            Columns `schema.MERGED_COLUMNS`, ordered by id and customer; numbers as float64 with NaN
            for NULL, words as objects with None for NULL. Empty when the base date has no rows.
        """
        target = tables.credit_score_features_target
        with self._transaction() as connection:
            self._require(connection, target)
        # In the order of the primary key, which the database has ready.
        rows = sa.select(*(target.c[name] for name in schema.MERGED_COLUMNS)).where(
            target.c.base_dt == base_dt
        )
        frame = self._query(rows.order_by(target.c.id, target.c.customer_id))
        return frame.astype(dict.fromkeys(schema.NUMERIC, "float64"))

    def source_rows(self, base_dt: str) -> pd.DataFrame:
        """The rows that a merge would make now, as `read` would give them."""
        window = LabelWindow.of(base_dt)
        rows = _bound("joined_rows", "newest_only", base_dt=base_dt, window_days=window.days)
        types = {column.name: column.type for column in tables.credit_score_features_target.c}
        merged = rows.columns(**types).subquery("merged")
        frame = self._query(
            sa.select(*(merged.c[name] for name in schema.MERGED_COLUMNS)).order_by(
                merged.c.id, merged.c.customer_id
            )
        )
        return frame.astype(dict.fromkeys(schema.NUMERIC, "float64"))

    def arrived(self, day: str) -> tuple[int, int]:
        """How many labels, and how many feature rows, are dated on a day."""
        with self._transaction() as connection:
            if not sa.inspect(connection).has_table(tables.credit_score.name):
                return 0, 0
            labels, features = (
                connection.scalar(
                    sa.select(sa.func.count()).select_from(table).where(table.c.date == day)
                )
                for table in (tables.credit_score, tables.credit_score_features)
            )
            return int(labels or 0), int(features or 0)

    def _require(self, connection: Connection, table: sa.Table) -> None:
        if not sa.inspect(connection).has_table(table.name):
            raise FeatureStoreError(
                f"Table {table.name} does not exist in {self.location}:"
                " materialize features_target first."
            )

    def _query(self, query: sa.Select) -> pd.DataFrame:
        """Read through ConnectorX where it takes the URL, through SQLAlchemy where it does not."""
        url = self._engine.url
        if url.query or url.drivername not in {"sqlite", "mysql+pymysql", "mysql"}:
            logger.info(
                "ConnectorX takes no URL with options such as TLS: reading through SQLAlchemy"
            )
            # The text protocol rounds FLOAT to six digits; a cast to DOUBLE shows all it holds.
            exact = query.with_only_columns(
                *(
                    sa.cast(column, sa.Double).label(column.name)
                    if isinstance(column.type, sa.Float)
                    else column
                    for column in query.selected_columns
                )
            )
            with self._transaction() as connection:
                return pd.read_sql(exact, connection)
        # It takes no bind parameters either; the only values are dates from the calendar.
        literally = {"literal_binds": True, "render_postcompile": True}
        sql = str(query.compile(self._engine, compile_kwargs=literally))
        try:
            return connectorx.read_sql(_connectorx_url(url), sql, return_type="arrow").to_pandas()
        except RuntimeError as error:
            reason = re.sub(r"//[^@/]*@", "//***@", str(error))
            raise FeatureStoreUnavailableError(
                f"Reading {self.location} failed: {reason}"
            ) from None


def _create_folder(database: Path) -> None:
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FeatureStoreError(
            f"The folder of {database} cannot be created ({error.strerror}): choose another one in"
            " FEATURE_STORE_URL."
        ) from error


def _own_sqlite_transactions(engine: Engine) -> None:
    """Make SQLite begin a writing transaction as a writer: two of them wait instead of failing.

    https://docs.sqlalchemy.org/en/21/dialects/sqlite.html#enabling-non-legacy-sqlite-transactional-modes-with-the-sqlite3-or-aiosqlite-driver
    """

    @event.listens_for(engine, "connect")
    def _connect(dbapi_connection: Any, _record: object) -> None:
        dbapi_connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _connectorx_url(url: sa.URL) -> str:
    if url.get_backend_name() == "sqlite":
        return f"sqlite://{Path(url.database or '').absolute()}"
    return url.set(drivername="mysql").render_as_string(hide_password=False)


def _labels_per_date(
    connection: Connection, window: LabelWindow
) -> tuple[dict[str, int], dict[str, int]]:
    """Labels in a window per date that exists, and per date that does not."""
    found = _pairs(
        connection.execute(
            _bound(
                "label_dates",
                window_start=window.start.isoformat(),
                window_end=window.end.isoformat(),
            )
        )
    )
    existing = {day: found.pop(day) for day in window.days if day in found}
    return existing, found


def _insert(
    connection: Connection, base_dt: str, window: LabelWindow, labels: int
) -> tuple[int, int, int]:
    """Insert the rows of a base date.

    The plain join is tried first: choosing the newest of several rows costs as much again, and
    hardly any window needs it. The primary key tells when one does.

    Returns:
        Rows inserted, labels without features, and pairs that gave way to newer ones.
    """
    values = {"base_dt": base_dt, "window_days": window.days}
    try:
        with connection.begin_nested():
            inserted = connection.execute(_bound("insert", "joined_rows", **values)).rowcount
    except IntegrityError:
        inserted = connection.execute(
            _bound("insert", "joined_rows", "newest_only", **values)
        ).rowcount
        joined = connection.execute(_bound("joined", window_days=window.days)).one()
        return inserted, int(joined.labels_without_features), joined.pairs - inserted
    return inserted, labels - inserted, 0


def _bound(*names: str, **values: object) -> sa.TextClause:
    """Named statements of the merge, joined to one, with their values."""
    named = statements("features_target.sql")
    clause = sa.text("\n".join(named[name] for name in names))
    return clause.bindparams(
        *(sa.bindparam(k, v, expanding=isinstance(v, list)) for k, v in values.items())
    )


def _pairs(result: sa.CursorResult) -> dict[str, int]:
    return {str(key): count for key, count in result}


def _upsert_statement(table: sa.Table, columns: list[str], dialect: str) -> sa.Insert:
    """Insert or replace the given columns; others keep what they have."""
    values = [name for name in columns if not table.columns[name].primary_key]
    if dialect == "sqlite":
        into = sqlite.insert(table)
        return into.on_conflict_do_update(
            index_elements=list(table.primary_key), set_={n: into.excluded[n] for n in values}
        )
    insert = mysql.insert(table)
    return insert.on_duplicate_key_update({n: insert.inserted[n] for n in values})


def _code(error: BaseException | None) -> int | None:
    """The server's number of a failure, if it has one."""
    arguments: tuple[Any, ...] = getattr(getattr(error, "orig", None), "args", ())
    return arguments[0] if len(arguments) > 1 and isinstance(arguments[0], int) else None


def _told(error: DBAPIError, location: str) -> FeatureStoreError:
    """A database error as a sentence: what the server said, where, and the way out."""
    arguments: tuple[Any, ...] = getattr(error.orig, "args", ())
    code = _code(error)
    said = str(arguments[-1] if arguments else error.orig)
    if code in _QUOTES_VALUES:
        said = re.sub(r"'.*?' for", "a value for", said)
    if code in _UNAVAILABLE or error.connection_invalidated or "database is locked" in said:
        return FeatureStoreUnavailableError(
            f"The feature store at {location} does not answer: {said}."
            " Check that it runs and that FEATURE_STORE_URL is right, then try again."
        )
    way_out = _WAY_OUT.get(code or 0) or (
        _WAY_OUT[1146] if "no such table" in said else "see the message for the cause"
    )
    return FeatureStoreError(
        f"The feature store at {location} refused: {said}. To go on, {way_out}."
    )

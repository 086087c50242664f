"""The merge of one base date: labels of its window, joined to their features."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from credit_ct_dagster.causes import server_code
from credit_ct_dagster.errors.stores import MergeBusyError, RepeatedKeysError
from credit_ct_dagster.locks import base_date_lock_name, is_held, take_server_lock
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.partitions import Calendar, LabelWindow, last_expired
from credit_ct_dagster.resources.feature_store.columns import add_missing_columns
from credit_ct_dagster.resources.feature_store.engine import Database, until_not_rolled_back
from credit_ct_dagster.resources.feature_store.expressions import Sources
from credit_ct_dagster.resources.feature_store.requirements import (
    TARGET_KEY,
    exact_keys,
    require_target,
    usable_sources,
)
from credit_ct_dagster.resources.feature_store.shapes import shape_of
from credit_ct_dagster.resources.feature_store.statements import (
    ONLY_LATER_FEATURES,
    bound,
    selection,
    window_values,
)
from credit_ct_dagster.resources.feature_store.tables import (
    FEATURES,
    LABELS,
    TRAINING_ROWS,
    Tables,
)

_LOCK_TIMEOUT_SECONDS = 600


@dataclass(frozen=True)
class MergeResult:
    """What one merge did.

    Attributes:
        window: The label window.
        labels: Label rows in the window, on days that exist.
        rows_inserted: Rows of `credit_score_features_target` for the base date.
        labels_without_features: Labels in the window without a feature row.
        labels_with_later_features: Labels in the window, the newest of their id and customer, that
            have feature rows, but none dated on or before their day; 0 without a point in time.
        rows_superseded: Pairs of label and feature row that were passed over for a newer one of
            the same id and customer.
        invalid_dates: Label rows per date that does not exist, such as 2025-02-29.
        expired: Rows deleted per other base date.
    """

    window: LabelWindow
    labels: int
    rows_inserted: int
    labels_without_features: int
    labels_with_later_features: int
    rows_superseded: int
    invalid_dates: Mapping[str, int]
    expired: Mapping[str, int]


def merge_base_date(
    database: Database,
    base_dt: str,
    calendar: Calendar,
    retention_days: int | None,
    *,
    point_in_time: bool,
) -> MergeResult:
    """Replace the rows of a base date and delete the expired ones, in one transaction.

    Args:
        database: Holds the tables.
        base_dt: The base date, `YYYY-MM-DD`.
        calendar: Which days are base dates.
        retention_days: See `FeatureStore`.
        point_in_time: See `FeatureStore.merge`.

    Raises:
        BaseDateError: It is no base date, or has not ended yet; nothing was deleted.
    """
    base_dt = calendar.parse(base_dt)
    return until_not_rolled_back(lambda: _merged(database, base_dt, retention_days, point_in_time))


def _merged(
    database: Database, base_dt: str, retention_days: int | None, point_in_time: bool
) -> MergeResult:
    window = LabelWindow.of(base_dt)
    with _exclusive_connection(database) as (connection, sources), connection.begin():
        connection.execute(bound(connection.dialect, "delete", base_dts=[base_dt]))
        existing, invalid_dates = labels_per_date(connection, sources, window)
        labels = sum(existing.values())
        rows = _Rows(connection, sources, base_dt, window, point_in_time)
        inserted, superseded = _insert(rows, database.location)
        without_features, with_later_features = _left_out(rows, labels - inserted)
        return MergeResult(
            window=window,
            labels=labels,
            rows_inserted=inserted,
            labels_without_features=without_features,
            labels_with_later_features=with_later_features,
            rows_superseded=superseded,
            invalid_dates=invalid_dates,
            # A base date without rows, such as one whose data is yet to come, replaces no other.
            expired=_expire(database, connection, base_dt, retention_days) if inserted else {},
        )


def _expire(
    database: Database, connection: Connection, base_dt: str, retention_days: int | None
) -> dict[str, int]:
    """Delete what is older than retention, except what a run is working on; rows per base date."""
    newest = last_expired(base_dt, retention_days)
    if newest is None:
        return {}
    dialect = connection.dialect
    expiring = _pairs(
        connection.execute(bound(dialect, "expiring", base_dt=base_dt, last_expired=newest))
    )
    expired = {
        day: rows
        for day, rows in expiring.items()
        if not is_held(database.url, base_date_lock_name(day), connection)
    }
    if expired:
        connection.execute(bound(dialect, "delete", base_dts=list(expired)))
    return expired


def labels_per_date(
    connection: Connection, sources: Sources, window: LabelWindow
) -> tuple[dict[str, int], dict[str, int]]:
    """Labels in a window per date that exists, and per date that does not."""
    statement = bound(connection.dialect, "label_dates", sources=sources, **window_values(window))
    found = _pairs(connection.execute(statement))
    existing = {day: found.pop(day) for day in window.days if day in found}
    return existing, found


@contextmanager
def _exclusive_connection(database: Database) -> Iterator[tuple[Connection, Sources]]:
    """A connection whose merge no other one disturbs, from any process or machine.

    With it come the source tables; the one of training rows is there, and fits.

    Two deletes of an empty base date take gap locks that block each other's insert: without an
    exclusive lock, InnoDB ends one of them as a deadlock. The lock belongs to the session, so a
    killed process releases it. SQLite lets one writing transaction in at a time by itself.
    """
    with database.connection(writes=True) as connection:
        if connection.dialect.name != "sqlite":
            name = f"credit_ct.merge.{database.url.database}"
            if not take_server_lock(connection, name, _LOCK_TIMEOUT_SECONDS):
                raise MergeBusyError(
                    f"Another merge has held {database.location} for {_LOCK_TIMEOUT_SECONDS} s:"
                    " wait for it to end, then run this base date again."
                )
        with connection.begin():
            sources = usable_sources(connection, database.location)
            Tables.of_schema().target.create(connection, checkfirst=True)
            add_missing_columns(connection, database.location)
            require_target(connection, database.location)
        yield connection, sources


@dataclass(frozen=True)
class _Rows:
    """The rows to insert for a base date, in a transaction."""

    connection: Connection
    sources: Sources
    base_dt: str
    window: LabelWindow
    point_in_time: bool

    def execute(self, *names: str) -> sa.CursorResult:
        """Execute named statements, joined to one."""
        values = {"base_dt": self.base_dt, **window_values(self.window)}
        return self.connection.execute(
            bound(self.connection.dialect, *names, sources=self.sources, **values)
        )

    def count(self, *names: str) -> int:
        """The number that such statements return."""
        return int(self.execute(*names).scalar_one())

    def insert(self, *, newest_only: bool) -> int:
        """Insert them; returns how many."""
        names = selection(point_in_time=self.point_in_time, newest_only=newest_only)
        with self.connection.begin_nested():
            return self.execute("insert", *names).rowcount


def _insert(rows: _Rows, location: str) -> tuple[int, int]:
    """Insert the rows of a base date.

    The plain join is tried first: choosing the newest of several rows doubles its cost, and hardly
    any window needs it. One that does violates the primary key.

    Returns:
        Rows inserted, and pairs of label and feature row that were passed over for newer ones.

    Raises:
        RepeatedKeysError: Labels or features have the same key, or one that the table of training
            rows takes for the same.
    """
    try:
        return rows.insert(newest_only=False), 0
    except IntegrityError:
        try:
            inserted = rows.insert(newest_only=True)
        except IntegrityError as error:
            if not _is_repeated(error):
                raise
            repeated = {
                LABELS: rows.count("repeated_labels"),
                FEATURES: rows.count("repeated_features"),
            }
            raise RepeatedKeysError(
                _why_repeated(rows.connection, rows.base_dt, repeated, location)
            ) from error
    known = ["known_features"] if rows.point_in_time else []
    return inserted, rows.count("pairs", *known) - inserted


def _left_out(rows: _Rows, labels: int) -> tuple[int, int]:
    """Labels without features, and labels with later features only.

    Args:
        rows: Those that were inserted.
        labels: How many labels of the window are not among them.
    """
    if not labels:  # nearly always, and to count costs as much as the join
        return 0, 0
    without = rows.count("labels_without_features")
    if not rows.point_in_time or without == labels:
        return without, 0
    return without, rows.count("number_of_labels", *ONLY_LATER_FEATURES)


def _is_repeated(error: IntegrityError) -> bool:
    return server_code(error) == 1062 or "UNIQUE constraint failed" in str(error.orig)


def _why_repeated(
    connection: Connection, base_dt: str, repeated: Mapping[str, int], location: str
) -> str:
    found = [f"{rows:,} rows of {table}" for table, rows in repeated.items() if rows]
    if found:
        return (
            f"Base date {base_dt}: {' and '.join(found)} in {location} have the whole key"
            f" ({', '.join(schema.KEY)}) of another row. Delete those that are wrong, and prevent"
            f" more of them: ALTER TABLE {next(t for t, rows in repeated.items() if rows)} ADD"
            f" PRIMARY KEY ({', '.join(schema.KEY)}). Then run this base date again."
        )
    shape = shape_of(connection, Tables.of_schema().target)
    remedy = exact_keys(shape, TARGET_KEY, connection.dialect)
    return (
        f"Base date {base_dt}: labels differ in case, accents or trailing blanks of"
        f" {schema.ID} or {schema.CUSTOMER}, which the collation of {TRAINING_ROWS} in {location}"
        f" does not distinguish. Correct the labels, or the table: {remedy}. Then run this base"
        " date again."
    )


def _pairs(result: sa.CursorResult) -> dict[str, int]:
    return {str(key): count for key, count in result}

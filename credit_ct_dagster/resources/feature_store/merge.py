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
from credit_ct_dagster.resources.feature_store.statements import bound, window_values
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
        rows_superseded: Pairs of label and feature row that were passed over for a newer one of
            the same id and customer.
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


def merge_base_date(
    database: Database, base_dt: str, calendar: Calendar, retention_days: int | None
) -> MergeResult:
    """Replace the rows of a base date and delete the expired ones, in one transaction.

    Args:
        database: Holds the tables.
        base_dt: The base date, `YYYY-MM-DD`.
        calendar: Which days are base dates.
        retention_days: See `FeatureStore`.

    Raises:
        BaseDateError: It is no base date, or has not ended yet; nothing was deleted.
    """
    base_dt = calendar.parse(base_dt)
    return until_not_rolled_back(lambda: _merged(database, base_dt, retention_days))


def _merged(database: Database, base_dt: str, retention_days: int | None) -> MergeResult:
    window = LabelWindow.of(base_dt)
    with _exclusive_connection(database) as (connection, sources), connection.begin():
        connection.execute(bound(connection.dialect, "delete", base_dts=[base_dt]))
        existing, invalid_dates = labels_per_date(connection, sources, window)
        labels = sum(existing.values())
        inserted, without_features, superseded = _insert(
            connection, sources, base_dt, window, labels, database.location
        )
        return MergeResult(
            window=window,
            labels=labels,
            rows_inserted=inserted,
            labels_without_features=without_features,
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


def _insert(
    connection: Connection,
    sources: Sources,
    base_dt: str,
    window: LabelWindow,
    labels: int,
    location: str,
) -> tuple[int, int, int]:
    """Insert the rows of a base date.

    The plain join is tried first: choosing the newest of several rows doubles its cost, and hardly
    any window needs it. One that does violates the primary key.

    Returns:
        Rows inserted, labels without features, and pairs that were passed over for newer ones.

    Raises:
        RepeatedKeysError: Labels or features have the same key, or one that the table of training
            rows takes for the same.
    """

    def execute(*names: str) -> sa.CursorResult:
        values = {"base_dt": base_dt, **window_values(window)}
        return connection.execute(bound(connection.dialect, *names, sources=sources, **values))

    try:
        with connection.begin_nested():
            inserted = execute("insert", "joined_rows").rowcount
    except IntegrityError:
        try:
            with connection.begin_nested():
                inserted = execute("insert", "joined_rows", "newest_only").rowcount
        except IntegrityError as error:
            if not _is_repeated(error):
                raise
            repeated = {
                LABELS: int(execute("repeated_labels").scalar_one()),
                FEATURES: int(execute("repeated_features").scalar_one()),
            }
            raise RepeatedKeysError(
                _why_repeated(connection, base_dt, repeated, location)
            ) from error
        joined = execute("joined").one()
        return inserted, int(joined.labels_without_features), joined.pairs - inserted
    return inserted, labels - inserted, 0


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
        f"Base date {base_dt}: labels differ in case, accents or trailing blanks of id or"
        f" {schema.CUSTOMER}, which the collation of {TRAINING_ROWS} in {location} does not"
        f" distinguish. Correct the labels, or the table: {remedy}. Then run this base date again."
    )


def _pairs(result: sa.CursorResult) -> dict[str, int]:
    return {str(key): count for key, count in result}

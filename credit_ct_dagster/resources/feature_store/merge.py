"""The merge of one base date: labels of its window, joined to their features."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from credit_ct_dagster.errors.stores import MergeBusyError
from credit_ct_dagster.locks import base_date_lock_name, is_held, take_server_lock
from credit_ct_dagster.partitions import LabelWindow, last_expired
from credit_ct_dagster.resources.feature_store.columns import add_missing_columns, require_sources
from credit_ct_dagster.resources.feature_store.engine import Database
from credit_ct_dagster.resources.feature_store.statements import bound
from credit_ct_dagster.resources.feature_store.tables import Tables

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


def merge_base_date(database: Database, base_dt: str, retention_days: int | None) -> MergeResult:
    """Replace the rows of a base date and delete the expired ones, in one transaction.

    Args:
        database: Holds the tables.
        base_dt: The base date, `YYYY-MM-DD`.
        retention_days: See `FeatureStore`.
    """
    window = LabelWindow.of(base_dt)
    # An empty text sorts before every date: nothing expires.
    expiry = {"base_dt": base_dt, "last_expired": last_expired(base_dt, retention_days) or ""}
    with _exclusive_connection(database) as connection, connection.begin():
        dialect = connection.dialect
        expiring = _pairs(connection.execute(bound(dialect, "expiring", **expiry)))
        expired = {
            day: rows
            for day, rows in expiring.items()
            if not is_held(database.url, base_date_lock_name(day), connection)
        }
        connection.execute(bound(dialect, "delete", base_dts=[base_dt, *expired]))
        existing, invalid_dates = labels_per_date(connection, window)
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


def labels_per_date(
    connection: Connection, window: LabelWindow
) -> tuple[dict[str, int], dict[str, int]]:
    """Labels in a window per date that exists, and per date that does not."""
    found = _pairs(
        connection.execute(
            bound(
                connection.dialect,
                "label_dates",
                window_start=window.start.isoformat(),
                window_end=window.end.isoformat(),
            )
        )
    )
    existing = {day: found.pop(day) for day in window.days if day in found}
    return existing, found


@contextmanager
def _exclusive_connection(database: Database) -> Iterator[Connection]:
    """A connection whose merge no other one disturbs, from any process or machine.

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
            require_sources(connection, database.location)
            Tables.of_schema().target.create(connection, checkfirst=True)
            add_missing_columns(connection, database.location)
        yield connection


def _insert(
    connection: Connection, base_dt: str, window: LabelWindow, labels: int
) -> tuple[int, int, int]:
    """Insert the rows of a base date.

    The plain join is tried first: choosing the newest of several rows doubles its cost, and hardly
    any window needs it. One that does violates the primary key.

    Returns:
        Rows inserted, labels without features, and pairs that were passed over for newer ones.
    """
    dialect = connection.dialect
    values = {"base_dt": base_dt, "window_days": window.days}
    try:
        with connection.begin_nested():
            statement = bound(dialect, "insert", "joined_rows", **values)
            inserted = connection.execute(statement).rowcount
    except IntegrityError:
        statement = bound(dialect, "insert", "joined_rows", "newest_only", **values)
        inserted = connection.execute(statement).rowcount
        joined = connection.execute(bound(dialect, "joined", window_days=window.days)).one()
        return inserted, int(joined.labels_without_features), joined.pairs - inserted
    return inserted, labels - inserted, 0


def _pairs(result: sa.CursorResult) -> dict[str, int]:
    return {str(key): count for key, count in result}

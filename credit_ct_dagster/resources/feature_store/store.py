"""The feature store: source tables in, one table of training rows per base date out."""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import dagster as dg
import sqlalchemy as sa
from pydantic import Field

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.partitions import Calendar, LabelWindow, day_after, exists
from credit_ct_dagster.resources.feature_store import reading
from credit_ct_dagster.resources.feature_store.arrivals import Arrivals
from credit_ct_dagster.resources.feature_store.columns import has_table
from credit_ct_dagster.resources.feature_store.customers import CustomerFeatures
from credit_ct_dagster.resources.feature_store.engine import Database
from credit_ct_dagster.resources.feature_store.key_shapes import why_without_features
from credit_ct_dagster.resources.feature_store.later_features import why_later_features
from credit_ct_dagster.resources.feature_store.merge import (
    MergeResult,
    labels_per_date,
    merge_base_date,
)
from credit_ct_dagster.resources.feature_store.requirements import usable_sources
from credit_ct_dagster.resources.feature_store.row_digests import row_digests
from credit_ct_dagster.resources.feature_store.statements import bound
from credit_ct_dagster.resources.feature_store.tables import Tables
from credit_ct_dagster.resources.feature_store.upsert import RowBatches, upsert_rows

if TYPE_CHECKING:  # half a second to import, which only reading and writing need
    import pandas as pd


class FeatureStore(dg.ConfigurableResource):
    """The two source tables and the table of training rows, in one database."""

    url: str = Field(description="SQLAlchemy URL of a SQLite, MySQL or MariaDB database")
    retention_days: int | None = Field(
        default=7,
        ge=1,
        description="Deletes, when base date D is merged, the rows of base dates up to D - this"
        " many days; none retains all. A week lets a base date be retrained without merging it"
        " again.",
    )
    calendar: Calendar

    def __init__(self, **data: Any) -> None:
        """Dagster gives a resource within a resource no default: every day from 2025 on."""
        super().__init__(**{"calendar": Calendar(), **data})

    @cached_property
    def database(self) -> Database:
        """Its database, which reading, merging and the doctor's checks use."""
        return Database(self.url)

    @cached_property
    def customers(self) -> CustomerFeatures:
        """Looks customers up; its connections stay open between two uses."""
        return CustomerFeatures(self.database.url)

    @cached_property
    def arrivals(self) -> Arrivals:
        """The ledger of when labels and features were first seen."""
        return Arrivals(self.database)

    @property
    def location(self) -> str:
        """The URL without its password and options."""
        return self.database.location

    def create_missing_tables(self) -> None:
        """Create the tables that do not exist; those that do are used as they are."""
        with self.database.translated():
            Tables.of_schema().create_missing(self.database.engine)

    def upsert(self, frames: "Mapping[str, pd.DataFrame | RowBatches]") -> dict[str, int]:
        """Insert rows, or replace those with the same key, in one transaction for all tables.

        Args:
            frames: Per source table, its rows with columns of the table, at once or in batches;
                NaN becomes NULL. Columns that are left out stay unchanged.

        Returns:
            Per table, the number of rows written.

        Raises:
            MissingColumnError: A table of an existing database lacks a column.
        """
        self.create_missing_tables()
        return upsert_rows(self.database, frames)

    def has_labels(self) -> bool:
        """Whether there is any label; False without the table."""
        labels = Tables.of_schema().labels
        with self.database.transaction() as connection:
            if not has_table(connection, labels):
                return False
            return connection.execute(sa.select(labels.c[schema.ID]).limit(1)).first() is not None

    def oldest_label_date(self, since: str) -> str | None:
        """The oldest existing date of a label, not before `since`; None without labels."""
        labels = Tables.of_schema().labels
        oldest = sa.select(sa.func.min(labels.c[schema.DATE]))
        with self.database.transaction() as connection:
            if not has_table(connection, labels):
                return None
            found = connection.scalar(oldest.where(labels.c[schema.DATE] >= since))
            while found is not None and not exists(found):
                found = connection.scalar(oldest.where(labels.c[schema.DATE] > found))
            return found

    def newest_label_date(self, until: str) -> str | None:
        """The newest existing date of a label, not after `until`; None without labels."""
        with self.database.transaction() as connection:
            sources = usable_sources(connection, self.location)
            found = connection.scalars(
                bound(
                    connection.dialect,
                    "newest_dates",
                    sources=sources,
                    until_before=day_after(until),
                )
            )
            return next(filter(exists, found), None)

    def labels_in(self, window: LabelWindow) -> int:
        """How many labels are dated inside the window, on days that exist."""
        with self.database.transaction() as connection:
            sources = usable_sources(connection, self.location)
            existing, _ = labels_per_date(connection, sources, window)
            return sum(existing.values())

    def row_counts(self, base_dt: str | None = None) -> dict[str, int]:
        """Rows of `credit_score_features_target` per base date; empty without the table.

        Args:
            base_dt: Count only those of this base date. [default: of all]
        """
        target = Tables.of_schema().target
        count = sa.select(target.c.base_dt, sa.func.count()).group_by(target.c.base_dt)
        if base_dt:
            count = count.where(target.c.base_dt == base_dt)
        with self.database.transaction() as connection:
            if not has_table(connection, target):
                return {}
            return {str(base_dt): rows for base_dt, rows in connection.execute(count)}

    def merge(self, base_dt: str, *, point_in_time: bool = True) -> MergeResult:
        """Replace the rows of a base date and delete the expired ones, in one transaction.

        Rows of a base date that a run is working on do not expire; the next merge deletes them.
        Merges wait for each other, in whatever processes they run. A feature that the table of
        training rows lacks is added to it as a column.

        Args:
            base_dt: The base date, `YYYY-MM-DD`.
            point_in_time: Whether a label takes the newest feature row dated on or before its day,
                and is left out if there is none. Without, it takes the newest that is not dated
                after the base date, or else the oldest: features may be younger than their label.

        Raises:
            BaseDateError: It is no base date, or has not ended yet.
            MissingTableError: A source table does not exist.
            MissingColumnError: A source table lacks a column.
            UnsuitableTableError: A table has a key, a type or a column that does not fit.
            RepeatedKeysError: Rows of a source table have one key.
            MissingRightsError: The user may not add a column.
            FeatureStoreRefusedError: Another right is missing.
            FeatureStoreUnavailableError: The database does not answer.
            MergeBusyError: Another merge does not end.
        """
        return merge_base_date(
            self.database,
            base_dt,
            self.calendar,
            self.retention_days,
            point_in_time=point_in_time,
        )

    def read(self, base_dt: str) -> "pd.DataFrame":
        """The training rows of a base date.

        Returns:
            Columns `schema.MERGED_COLUMNS`, ordered by id and customer; numbers as float64 with NaN
            for NULL, words as objects with None for NULL. Empty when the base date has no rows.

        Raises:
            MissingTableError: No base date has been merged.
            MissingColumnError: No base date has been merged since a feature was added.
        """
        return reading.training_rows(self.database, base_dt)

    def source_rows(self, base_dt: str, *, point_in_time: bool = True) -> "pd.DataFrame":
        """The rows that a `merge` would insert now, as `read` would return them."""
        return reading.source_rows(self.database, base_dt, point_in_time=point_in_time)

    def row_digests(self, first: str, last: str) -> dict[str, str]:
        """Per day of labels a digest that changes with any row that they would be merged to.

        Args:
            first: The first day of labels, YYYY-MM-DD.
            last: The last day.
        """
        return row_digests(self.database, first, last)

    def newest_features(
        self, customer_id: str, until: str | None = None
    ) -> tuple[str, dict[str, float | str | None]] | None:
        """The newest features of a customer, with the values that a merge would give them.

        Without an index that begins with the customer, which `credit-ct doctor` names, this reads
        the whole table.

        Args:
            customer_id: The customer.
            until: The latest day that the features may be dated, YYYY-MM-DD. [default: any]

        Returns:
            Their date and, per column of `schema.FEATURES`, a number, a word or None; None without
            a row of this customer that is dated on a day that exists.

        Raises:
            MissingTableError: There is no table of features.
            MissingColumnError: It lacks a column.
            UnsuitableTableError: A column holds something else than expected.
        """
        return self.customers.newest(customer_id, until)

    def why_without_features(self, base_dt: str) -> str:
        """The likely cause why labels of a window have no features, without any key."""
        return why_without_features(self.database, base_dt)

    def why_later_features(self, base_dt: str) -> str:
        """By how much the features of labels are dated after them, without any key."""
        return why_later_features(self.database, base_dt)

    def arrived(self, day: str) -> tuple[int, int]:
        """How many labels, and how many feature rows, are dated on a day."""
        tables = Tables.of_schema()
        with self.database.transaction() as connection:
            if not has_table(connection, tables.labels):
                return 0, 0
            sources = usable_sources(connection, self.location)
            values = {"day": day, "day_after": day_after(day)}
            labels, features = (
                connection.scalar(bound(connection.dialect, name, sources=sources, **values))
                for name in ("labels_of_day", "features_of_day")
            )
            return int(labels or 0), int(features or 0)

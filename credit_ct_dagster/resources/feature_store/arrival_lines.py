"""The table of the ledger of arrivals, and the SQL that compares its lines with source rows."""

from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateTable

from credit_ct_dagster.causes import is_denied
from credit_ct_dagster.databases import KeyText, exact_collation
from credit_ct_dagster.errors.stores import MissingRightsError
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.partitions import day_after, exists
from credit_ct_dagster.resources.feature_store.columns import has_table, require_written
from credit_ct_dagster.resources.feature_store.expressions import Sources
from credit_ct_dagster.resources.feature_store.named import statements
from credit_ct_dagster.resources.feature_store.requirements import usable_features, usable_labels
from credit_ct_dagster.resources.feature_store.row_hashes import LENGTH, hash_of_label, hash_of_row
from credit_ct_dagster.resources.feature_store.shapes import Holds, TableShape
from credit_ct_dagster.resources.feature_store.tables import FEATURES, LABELS

ARRIVALS = "credit_arrivals"
HASHED = {LABELS: [schema.TARGET], FEATURES: schema.FEATURES}
"""What the fingerprint of a row of each source table is computed from: no personal data."""
_LONGEST_KEY = 255  # of the ids that other systems make; InnoDB's longest index allows no more
_LONGEST_NAME = 32
_LAST_DAY = "9999-12-31"


def arrivals_table() -> sa.Table:
    """The ledger, as it is created where it is missing."""
    moment = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
    key: list[sa.Column[str]] = [
        sa.Column("table_name", KeyText(_LONGEST_NAME), primary_key=True),
        sa.Column(schema.ID, KeyText(_LONGEST_KEY), primary_key=True),
        sa.Column(schema.CUSTOMER, KeyText(_LONGEST_KEY), primary_key=True),
        sa.Column(schema.DATE, KeyText(10), primary_key=True),
        sa.Column("fingerprint", KeyText(LENGTH), primary_key=True),
    ]
    names = [column.name for column in key]
    return sa.Table(
        ARRIVALS,
        sa.MetaData(),
        *key,
        sa.Column("first_seen", moment, nullable=False),
        sa.Column("since_the_beginning", sa.Boolean, nullable=False),
        # With the whole key it is unique anyway: as a constraint, one statement creates all.
        sa.UniqueConstraint(
            names[0], "first_seen", *names[1:], name="credit_arrivals_by_first_seen"
        ),
        sqlite_with_rowid=False,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mariadb_engine="InnoDB",
        mariadb_charset="utf8mb4",
    )


def create_arrivals(connection: Connection, location: str) -> None:
    """Make sure that the ledger exists, with all of its columns.

    Raises:
        MissingRightsError: It does not exist, and the user may not create it.
        MissingColumnError: The existing table lacks a column.
    """
    table = arrivals_table()
    if has_table(connection, table):
        require_written(connection, table, location)
        return
    statement = str(CreateTable(table).compile(dialect=connection.dialect))
    try:
        connection.exec_driver_sql(statement)
    except DBAPIError as error:
        if not is_denied(error):
            raise
        raise MissingRightsError(
            f"{location} has no table {ARRIVALS}, in which the arrival of labels and features is"
            f" recorded, and the user may not create it: GRANT SELECT, INSERT, CREATE on it, or"
            f" execute {' '.join(statement.split())}. Everything else works without it."
        ) from error


def stored(moment: datetime) -> str:
    """A moment with a time zone as the ledger has it: in UTC, to the microsecond."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


@dataclass(frozen=True)
class RowRange:
    """Rows of a source table, by their days and by their ids.

    Attributes:
        first: The first day; None: from the beginning.
        last: The last day; None: to the end.
        after_id: Only higher ids.
        until_id: Only ids up to this one.
    """

    first: str | None = None
    last: str | None = None
    after_id: str | None = None
    until_id: str | None = None


@dataclass(frozen=True)
class SourceRows:
    """A source table as it is, beside the ledger.

    Attributes:
        shape: Of the table.
        sources: The table as both source tables.
    """

    shape: TableShape
    sources: Sources

    @classmethod
    def usable(cls, connection: Connection, name: str, location: str) -> "SourceRows":
        """The table of labels or that of features.

        Raises:
            MissingTableError: It does not exist.
            MissingColumnError: It lacks a column.
            UnsuitableTableError: A column has a type that cannot hold what is expected.
        """
        find = usable_labels if name == LABELS else usable_features
        sources = find(connection, location)
        return cls(sources.labels if name == LABELS else sources.features, sources)

    @property
    def have_ordered_ids(self) -> bool:
        """Whether ids are ordered as those of the ledger, and an index begins with them."""
        column = self.shape.columns[schema.ID]
        if not self.shape.has_key(schema.KEY) or column.holds != Holds.text:
            return False
        return column.is_exact

    def sql(self, name: str, rows: RowRange) -> str:
        """A statement of `arrivals.sql` on the table."""
        fingerprint = hash_of_row(self.sources, "source", self.shape, HASHED[self.shape.name])
        key = [self.sources.value("source", self.shape, column) for column in schema.KEY]
        date = self.shape.columns[schema.DATE]
        repeats = not self.shape.has_key(schema.KEY) or date.may_have_time
        return statements("arrivals.sql")[name].format(
            table=self.shape.name,
            distinct="DISTINCT" if repeats else "",
            id=key[0],
            customer=key[1],
            day=key[2],
            fingerprint=fingerprint,
            same_line=same_line(self.sources, "source", self.shape, fingerprint),
            is_dated=f"{key[2]} LIKE '____-__-__'",
            in_range=self._in_range(rows),
        )

    def _in_range(self, rows: RowRange) -> str:
        """Whether a row lies in a range; indexes on the date and on the id serve it."""
        text = self.sources.text
        # A server refuses to compare a date with a day that does not exist: the range grows.
        days = (rows.first, f"{rows.first[:8]}01") if rows.first else ()
        first = next(filter(exists, days), None)
        last = rows.last if rows.last and exists(rows.last) and rows.last < _LAST_DAY else None
        bounds = [
            (f"{schema.DATE} >= ", first),
            (f"{schema.DATE} < ", day_after(last) if last else None),
            (f"{schema.ID} > ", rows.after_id),
            (f"{schema.ID} <= ", rows.until_id),
        ]
        conditions = (f"source.{name}{text(bound)}" for name, bound in bounds if bound is not None)
        return " AND ".join(conditions) or "1 = 1"


def same_line(sources: Sources, alias: str, table: TableShape, fingerprint: str) -> str:
    """Whether a line `seen` is of a row of a source table as it is; the primary key serves it.

    Args:
        sources: The source tables.
        alias: Of the source table in the statement.
        table: The source table.
        fingerprint: SQL for the row's.
    """
    of_row = lines_of_row(sources, alias, table)
    return f"{of_row} AND seen.fingerprint = {_exact(fingerprint, sources)}"


def lines_of_row(sources: Sources, alias: str, table: TableShape) -> str:
    """Whether a line `seen` is of a row of a source table, in whatever state it was then.

    Args:
        sources: The source tables.
        alias: Of the source table in the statement.
        table: The source table.
    """
    own = {"BINARY" if table.is_sqlite else exact_collation(sources.dialect)}
    same = [f"seen.table_name = {sources.text(table.name)}"]
    for name in schema.KEY:
        value, column = sources.value(alias, table, name), table.columns[name]
        is_comparable = column.collation in own and (
            name != schema.DATE or not column.may_have_time
        )
        same.append(f"seen.{name} = {value if is_comparable else _exact(value, sources)}")
    return " AND ".join(same)


def known_label(sources: Sources, alias: str) -> str:
    """SQL: whether a label was known at `:known_at`; see `Arrivals.known_by`. There is a ledger."""
    label = sources.value(alias, sources.labels, schema.TARGET)
    hashes = " ".join(f"WHEN '{word}' THEN '{hash_of_label(word)}'" for word in schema.CLASSES)
    same = same_line(sources, alias, sources.labels, f"CASE TRIM({label}) {hashes} END")
    return statements("arrivals.sql")["known_label"].format(same_line=same)


def _exact(value: str, sources: Sources) -> str:
    """A text in the collation of the ledger, whose index can then be used."""
    if sources.dialect.name == "sqlite":
        return f"CAST({value} AS TEXT)"
    return f"CONVERT({value} USING utf8mb4) COLLATE {exact_collation(sources.dialect)}"

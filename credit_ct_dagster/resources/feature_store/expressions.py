"""SQL for source tables as they are: keys compared byte by byte, dates as days, words as texts.

Where the tables are as the schema describes them, this is the plain column. What compares exactly
stands beside a comparison that an index can serve, never instead of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Dialect

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.resources.feature_store.shapes import (
    DATES,
    FLOATS,
    ColumnShape,
    Holds,
    TableShape,
    shape_of,
)
from credit_ct_dagster.resources.feature_store.tables import Tables

_JOINED = [schema.ID, schema.CUSTOMER]


@dataclass(frozen=True)
class Sources:
    """Both source tables of a database.

    Attributes:
        labels: That of labels.
        features: That of features.
        dialect: Of the database.
    """

    labels: TableShape
    features: TableShape
    dialect: Dialect

    @classmethod
    def of(cls, connection: Connection) -> "Sources":
        """The source tables, which exist."""
        tables = Tables.of_schema()
        return cls(
            shape_of(connection, tables.labels),
            shape_of(connection, tables.features),
            connection.dialect,
        )

    @property
    def are_plain(self) -> bool:
        """Whether every column that a merge reads is of the kind that the schema describes.

        Where one table stands for both, it is asked about its own columns.
        """
        labels = self.labels.columns
        columns = [labels[name] for name in schema.LABEL_COLUMNS if name in labels]
        columns += [self.features.columns[name] for name in [*schema.KEY, *schema.FEATURES]]
        return all(
            each.holds in FLOATS
            if schema.COLUMNS[each.name].kind == schema.Kind.number
            else each.holds == Holds.text
            for each in columns
        )

    def substitutions(self) -> dict[str, str]:
        """What stands for the placeholders of `features_target.sql`."""
        return {
            "label_keys": ", ".join(
                f"{self.value('label', self.labels, name)} AS {self._quoted(name)}"
                for name in schema.KEY
            ),
            "label_class": self.value("label", self.labels, schema.TARGET),
            "features": ", ".join(
                f"{self.value('feature', self.features, name)} AS {self._quoted(name)}"
                for name in schema.FEATURES
            ),
            "feature_keys": ", ".join(
                f"{self.value('feature', self.features, name)} AS {self._quoted(name)}"
                for name in _JOINED
            ),
            "same_feature": self._same("feature", self.features, "label", self.labels),
            "same_newer": self._same("newer", self.labels, "label", self.labels),
            "same_better": self._same("better", self.features, "feature", self.features),
            "feature_is_known": self.is_known("feature"),
            "better_is_known": self.is_known("better"),
            "label_in_window": self.in_window("label", self.labels),
            "newer_in_window": self.in_window("newer", self.labels),
            "label_on_day": self.on_day("label", self.labels),
            "feature_on_day": self.on_day("feature", self.features),
            "label_day": self.value("label", self.labels, schema.DATE),
            "label_between": self._between("label"),
            "feature_day": self.value("feature", self.features, schema.DATE),
            "better_day": self.value("better", self.features, schema.DATE),
            "label_group": self._key("label", self.labels),
            "feature_group": self._key("feature", self.features),
        }

    def value(self, alias: str, table: TableShape, name: str) -> str:
        """A column as text, or as the number that it is; a date as YYYY-MM-DD."""
        column, shape = f"{alias}.{self._quoted(name)}", table.columns[name]
        if name == schema.DATE:
            return self._day(column, shape)
        if schema.COLUMNS[name].kind == schema.Kind.number or shape.holds == Holds.text:
            return column
        return self._text(column)

    def in_window(self, alias: str, table: TableShape) -> str:
        """Whether a date lies in the label window, on a day that exists."""
        column, shape = f"{alias}.{schema.DATE}", table.columns[schema.DATE]
        between = f"{column} >= :window_start AND {column} < :window_after"
        if shape.holds in DATES and not table.is_sqlite:
            return f"({between})"
        if not shape.may_have_time:
            return f"{column} IN :window_days"
        # An index serves the first two.
        return f"({between} AND {self._is_day(column)} AND SUBSTR({column}, 1, 10) IN :window_days)"

    def is_known(self, alias: str) -> str:
        """Whether a feature row is dated on or before the day of `label`, whatever the time of day.

        A date that cannot be read is not known to be earlier than any other.
        """
        day = schema.DATE
        of_feature, of_label = self.features.columns[day], self.labels.columns[day]
        if self.dialect.name != "sqlite" and DATES.issuperset({of_feature.holds, of_label.holds}):
            # Without a conversion of what has no time: it runs once per pair.
            feature, label = (
                f"CAST({name}.{day} AS DATE)" if shape.may_have_time else f"{name}.{day}"
                for name, shape in ((alias, of_feature), ("label", of_label))
            )
            return f"{feature} <= {label}"
        feature = self.value(alias, self.features, day)
        label = self.value("label", self.labels, schema.DATE)
        if not self._are_days_of_one_collation(of_feature, of_label):
            # A server has no collation to compare two others by, nor a text and a date.
            is_known = f"{self.as_bytes(feature)} <= {self.as_bytes(label)}"
        else:
            is_known = f"{feature} <= {label}"
        if of_feature.holds in DATES and self.dialect.name != "sqlite":
            return is_known
        return f"({is_known} AND {feature} LIKE '____-__-__')"

    def is_a_day(self, alias: str, table: TableShape) -> str:
        """Whether a date is a day that exists, in a statement that only reads.

        A statement that writes would fail in strict mode on the first date that does not.
        """
        if table.columns[schema.DATE].holds in DATES and not table.is_sqlite:
            return "1 = 1"
        day = self.value(alias, table, schema.DATE)
        if table.is_sqlite:
            return f"DATE({day}, '+0 days') = {day}"  # which makes 02-29 another day
        return f"({day} LIKE '____-__-__' AND CAST({day} AS DATE) IS NOT NULL)"

    def on_day(self, alias: str, table: TableShape) -> str:
        """Whether a date is the day `:day`, before `:day_after`."""
        column, shape = f"{alias}.{schema.DATE}", table.columns[schema.DATE]
        if not (shape.may_have_time or shape.holds in DATES):
            return f"{column} = :day"
        return f"{column} >= :day AND {column} < :day_after AND {self._day(column, shape)} = :day"

    def same_customer(self, left: str, right: str) -> str:
        """Whether two aliases of the feature table are on one customer."""
        shape = self.features.columns[schema.CUSTOMER]
        return self._equal(f"{left}.{schema.CUSTOMER}", shape, f"{right}.{schema.CUSTOMER}", shape)

    def by_customer(self, alias: str) -> str:
        """What to group rows of the feature table by, so that a group is one customer."""
        column, shape = f"{alias}.{schema.CUSTOMER}", self.features.columns[schema.CUSTOMER]
        return column if shape.is_exact or shape.holds == Holds.whole else self.as_bytes(column)

    def text(self, value: str) -> str:
        """A text that stands in a statement, where no bind parameter can: its bytes."""
        digits = value.encode().hex()
        # An introducer leaves the collation to the column that it is compared with.
        return f"CAST(X'{digits}' AS TEXT)" if self.labels.is_sqlite else f"_utf8mb4 X'{digits}'"

    def is_customer(self, alias: str, table: TableShape) -> str:
        """Whether a row is of `:customer`, in the column's type, whose text is `:customer_text`.

        An index on the customer serves it.
        """
        column, shape = f"{alias}.{schema.CUSTOMER}", table.columns[schema.CUSTOMER]
        exactly = f"{self.as_bytes(column)} = {self.as_bytes(':customer_text')}"
        if shape.holds == Holds.bytes and table.is_sqlite:
            return f"{column} = CAST(:customer AS BLOB) AND {exactly}"
        if shape.holds == Holds.text and not table.is_sqlite:
            converted = f"CONVERT(:customer USING {shape.charset}) COLLATE {shape.collation}"
            return f"{column} = {converted} AND {exactly}"
        return f"{column} = :customer AND {exactly}"

    def _key(self, alias: str, table: TableShape) -> str:
        return ", ".join(self.as_bytes(self.value(alias, table, name)) for name in schema.KEY)

    def _same(self, left: str, left_table: TableShape, right: str, right_table: TableShape) -> str:
        return " AND ".join(
            self._equal(
                f"{left}.{name}", left_table.columns[name],
                f"{right}.{name}", right_table.columns[name],
            )
            for name in _JOINED
        )  # fmt: skip

    def _equal(self, left: str, of_left: ColumnShape, right: str, of_right: ColumnShape) -> str:
        exactly = f"{self.as_bytes(left)} = {self.as_bytes(right)}"
        if self.dialect.name != "sqlite":
            if of_left.holds == Holds.text and of_left.collation != of_right.collation:
                # The server has no collation to compare two others by, and no use for an index.
                charset, collation = of_left.charset, of_left.collation
                converted = f"CONVERT({right} USING {charset}) COLLATE {collation}"
                return f"{left} = {converted} AND {exactly}"
            if of_left.holds != of_right.holds:
                return exactly  # a text that is no number cannot be compared with one
            if of_left.is_exact or of_left.holds == Holds.whole:
                return f"{left} = {right}"
        return f"{left} = {right} AND {exactly}"

    def _are_days_of_one_collation(self, left: ColumnShape, right: ColumnShape) -> bool:
        """Whether two dates are texts without a time, which the database compares by itself."""
        both = (left, right)
        return all(each.holds == Holds.text and not each.may_have_time for each in both) and (
            self.dialect.name == "sqlite" or left.collation == right.collation
        )

    def _between(self, alias: str) -> str:
        """Whether a date lies between the ends of the window, whether or not its day exists."""
        column = f"{alias}.{schema.DATE}"
        return f"{column} >= :window_start AND {column} < :window_after"

    def _day(self, column: str, shape: ColumnShape) -> str:
        if shape.holds in DATES and self.dialect.name != "sqlite":
            return f"CAST(CAST({column} AS DATE) AS CHAR)"
        if not (shape.may_have_time or shape.holds in DATES):
            return column
        return f"CASE WHEN {self._is_day(column)} THEN SUBSTR({column}, 1, 10) ELSE {column} END"

    @staticmethod
    def _is_day(column: str) -> str:
        """Whether a text ends after the day, or goes on with a time."""
        return f"(LENGTH({column}) = 10 OR SUBSTR({column}, 11, 1) IN (' ', 'T'))"

    def _text(self, column: str) -> str:
        if self.dialect.name == "sqlite":
            return f"CAST({column} AS TEXT)"
        return f"CONVERT({column} USING utf8mb4)"

    def as_bytes(self, column: str) -> str:
        """An expression as texts that are compared byte by byte."""
        if self.dialect.name == "sqlite":
            return f"CAST({column} AS TEXT) COLLATE BINARY"
        return f"CAST(CONVERT({column} USING utf8mb4) AS BINARY)"

    def _quoted(self, name: str) -> str:
        return self.dialect.identifier_preparer.quote(name)


def keys_of(table: TableShape, ids: Sequence[str], dialect: Dialect) -> sa.Select:
    """The keys of the rows of a source table with one of some ids, as texts."""
    expressions = Sources(table, table, dialect)
    return (
        sa.select(
            *(
                sa.literal_column(expressions.value("source", table, name)).label(name)
                for name in schema.KEY
            )
        )
        .select_from(sa.table(table.name).alias("source"))
        .where(sa.literal_column(f"source.{schema.ID}").in_(ids))
    )


def ordered_by_bytes(columns: Sequence[str], dialect: Dialect) -> str:
    """An ORDER BY for texts that is the same whatever their collation."""
    if dialect.name == "sqlite":
        return ", ".join(f"{column} COLLATE BINARY" for column in columns)
    return ", ".join(f"CAST(CONVERT({column} USING utf8mb4) AS BINARY)" for column in columns)

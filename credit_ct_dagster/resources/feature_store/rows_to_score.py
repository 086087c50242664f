"""The customers to score: their feature rows, by ranges of keys that fit into memory."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING

import sqlalchemy as sa

from credit_ct_dagster.modeling import schema
from credit_ct_dagster.partitions import day_after
from credit_ct_dagster.resources.feature_store import reading
from credit_ct_dagster.resources.feature_store.engine import Database
from credit_ct_dagster.resources.feature_store.expressions import Sources
from credit_ct_dagster.resources.feature_store.named import statements
from credit_ct_dagster.resources.feature_store.requirements import usable_sources
from credit_ct_dagster.resources.feature_store.tables import Tables

if TYPE_CHECKING:  # half a second to import, which only reading needs
    import pandas as pd

_COLUMNS = [*schema.KEY, *schema.FEATURES]
_STREAMED = 10_000


class Customers(StrEnum):
    """Which feature rows are scored for a base date."""

    of_base_date = "of_base_date"
    newest = "newest"


@dataclass(frozen=True)
class KeyRange:
    """Keys from the first one on, up to the next range.

    The keys are ids for the rows of a day, and customers for the newest row of each.

    Attributes:
        low: The first key; None: from the beginning.
        high: The first key of the next range; None: to the end.
    """

    low: str | None
    high: str | None


_ALL = KeyRange(None, None)


@dataclass(frozen=True)
class Ranges:
    """All rows to score, divided.

    Attributes:
        ranges: Every key is in exactly one of them; none if there is no row.
        rows: How many there were.
    """

    ranges: Sequence[KeyRange]
    rows: int


class RowsToScore:
    """The feature rows of a database that are to be scored for a base date; no personal data."""

    def __init__(self, database: Database, base_dt: str, customers: Customers) -> None:
        """Read nothing yet.

        Args:
            database: Holds the feature table.
            base_dt: The base date.
            customers: The rows dated that day, or the newest row of each customer up to that day.
        """
        self._database = database
        self._of_day = customers == Customers.of_base_date
        self._values = {"day": base_dt, "day_after": day_after(base_dt)}

    def ranges(self, chunk_rows: int) -> Ranges:
        """Divide the rows, by their keys alone, which are read one after the other.

        Args:
            chunk_rows: About how many rows a range has; a key is never divided.

        Raises:
            MissingTableError: A source table does not exist.
            MissingColumnError: A source table lacks a column.
            UnsuitableTableError: A column has a type that cannot hold what is expected.
            FeatureStoreUnavailableError: The database does not answer.
        """
        with self._database.transaction() as connection:
            sources = usable_sources(connection, self._database.location)
            statement = self._bound(sources, "keys_of_day" if self._of_day else "keys_of_customers")
            streamed = connection.execution_options(yield_per=_STREAMED)
            return _divided(map(str, streamed.scalars(statement)), chunk_rows)

    def count(self) -> int:
        """How many rows there are now.

        Raises:
            FeatureStoreError: As `ranges`.
        """
        with self._database.transaction() as connection:
            sources = usable_sources(connection, self._database.location)
            name = "number_of_day" if self._of_day else "number_of_customers"
            return int(connection.scalar(self._bound(sources, name)) or 0)

    def read(self, keys: KeyRange) -> "pd.DataFrame":
        """The rows of a range.

        Returns:
            Columns `schema.KEY` and `schema.FEATURES`; numbers as float64 with NaN for NULL, words
            as objects with None for NULL.

        Raises:
            FeatureStoreError: As `ranges`.
        """
        with self._database.transaction() as connection:
            sources = usable_sources(connection, self._database.location)
            singles = reading.singles(connection)
        statement = self._bound(sources, "rows_of_day" if self._of_day else "newest_rows", keys)
        table = Tables.of_schema().features
        rows = statement.columns(**{name: table.c[name].type for name in _COLUMNS}).subquery(
            "found"
        )
        query = sa.select(*(rows.c[name] for name in _COLUMNS))
        plain = sources.are_plain
        found = reading.feature_rows(self._database, query, singles, connectorx=plain)
        if self._of_day:
            return found
        # As for one customer whom the service looks up: of several rows that with the highest id.
        in_order = found.sort_values(schema.ID, kind="stable")
        return in_order.drop_duplicates(schema.CUSTOMER, keep="last").sort_index()

    def _bound(self, sources: Sources, name: str, keys: KeyRange = _ALL) -> sa.TextClause:
        key = schema.ID if self._of_day else schema.CUSTOMER
        quote = sources.dialect.identifier_preparer.quote

        def value(column: str) -> str:
            return sources.value("feature", sources.features, column)

        sql = statements("rows_to_score.sql")[name].format(
            id=value(schema.ID),
            customer=value(schema.CUSTOMER),
            columns=", ".join(f"{value(column)} AS {quote(column)}" for column in _COLUMNS),
            feature_on_day=sources.on_day("feature", sources.features),
            feature_is_a_day=sources.is_a_day("feature", sources.features),
            earlier_is_a_day=sources.is_a_day("earlier", sources.features),
            feature_in_range=_in_range(sources, f"feature.{key}", keys),
            earlier_in_range=_in_range(sources, f"earlier.{key}", keys),
            same_customer=sources.same_customer("feature", "newest"),
            by_customer=sources.by_customer("earlier"),
        )
        used = set(re.findall(r":(\w+)", sql))
        values = {name: value for name, value in self._values.items() if name in used}
        return sa.text(sql).bindparams(**values)


def _in_range(sources: Sources, column: str, keys: KeyRange) -> str:
    """Whether a key lies in a range, in the order of its column."""
    conditions = [
        f"{column} {sign} {sources.text(key)}"
        for sign, key in ((">=", keys.low), ("<", keys.high))
        if key is not None
    ]
    return " AND ".join(conditions) or "1 = 1"


def _divided(keys: Iterable[str], chunk_rows: int) -> Ranges:
    firsts: list[str] = []
    rows = 0
    for key in keys:
        if rows % chunk_rows == 0 and key not in firsts[-1:]:
            firsts.append(key)
        rows += 1
    # What is inserted meanwhile belongs to a range, too.
    ends = [None, *firsts[1:], None]
    return Ranges([KeyRange(*each) for each in pairwise(ends)] if rows else [], rows)

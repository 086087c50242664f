"""The newest features of one customer, for a service: read through a pool of connections.

By an index that begins with the customer, that takes a fraction of a millisecond; without one, the
whole table is read.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from credit_ct_dagster import databases
from credit_ct_dagster.errors.stores import UnsuitableTableError
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.outages import Dependency, translated
from credit_ct_dagster.partitions import exists
from credit_ct_dagster.resources.feature_store.expressions import Sources
from credit_ct_dagster.resources.feature_store.requirements import usable_features
from credit_ct_dagster.resources.feature_store.shapes import Holds, TableShape, shape_of
from credit_ct_dagster.resources.feature_store.tables import FEATURES, Tables

_ROWS = 50
"""Of a customer, by date: more only where none of these is dated on a day that exists."""
_ANSWER_SECONDS = 5.0
_PREFIX = 20


@dataclass(frozen=True)
class _Query:
    """The statement for the table as it is."""

    newest: sa.TextClause
    all: sa.TextClause
    customers: Holds
    is_sqlite: bool
    singles: frozenset[str]
    """Numbers that the table of training rows holds in single precision."""

    def value_of(self, customer_id: str) -> str | int | bytes | None:
        """A customer as the column can hold it; None for one that it cannot hold."""
        if self.is_sqlite or self.customers == Holds.text:
            return customer_id
        if self.customers == Holds.bytes:
            return customer_id.encode()
        is_number = customer_id.isascii() and customer_id.lstrip("-").isdigit()
        return int(customer_id) if is_number and str(int(customer_id)) == customer_id else None


class CustomerFeatures:
    """Looks features up in the table of features; personal data are not read."""

    def __init__(self, url: sa.URL) -> None:
        """Connect to nothing yet."""
        self._url = url
        self._query: _Query | None = None

    @cached_property
    def _engine(self) -> sa.Engine:
        options = {"hide_parameters": True, "pool_recycle": 3600, "max_overflow": -1}
        if databases.sqlite_file(self._url):
            bounds: dict[str, Any] = {"timeout": _ANSWER_SECONDS}
        else:
            bounds = {"connect_timeout": _ANSWER_SECONDS, "read_timeout": _ANSWER_SECONDS}
        return sa.create_engine(self._url, connect_args=bounds, pool_pre_ping=True, **options)

    def newest(
        self, customer_id: str, until: str | None = None
    ) -> tuple[str, dict[str, float | str | None]] | None:
        """See `FeatureStore.newest_features`."""
        location = databases.location(self._url)
        with translated(Dependency.feature_store, location), self._engine.connect() as connection:
            query = self._query
            if query is None:
                query = self._query = _query(connection, usable_features(connection, location))
            customer = query.value_of(customer_id)
            if customer is None:
                return None
            values = {"customer": customer, "customer_text": customer_id}
            try:
                rows = connection.execute(query.newest, values | {"rows": _ROWS}).mappings().all()
                days = _dated(rows, until)
                if not days and len(rows) == _ROWS:
                    rows = connection.execute(query.all, values).mappings().all()
                    days = _dated(rows, until)
            except sa.exc.DBAPIError:
                self._query = None  # the table may be another one by now
                raise
        if not days:
            return None
        row = max(days, key=lambda row: (row["day"], str(row[schema.ID]).encode()))
        return row["day"], _features(row, query.singles)


def _dated(rows: Iterable[sa.RowMapping], until: str | None) -> list[sa.RowMapping]:
    """The rows that are dated on a day that exists, and not later than a given one."""
    return [row for row in rows if exists(row["day"]) and (until is None or row["day"] <= until)]


def create_index(shape: TableShape) -> str:
    """The statement that makes looking a customer up fast."""
    columns = []
    for name in (schema.CUSTOMER, schema.DATE):
        # A server indexes the beginning only of a text that has no length.
        begins = not shape.is_sqlite and shape.columns[name].declared.lower().endswith(
            ("text", "blob")
        )
        columns.append(f"{name}({_PREFIX})" if begins else name)
    return f"CREATE INDEX {shape.name}_by_customer ON {shape.name} ({', '.join(columns)})"


def has_index(connection: Connection, table: sa.Table) -> bool:
    """Whether any index of an existing table begins with the customer; True for a view."""
    inspector = sa.inspect(connection)
    if table.name not in inspector.get_table_names():
        return True
    indexes = [index["column_names"] for index in inspector.get_indexes(table.name)]
    indexes.append([*inspector.get_pk_constraint(table.name)["constrained_columns"]])
    return schema.CUSTOMER in {str(names[0]).lower() for names in indexes if names}


def _query(connection: Connection, sources: Sources) -> _Query:
    shape = sources.features
    quote = connection.dialect.identifier_preparer.quote
    columns = {
        "day": sources.value("feature", shape, schema.DATE),
        schema.ID: sources.value("feature", shape, schema.ID),
        **{name: _exact(sources, shape, name) for name in schema.FEATURES},
    }
    listed = ", ".join(f"{column} AS {quote(name)}" for name, column in columns.items())
    sql = (
        f"SELECT {listed} FROM {quote(shape.name)} AS feature"  # noqa: S608 - names of the schema
        f" WHERE {sources.is_customer('feature', shape)} ORDER BY feature.{schema.DATE} DESC"
    )
    target = shape_of(connection, Tables.of_schema().target)
    is_single = connection.dialect.name != "sqlite"  # as the next merge creates it
    return _Query(
        newest=sa.text(f"{sql} LIMIT :rows"),
        all=sa.text(sql),
        customers=shape.columns[schema.CUSTOMER].holds,
        is_sqlite=shape.is_sqlite,
        singles=frozenset(
            name
            for name in schema.NUMERIC
            if (target.columns[name].holds == Holds.single if name in target.columns else is_single)
        ),
    )


def _exact(sources: Sources, shape: TableShape, name: str) -> str:
    """A feature; the text protocol rounds a number of single precision to six digits."""
    column = sources.value("feature", shape, name)
    single = shape.columns[name].holds == Holds.single and not shape.is_sqlite
    return f"CAST({column} AS DOUBLE)" if single else column


def _features(row: sa.RowMapping, singles: frozenset[str]) -> dict[str, float | str | None]:
    """The values as the pipeline reads them: blank words are missing, numbers are floats."""
    found: dict[str, float | str | None] = {}
    for name in schema.FEATURES:
        value = row[name]
        if name in schema.WORDS:
            found[name] = None if value is None else str(value).strip() or None
        else:
            found[name] = None if value is None else _number(name, value, name in singles)
    return found


def _number(name: str, value: Any, is_single: bool) -> float:
    try:
        number = float(value)
    except ValueError:  # SQLite holds texts in any column; the message would repeat it
        raise UnsuitableTableError(
            f"The column {name} of {FEATURES} holds a text where a number is expected: correct the"
            " row, then try again."
        ) from None
    try:
        return float(struct.unpack("<f", struct.pack("<f", number))[0]) if is_single else number
    except OverflowError:
        return number

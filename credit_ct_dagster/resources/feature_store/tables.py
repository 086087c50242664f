"""The three tables of the feature store, as they are created where they are missing."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Self

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.dialects.mysql.mariadb import MariaDBDialect

from credit_ct_dagster.databases import KeyText
from credit_ct_dagster.errors.inputs import SettingsError
from credit_ct_dagster.modeling import schema

LABELS = schema.DECLARED.tables.labels
FEATURES = schema.DECLARED.tables.features
TRAINING_ROWS = schema.DECLARED.tables.training_rows


@dataclass(frozen=True)
class Tables:
    """The tables, with the columns of the schema.

    Attributes:
        labels: Which other systems fill (`credit_score`, unless another schema is declared).
        features: Which other systems fill (`credit_score_features`).
        target: The training rows per base date (`credit_score_features_target`).
    """

    labels: sa.Table
    features: sa.Table
    target: sa.Table

    @classmethod
    def of_schema(cls) -> Self:
        """The tables that the schema describes.

        Raises:
            SettingsError: A name is a word of SQL.
        """
        require_plain_names()
        columns = (schema.LABEL_COLUMNS, schema.FEATURE_COLUMNS, schema.MERGED_COLUMNS)
        return cls(*_tables(*(tuple(map(_described, names)) for names in columns)))

    @property
    def sources(self) -> list[sa.Table]:
        """The two that other systems fill."""
        return [self.labels, self.features]

    def create_missing(self, bind: sa.Engine) -> None:
        """Create those that do not exist; those that do are used as they are."""
        self.target.metadata.create_all(bind, checkfirst=True)


def require_plain_names() -> None:
    """Refuse names of tables, keys and the target that statements would have to quote.

    Features may have such names.

    Raises:
        SettingsError: There is one.
    """
    words = {
        word
        for dialect in (mysql.dialect(), MariaDBDialect(), sqlite.dialect())
        for word in dialect.identifier_preparer.reserved_words
    }
    reserved = sorted(words & set(schema.IN_SQL.values()))
    if reserved:
        raise SettingsError(
            f"DATA_SCHEMA: {', '.join(reserved)} cannot be the name of a table, a key or the"
            " target, because it is a word of SQL. Choose another name (in the database, a view"
            " can give it one), then try again."
        )


class _Described(NamedTuple):
    """What a column of a table is made from."""

    name: str
    kind: schema.Kind
    length: int | None
    nullable: bool


def _described(name: str) -> _Described:
    column = schema.COLUMNS[name]
    return _Described(name, column.kind, column.length, name in schema.SOURCE_FEATURES)


@lru_cache(maxsize=1)
def _tables(
    labels: Sequence[_Described], features: Sequence[_Described], target: Sequence[_Described]
) -> tuple[sa.Table, sa.Table, sa.Table]:
    """The same objects for the same columns: SQLAlchemy then compiles each statement once."""
    metadata = sa.MetaData()
    return (
        sa.Table(
            LABELS,
            metadata,
            *_columns(labels, primary=set(schema.KEY)),
            sa.Index(f"{LABELS}_by_date", schema.DATE),
        ),
        sa.Table(
            FEATURES,
            metadata,
            *_columns(features, primary=set(schema.KEY)),
            sa.Index(f"{FEATURES}_by_customer", schema.CUSTOMER, schema.DATE),
        ),
        sa.Table(
            TRAINING_ROWS,
            metadata,
            *_columns(target, primary={schema.BASE_DATE, schema.ID, schema.CUSTOMER}),
        ),
    )


def _columns(columns: Sequence[_Described], *, primary: set[str]) -> list[sa.Column]:
    return [
        sa.Column(
            column.name,
            _type(column),
            primary_key=column.name in primary,
            nullable=column.nullable,
        )
        for column in columns
    ]


def _type(column: _Described) -> "sa.Float | sa.String | sa.Text | KeyText":
    if column.kind == schema.Kind.key:
        return KeyText(column.length)
    if column.kind == schema.Kind.number:
        # Once Dagster's storage is imported, SQLAlchemy compiles `Float` to FLOAT(32) for MySQL,
        # which is a DOUBLE: the type would depend on the process that creates the table.
        return sa.Float().with_variant(mysql.FLOAT(), "mysql", "mariadb")
    return sa.Text() if column.length is None else sa.String(column.length)

"""The three tables of the feature store, as they are created where they are missing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

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
        metadata = sa.MetaData()
        return cls(
            labels=sa.Table(
                LABELS,
                metadata,
                *_columns(schema.LABEL_COLUMNS, primary=set(schema.KEY)),
                sa.Index(f"{LABELS}_by_date", schema.DATE),
            ),
            features=sa.Table(
                FEATURES,
                metadata,
                *_columns(schema.FEATURE_COLUMNS, primary=set(schema.KEY)),
                sa.Index(f"{FEATURES}_by_customer", schema.CUSTOMER, schema.DATE),
            ),
            target=sa.Table(
                TRAINING_ROWS,
                metadata,
                *_columns(
                    schema.MERGED_COLUMNS, primary={schema.BASE_DATE, schema.ID, schema.CUSTOMER}
                ),
            ),
        )

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


def _columns(names: Sequence[str], *, primary: set[str]) -> list[sa.Column]:
    return [
        sa.Column(
            name,
            _type(schema.COLUMNS[name]),
            primary_key=name in primary,
            nullable=name in schema.SOURCE_FEATURES,
        )
        for name in names
    ]


def _type(column: schema.Column) -> "sa.Float | sa.String | sa.Text | KeyText":
    if column.kind == schema.Kind.key:
        return KeyText(column.length)
    if column.kind == schema.Kind.number:
        # Once Dagster's storage is imported, SQLAlchemy compiles `Float` to FLOAT(32) for MySQL,
        # which is a DOUBLE: the type would depend on the process that creates the table.
        return sa.Float().with_variant(mysql.FLOAT(), "mysql", "mariadb")
    return sa.Text() if column.length is None else sa.String(column.length)

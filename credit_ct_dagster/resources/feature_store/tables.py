"""The three tables of the feature store, as they are created where they are missing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from credit_ct_dagster.databases import KeyText
from credit_ct_dagster.modeling import schema

LABELS = "credit_score"
FEATURES = "credit_score_features"
TRAINING_ROWS = "credit_score_features_target"


@dataclass(frozen=True)
class Tables:
    """The tables, with the columns of the schema.

    Attributes:
        labels: `credit_score`, which other systems fill.
        features: `credit_score_features`, which other systems fill.
        target: `credit_score_features_target`, the training rows per base date.
    """

    labels: sa.Table
    features: sa.Table
    target: sa.Table

    @classmethod
    def of_schema(cls) -> Self:
        """The tables that the schema describes."""
        metadata = sa.MetaData()
        return cls(
            labels=sa.Table(
                LABELS,
                metadata,
                *_columns(schema.LABEL_COLUMNS, primary=set(schema.KEY)),
                sa.Index("credit_score_by_date", "date"),
            ),
            features=sa.Table(
                FEATURES,
                metadata,
                *_columns(schema.FEATURE_COLUMNS, primary=set(schema.KEY)),
                sa.Index("credit_score_features_by_customer", schema.CUSTOMER, "date"),
            ),
            target=sa.Table(
                TRAINING_ROWS,
                metadata,
                *_columns(schema.MERGED_COLUMNS, primary={schema.BASE_DATE, "id", schema.CUSTOMER}),
            ),
        )

    @property
    def sources(self) -> list[sa.Table]:
        """The two that other systems fill."""
        return [self.labels, self.features]

    def create_missing(self, bind: sa.Engine) -> None:
        """Create those that do not exist; those that do are used as they are."""
        self.target.metadata.create_all(bind, checkfirst=True)


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

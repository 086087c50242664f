"""The three tables of the feature store, as they are created where they are missing."""

from sqlalchemy import Column, Float, Index, MetaData, String, Table, Text

from credit_ct_dagster.modeling import schema

metadata = MetaData()


def _columns(names: list[str], *, primary: set[str]) -> list[Column]:
    return [
        Column(
            name,
            _type(schema.COLUMNS[name]),
            primary_key=name in primary,
            nullable=name in schema.SOURCE_FEATURES,
        )
        for name in names
    ]


def _type(column: schema.Column) -> Float | String | Text:
    if column.kind == schema.Kind.number:
        return Float()
    return Text() if column.length is None else String(column.length)


credit_score = Table(
    "credit_score",
    metadata,
    *_columns(schema.LABEL_COLUMNS, primary=set(schema.KEY)),
    Index("credit_score_by_date", "date"),
)

credit_score_features = Table(
    "credit_score_features",
    metadata,
    *_columns(schema.FEATURE_COLUMNS, primary=set(schema.KEY)),
)

SOURCES = [credit_score, credit_score_features]

credit_score_features_target = Table(
    "credit_score_features_target",
    metadata,
    *_columns(schema.MERGED_COLUMNS, primary={schema.BASE_DATE, "id", schema.CUSTOMER}),
)

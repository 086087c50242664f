"""The three tables of the feature store, as they are created where they are missing."""

from sqlalchemy import Column, Float, Index, MetaData, String, Table, Text

from credit_ct_dagster.modeling import schema

_WORD_TYPES = {
    "name": String(100),
    "ssn": String(20),
    "occupation": String(50),
    "type_of_loan": Text(),
    "credit_mix": String(20),
    "payment_of_min_amount": String(10),
    "payment_behaviour": String(50),
}

metadata = MetaData()


def _feature_columns(names: list[str]) -> list[Column]:
    return [Column(name, _WORD_TYPES.get(name, Float()), nullable=True) for name in names]


def _key_columns(names: list[str], *, primary: set[str]) -> list[Column]:
    return [Column(n, String(10), primary_key=n in primary, nullable=False) for n in names]


credit_score = Table(
    "credit_score",
    metadata,
    *_key_columns(schema.KEY, primary=set(schema.KEY)),
    Column(schema.TARGET, String(10), nullable=False),
    Index("credit_score_by_date", "date"),
)

credit_score_features = Table(
    "credit_score_features",
    metadata,
    *_key_columns(schema.KEY, primary=set(schema.KEY)),
    *_feature_columns(schema.SOURCE_FEATURES),
)

credit_score_features_target = Table(
    "credit_score_features_target",
    metadata,
    *_key_columns(
        [schema.BASE_DATE, *schema.KEY], primary={schema.BASE_DATE, "id", schema.CUSTOMER}
    ),
    *_feature_columns(schema.FEATURES),
    Column(schema.TARGET, String(10), nullable=False),
)

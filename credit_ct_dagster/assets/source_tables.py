"""The tables that other systems write: the start of the lineage."""

import dagster as dg

from credit_ct_dagster.assets.columns import column_schema
from credit_ct_dagster.modeling import schema

credit_score = dg.AssetSpec(
    "credit_score",
    description="Labels: the credit score of a customer on a day. Written by the bank's systems.",
    group_name="feature_store",
    owners=["team:data-platform"],
    kinds={"mysql", "table"},
    metadata=column_schema(schema.LABEL_COLUMNS),
)

credit_score_features = dg.AssetSpec(
    "credit_score_features",
    description="Features: what the bank recorded about a customer in a month. Written by the"
    " bank's systems.",
    group_name="feature_store",
    owners=["team:data-platform"],
    kinds={"mysql", "table"},
    metadata=column_schema(schema.FEATURE_COLUMNS),
)

"""The tables that other systems write: the start of the lineage."""

import dagster as dg

from credit_ct_dagster.metadata.columns import column_schema
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.resources.feature_store.tables import FEATURES, LABELS

credit_score = dg.AssetSpec(
    LABELS,
    description=f"Labels: the {schema.TARGET.replace('_', ' ')} of a customer on a day. Written by"
    " the bank's systems.",
    group_name="feature_store",
    owners=["team:data-platform"],
    kinds={"sql", "table"},
    metadata=column_schema(schema.LABEL_COLUMNS),
)

credit_score_features = dg.AssetSpec(
    FEATURES,
    description="Features: what the bank recorded about a customer in a month. Written by the"
    " bank's systems.",
    group_name="feature_store",
    owners=["team:data-platform"],
    kinds={"sql", "table"},
    metadata=column_schema(schema.FEATURE_COLUMNS),
)

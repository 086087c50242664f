"""A code location with `champion_model`, which loads in a moment."""

import dagster as dg

from credit_ct_dagster.partitions import Calendar

FIRST, SECOND = "2025-03-01", "2025-03-03"


@dg.asset(partitions_def=Calendar().partitions)
def champion_model(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
    """Promotes the model of one base date."""
    promoted = context.partition_key == FIRST
    return dg.MaterializeResult(
        metadata={"promoted": promoted, "decision": "By the gate.", "golden_rows": "52 of 52"}
    )


defs = dg.Definitions(assets=[champion_model])

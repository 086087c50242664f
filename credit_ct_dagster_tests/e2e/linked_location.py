"""A code location with what links to pages of the UI's server, which loads in a moment."""

import dagster as dg

from credit_ct_dagster.partitions import Calendar

BASE_DT = "2025-03-10"
SPECS = [
    dg.AssetSpec(name, partitions_def=Calendar().partitions)
    for name in ("tuned_runs", "model_card")
]
defs = dg.Definitions(assets=SPECS)

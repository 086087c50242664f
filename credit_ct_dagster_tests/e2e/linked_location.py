"""A code location with assets that were materialized elsewhere, which loads in a moment."""

import dagster as dg

from credit_ct_dagster.partitions import Calendar
from credit_ct_dagster.runs.purposes import MONITORING_ASSETS, TRAINING_ASSETS

BASE_DT = "2025-03-10"
SPECS = [
    dg.AssetSpec(name, partitions_def=Calendar().partitions)
    for name in (*TRAINING_ASSETS, *MONITORING_ASSETS)
]
defs = dg.Definitions(assets=SPECS)

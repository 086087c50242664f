"""How long base dates and predictions are retained."""

import dagster as dg
from pydantic import Field


class PruningRules(dg.ConfigurableResource):
    """What the scheduled job deletes; as `credit-ct prune` does by default."""

    keep_days: int = Field(
        default=90,
        ge=1,
        description="Base dates up to the newest one - this many days are deleted, except for the"
        " holdouts on which models are judged",
    )
    predictions_keep_days: int | None = Field(
        default=400,
        ge=1,
        description="Predictions that are older than this many days are deleted; none keeps all",
    )

"""When data that arrive, or change after they were trained on, start a run."""

import dagster as dg
from pydantic import Field


class ArrivalRules(dg.ConfigurableResource):
    """What the data sensors wait for, and how far back they look."""

    stable_minutes: int = Field(
        default=10,
        ge=1,
        description="Minutes without a new row after which yesterday's base date starts",
    )
    late_days: int = Field(
        default=3,
        ge=0,
        description="Number of the newest base dates that are trained again when their rows change",
    )

"""Where Dask workers are."""

import dagster as dg
from pydantic import Field


class DaskCluster(dg.ConfigurableResource):
    """Where Dask workers are, unless a run's configuration says otherwise."""

    scheduler: str | None = Field(
        default=None, description="Address such as tcp://host:8786; none: trials run locally"
    )

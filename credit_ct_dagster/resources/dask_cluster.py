"""The Dask scheduler whose workers fit trials."""

import dagster as dg
from pydantic import Field


class DaskCluster(dg.ConfigurableResource):
    """The Dask scheduler whose workers fit trials.

    Its address comes from the environment only: a search unpickles what the scheduler sends.
    """

    scheduler: str | None = Field(
        default=None,
        description="Address of the scheduler, such as tcp://host:8786. By default none: trials are"
        " fitted in the process of the run",
    )

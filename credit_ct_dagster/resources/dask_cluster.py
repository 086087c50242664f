"""The Dask scheduler whose workers fit trials and score customers."""

import dagster as dg
from pydantic import Field


class DaskCluster(dg.ConfigurableResource):
    """The Dask scheduler whose workers fit trials and score customers.

    Its address comes from the environment only: a run unpickles what the scheduler sends.
    """

    scheduler: str | None = Field(
        default=None,
        description="Address of the scheduler, such as tcp://host:8786. By default none: trials are"
        " fitted and customers scored in the process of the run",
    )

"""How a failure of the platform appears in a Dagster run."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from credit_ct_dagster.errors import CreditCtError, FeatureStoreUnavailableError


@contextmanager
def failing_clearly(base_dt: str) -> Iterator[None]:
    """Name the base date in a failure, and retry only what another attempt can mend."""
    try:
        yield
    except CreditCtError as error:
        raise dg.Failure(
            description=f"Base date {base_dt}: {error}",
            allow_retries=isinstance(error, FeatureStoreUnavailableError),
        ) from error

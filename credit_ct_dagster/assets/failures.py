"""How a failure of the platform appears in a Dagster run."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from credit_ct_dagster.errors import CreditCtError, FeatureStoreUnavailableError

RETRY_ONCE = dg.RetryPolicy(max_retries=1, delay=5)
"""One more attempt, after a moment in which a database may come back."""


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

"""One run at a time works on a base date."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self

import dagster as dg
from pydantic import Field, PrivateAttr
from sqlalchemy.exc import SQLAlchemyError

from credit_ct_dagster.databases import (
    alone,
    base_date_lock,
    location,
    parse_url,
    said_by,
)
from credit_ct_dagster.errors import UnavailableError
from credit_ct_dagster.partitions import PARTITION_TAG
from credit_ct_dagster.runs.processes import is_over


class BaseDateLock(dg.ConfigurableResource):
    """Held by a run as long as its resources live; a second run of the base date waits for it.

    While it is held, retention does not delete the rows of the base date.
    """

    url: str = Field(description="The feature store's database, which keeps the lock")

    _keep: Callable[[], None] | None = PrivateAttr(default=None)

    def keep(self) -> None:
        """Take the lock again if it was lost with its server; wait if another run has it now.

        Raises:
            UnavailableError: The database does not answer.
        """
        if self._keep is None:
            return
        try:
            self._keep()
        except SQLAlchemyError as error:
            raise UnavailableError(self._unavailable(error)) from error

    def _unavailable(self, error: SQLAlchemyError) -> str:
        return (
            f"the database at {location(parse_url(self.url, 'FEATURE_STORE_URL'))}, whose lock a"
            f" run needs, does not answer: {said_by(error)}. Check that it runs and that"
            " FEATURE_STORE_URL is right, then try again."
        )

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Self]:
        """Wait for other runs of the base date."""
        run = context.dagster_run
        base_dt = run.tags.get(PARTITION_TAG) if run else None
        # `dagster job execute` opens the resources once more when its run is over.
        if base_dt is None or _is_over(context):
            yield self
            return
        url = parse_url(self.url, "FEATURE_STORE_URL")
        try:
            lock = base_date_lock(base_dt)
            with alone(url, lock, lambda: _say_waiting(context, base_dt)) as self._keep:
                yield self
        except SQLAlchemyError as error:
            raise dg.Failure(f"Base date {base_dt}: {self._unavailable(error)}") from error


def _is_over(context: dg.InitResourceContext) -> bool:
    run = context.dagster_run
    assert run is not None
    return context.instance is not None and is_over(context.instance, run.run_id)


def _say_waiting(context: dg.InitResourceContext, base_dt: str) -> None:
    if context.log:
        context.log.info(f"Another run works on base date {base_dt}: waiting for it to end")

"""One run at a time works on a base date."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self

import dagster as dg
from pydantic import Field, PrivateAttr

from credit_ct_dagster.databases import location, parse_url
from credit_ct_dagster.errors.base import CreditCtError
from credit_ct_dagster.locks import base_date_lock_name, exclusive
from credit_ct_dagster.outages import Dependency, translated
from credit_ct_dagster.partitions import PARTITION_TAG
from credit_ct_dagster.runs.failures import failure
from credit_ct_dagster.runs.processes import is_over, record_run


class BaseDateLock(dg.ConfigurableResource):
    """Held by a run as long as its resources live; a second run of the base date waits for it.

    While it is held, retention does not delete the rows of the base date.
    """

    url: str = Field(description="SQLAlchemy URL of the feature store, which keeps the lock")

    model_name: str | None = Field(
        default=None, description="The model whose name the run is tagged with; none does not"
    )

    _ensure_held: Callable[[], bool] | None = PrivateAttr(default=None)

    def ensure_held(self) -> None:
        """Take the lock again if it was lost with its server; wait if another run holds it now.

        Every attempt of a step begins with it. Outside of a run there is no lock to hold.

        Raises:
            LockUnavailableError: The database does not answer.
        """
        if self._ensure_held is not None:
            with self._translated():
                self._ensure_held()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        url = parse_url(self.url, "FEATURE_STORE_URL")
        with translated(Dependency.lock, location(url), "the base date"):
            yield

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Self]:
        """Wait for other runs of the base date."""
        run = context.dagster_run
        base_dt = run.tags.get(PARTITION_TAG) if run else None
        # `dagster job execute` opens the resources once more when its run has ended.
        if run is None or _has_ended(context):
            yield self
            return
        if context.instance and self.model_name:
            record_run(context.instance, run, self.model_name)
        if base_dt is None:
            yield self
            return
        url = parse_url(self.url, "FEATURE_STORE_URL")
        lock = base_date_lock_name(base_dt)
        try:
            with (
                self._translated(),
                exclusive(url, lock, lambda: _log_waiting(context, base_dt)) as self._ensure_held,
            ):
                yield self
        except CreditCtError as error:
            raise failure(error, base_dt) from error


def _has_ended(context: dg.InitResourceContext) -> bool:
    run = context.dagster_run
    assert run is not None
    return context.instance is not None and is_over(context.instance, run.run_id)


def _log_waiting(context: dg.InitResourceContext, base_dt: str) -> None:
    if context.log:
        context.log.info(f"Another run works on base date {base_dt}: waiting for it to end")

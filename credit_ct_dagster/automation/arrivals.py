"""Recording, at the ticks of sensors, when labels and features arrived."""

from collections.abc import Mapping

import dagster as dg

from credit_ct_dagster.errors.base import CreditCtError
from credit_ct_dagster.resources.feature_store.store import FeatureStore

_TICK_SECONDS = 15
"""Of a tick, which the daemon gives up after 60; the beginning of a ledger takes several ticks."""
_WAIT_SECONDS = 5


def record_arrivals(
    context: dg.SensorEvaluationContext,
    feature_store: FeatureStore,
    since: Mapping[str, str],
    until: str | None = None,
) -> None:
    """Record what arrived; a tick goes on without it, and a later one records what is missing.

    Args:
        context: Of the tick.
        feature_store: Has the rows, and the ledger.
        since: Per source table, the day from which on its rows are dated.
        until: The day up to which they are dated. [default: any]
    """
    for table, day in since.items():
        try:
            lines = feature_store.arrivals.record(
                [table], day, until=until, most_seconds=_TICK_SECONDS, wait_seconds=_WAIT_SECONDS
            )
        except CreditCtError as error:
            context.log.warning(f"Arrivals are not recorded: {error}", extra={"code": error.code})
            return
        if count := lines.get(table):
            context.log.info(f"{count:,} rows of {table} are recorded as new or changed")

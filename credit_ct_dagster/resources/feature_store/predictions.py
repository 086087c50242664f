"""Predictions that the service logged, as far as their retention is concerned."""

from collections.abc import Iterator
from datetime import UTC, datetime

import sqlalchemy as sa

from credit_ct_dagster.resources.feature_store.columns import has_table
from credit_ct_dagster.resources.feature_store.engine import Database, until_not_rolled_back
from credit_ct_dagster.serving.log.table import predictions_table

_BATCH_ROWS = 5_000


class LoggedPredictions:
    """The table of the log; what is still in a spool is not counted and not deleted."""

    def __init__(self, database: Database) -> None:
        """Read nothing yet."""
        self._database = database
        self._table = predictions_table()

    def count_before(self, moment: datetime) -> int:
        """How many predictions are older than a moment; 0 without the table.

        Args:
            moment: With a time zone.
        """
        count = sa.select(sa.func.count()).where(self._table.c.time < _stored(moment))
        with self._database.transaction() as connection:
            if not has_table(connection, self._table):
                return 0
            return int(connection.scalar(count.select_from(self._table)) or 0)

    def delete_before(self, moment: datetime) -> int:
        """Delete those in short transactions, which hold up no service.

        If it is interrupted, what it deleted remains deleted.

        Args:
            moment: With a time zone.

        Returns:
            How many were deleted.

        Raises:
            FeatureStoreError: The database does not answer, or refuses.
        """
        return sum(self._batches(moment)) if self.count_before(moment) else 0

    def _batches(self, moment: datetime) -> Iterator[int]:
        while deleted := until_not_rolled_back(lambda: self._delete_some(moment)):
            yield deleted

    def _delete_some(self, moment: datetime) -> int:
        table = self._table
        oldest = (
            sa.select(table.c.prediction_id)
            .where(table.c.time < _stored(moment))
            .order_by(table.c.time)
            .limit(_BATCH_ROWS)
        )
        with self._database.transaction(writes=True) as connection:
            ids = list(connection.scalars(oldest))
            if ids:
                connection.execute(table.delete().where(table.c.prediction_id.in_(ids)))
            return len(ids)


def _stored(moment: datetime) -> datetime:
    """As the table has times: in UTC, without a time zone."""
    return moment.astimezone(UTC).replace(tzinfo=None)

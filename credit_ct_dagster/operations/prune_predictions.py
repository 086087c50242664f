"""How long the predictions of the service are retained in its log."""

from dataclasses import dataclass

from credit_ct_dagster.partitions import Calendar, end_of, last_expired
from credit_ct_dagster.resources.feature_store.predictions import LoggedPredictions
from credit_ct_dagster.resources.feature_store.store import FeatureStore


@dataclass(frozen=True)
class ExpiredPredictions:
    """Predictions that are old enough to be deleted.

    Attributes:
        until: The last day, in Seoul, on which they were made.
        rows: How many they are.
    """

    until: str
    rows: int

    def __str__(self) -> str:
        return f"predictions up to {self.until}: {self.rows:,}"


class PredictionRetention:
    """The table of the log; what is spooled is deleted when it is in the table."""

    def __init__(self, store: FeatureStore, calendar: Calendar, keep_days: int | None) -> None:
        """Read nothing yet.

        Args:
            store: Whose database has the log.
            calendar: Days are counted from its newest base date.
            keep_days: For how many days predictions are retained; None: for ever.
        """
        self._predictions = LoggedPredictions(store.database)
        self._calendar = calendar
        self._keep_days = keep_days

    def plan(self) -> ExpiredPredictions | None:
        """What is old enough; None if all are retained.

        Raises:
            FeatureStoreError: The database does not answer, or refuses.
        """
        until = last_expired(self._calendar.newest(), self._keep_days)
        if until is None:
            return None
        return ExpiredPredictions(until, self._predictions.count_before(end_of(until)))

    def carry_out(self, expired: ExpiredPredictions | None) -> int:
        """Delete them; returns how many were deleted.

        Raises:
            FeatureStoreError: The database does not answer, or refuses. Started again, it deletes
                the rest.
        """
        if expired is None or not expired.rows:
            return 0
        return self._predictions.delete_before(end_of(expired.until))

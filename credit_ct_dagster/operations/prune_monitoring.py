"""How long what was found about prediction days is retained.

As long as the predictions, but no shorter than it is evidence: what models in the shadow scored,
and every evaluation of a probation, decide until it ends.
"""

from dataclasses import dataclass

from rich.filesize import decimal

from credit_ct_dagster.contracts.files import MONITORING_FOLDER
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.partitions import Calendar, exists, last_expired


@dataclass(frozen=True)
class ExpiredMonitoring:
    """Records and pages of prediction days that are old enough to be deleted.

    Attributes:
        until: The last day that is old enough.
        days: The days that have any, oldest first.
        bytes: Size of their files.
    """

    until: str
    days: tuple[str, ...]
    bytes: int

    def __str__(self) -> str:
        return (
            f"monitoring of prediction days up to {self.until}: {len(self.days):,} days,"
            f" {decimal(self.bytes)}"
        )


class MonitoringRetention:
    """The folders of prediction days; nothing else refers to one that is so old."""

    def __init__(
        self,
        artifacts: ArtifactsIOManager,
        calendar: Calendar,
        keep_days: int | None,
        needed_days: int,
    ) -> None:
        """Read nothing yet.

        Args:
            artifacts: Where the folders are.
            calendar: Days are counted from its newest base date.
            keep_days: For how many days they are retained; None: for ever.
            needed_days: For how many days, at least, later days are judged by them.
        """
        self._artifacts = artifacts
        self._calendar = calendar
        self._keep_days = None if keep_days is None else max(keep_days, needed_days)

    def plan(self) -> ExpiredMonitoring | None:
        """What is old enough; None if all are retained.

        Raises:
            UnavailableError: The object store does not answer.
        """
        until = last_expired(self._calendar.newest(), self._keep_days)
        if until is None:
            return None
        sizes = self._artifacts.sizes(MONITORING_FOLDER)
        days = sorted(day for day in sizes if exists(day) and day <= until)
        return ExpiredMonitoring(until, tuple(days), sum(sum(sizes[day].values()) for day in days))

    def carry_out(self, expired: ExpiredMonitoring | None) -> int:
        """Delete them; returns the number of days that were deleted.

        Raises:
            ArtifactsNotWritableError: A file cannot be deleted.
            UnavailableError: The object store does not answer. Started again, it deletes the rest.
        """
        for day in expired.days if expired else ():
            self._artifacts.delete(MONITORING_FOLDER, day)
        return len(expired.days) if expired else 0

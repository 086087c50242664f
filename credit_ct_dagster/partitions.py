"""The calendar: base dates, their label windows, and when their rows expire."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg
from dateutil.relativedelta import relativedelta
from pydantic import Field

from credit_ct_dagster.days import days_after, days_before, days_between
from credit_ct_dagster.errors.inputs import BaseDateError

TIMEZONE = "Asia/Seoul"
PARTITION_TAG = "dagster/partition"
"""The tag by which Dagster knows the base date of a run."""


def clock(minutes: int) -> str:
    """Minutes after midnight as a time of day: `09:00`."""
    return f"{minutes // 60 % 24:02}:{minutes % 60:02}"


class Calendar(dg.ConfigurableResource):
    """Which days are base dates: from the first one on, those that have ended in Seoul."""

    first: str = Field(default="2025-01-01", description="The first base date, YYYY-MM-DD")
    training_due: int = Field(
        default=9 * 60,
        description="Minutes after midnight by which yesterday's base date should be trained",
    )
    health_due: int = Field(
        default=11 * 60,
        description="Minutes after midnight by which it should be known how the champion did"
        " yesterday",
    )

    @property
    def partitions(self) -> dg.DailyPartitionsDefinition:
        """The base dates as Dagster's partitions."""
        return dg.DailyPartitionsDefinition(start_date=self.first, timezone=TIMEZONE)

    def newest(self, now: datetime | None = None) -> str:
        """Yesterday in Seoul: the newest base date that has ended.

        Args:
            now: The moment to ask for. [default: now]

        Raises:
            BaseDateError: The first base date has not ended yet.
        """
        today = (now or datetime.now(UTC)).astimezone(ZoneInfo(TIMEZONE)).date()
        newest = (today - timedelta(days=1)).isoformat()
        if newest < self.first:
            raise BaseDateError(
                f"No base date has ended yet: the first is {self.first} (PARTITIONS_START)."
            )
        return newest

    def newest_due(self, minutes: int) -> str | None:
        """The newest day whose work should be done: yesterday, from a time of day in Seoul on.

        Args:
            minutes: `training_due` or `health_due`.
        """
        with dg.partition_loading_context() as now:
            earlier = now.effective_dt - timedelta(minutes=minutes)
        with dg.partition_loading_context(effective_dt=earlier):
            return self.partitions.get_last_partition_key()

    def parse(self, text: str) -> str:
        """Check that `text` is a base date that can be trained today.

        Raises:
            BaseDateError: Not a date, before the first base date, or not over yet in Seoul.
        """
        try:
            day = date.fromisoformat(text).isoformat()
        except ValueError:
            raise BaseDateError(f"'{text}' is not a date: write YYYY-MM-DD.") from None
        if day < self.first:
            raise BaseDateError(
                f"Base date {day} lies before the first one, {self.first}: choose a later date,"
                " or set PARTITIONS_START."
            )
        if day > self.newest():
            raise BaseDateError(
                f"Base date {day} has not ended in {TIMEZONE} yet: the newest is {self.newest()}."
            )
        return day


@dataclass(frozen=True)
class LabelWindow:
    """The labels that a base date trains on: one month, both ends included."""

    start: date
    end: date

    @classmethod
    def of(cls, base_dt: str) -> "LabelWindow":
        """The window of a base date.

        A month earlier is the same day of the previous month, or that month's last day where
        there is none: MySQL's `DATE_ADD(d, INTERVAL -1 MONTH)`.
        """
        end = date.fromisoformat(base_dt)
        return cls(start=end - relativedelta(months=1), end=end)

    @property
    def days(self) -> list[str]:
        """Every day that exists in the window, as `YYYY-MM-DD`."""
        length = (self.end - self.start).days
        return [(self.start + timedelta(days=n)).isoformat() for n in range(length + 1)]

    def __str__(self) -> str:
        return f"{self.start} to {self.end}"


def exists(day: str) -> bool:
    """Whether a date written YYYY-MM-DD is a day of the calendar."""
    try:
        return date.fromisoformat(day).isoformat() == day  # also takes 20250131 and 2025-W05-5
    except ValueError:
        return False


def day_after(day: str) -> str:
    """The next day, as `YYYY-MM-DD`."""
    return days_after(day, 1)


def end_of(day: str) -> datetime:
    """The moment at which a day ends in Seoul."""
    return datetime.fromisoformat(day_after(day)).replace(tzinfo=ZoneInfo(TIMEZONE))


def moment_of(moment: datetime) -> str:
    """A moment as people read it: to the minute, in Asia/Seoul, which it says.

    Args:
        moment: With a time zone.
    """
    return f"{moment.astimezone(ZoneInfo(TIMEZONE)):%Y-%m-%d %H:%M} {TIMEZONE}"


def day_of(timestamp: float) -> str:
    """The day in Seoul of a moment, given in seconds since 1970."""
    return datetime.fromtimestamp(timestamp, ZoneInfo(TIMEZONE)).date().isoformat()


def last_expired(base_dt: str, retention_days: int | None) -> str | None:
    """The newest base date whose rows are deleted when `base_dt` is merged; none if all stay."""
    if retention_days is None:
        return None
    return days_before(base_dt, retention_days)


def base_dates_after(base_dt: str, until: str) -> list[str]:
    """The base dates from the day after `base_dt` up to `until`."""
    return [days_after(base_dt, n + 1) for n in range(days_between(base_dt, until))]

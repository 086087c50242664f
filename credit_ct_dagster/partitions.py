"""The calendar: base dates, their label windows, and when their rows expire."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg
from dateutil.relativedelta import relativedelta

from credit_ct_dagster.errors import CreditCtError
from credit_ct_dagster.settings import get_settings

TIMEZONE = "Asia/Seoul"

base_date_partitions = dg.DailyPartitionsDefinition(
    start_date=get_settings().partitions_start.isoformat(), timezone=TIMEZONE
)


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
        date.fromisoformat(day)
    except ValueError:
        return False
    return True


def day_of(timestamp: float) -> str:
    """The day in Seoul of a moment, given in seconds since 1970."""
    return datetime.fromtimestamp(timestamp, ZoneInfo(TIMEZONE)).date().isoformat()


def last_expired(base_dt: str, retention_days: int | None) -> str | None:
    """The newest base date whose rows are deleted when `base_dt` is merged; none if all stay."""
    if retention_days is None:
        return None
    return (date.fromisoformat(base_dt) - timedelta(days=retention_days)).isoformat()


def newest_base_date() -> str:
    """Yesterday in Seoul: the newest base date that has ended.

    Raises:
        CreditCtError: The first base date is still to come.
    """
    newest = base_date_partitions.get_last_partition_key()
    if newest is None:
        raise CreditCtError(
            f"No base date has ended yet: the first is {base_date_partitions.start.date()}"
            " (PARTITIONS_START)."
        )
    return newest


def parse_base_date(text: str) -> str:
    """Check that `text` is a base date that can be trained today.

    Raises:
        CreditCtError: Not a date, before the first base date, or not over yet in Seoul.
    """
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise CreditCtError(f"'{text}' is not a date: write YYYY-MM-DD.") from None
    first = base_date_partitions.start.date()
    if day < first:
        raise CreditCtError(
            f"Base date {day} lies before the first one, {first}: choose a later date,"
            " or set PARTITIONS_START."
        )
    if day.isoformat() > newest_base_date():
        raise CreditCtError(
            f"Base date {day} has not ended in {TIMEZONE} yet: the newest is {newest_base_date()}."
        )
    return day.isoformat()

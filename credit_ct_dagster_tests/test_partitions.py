"""The calendar."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from credit_ct_dagster.errors.inputs import BaseDateError
from credit_ct_dagster.partitions import (
    TIMEZONE,
    Calendar,
    LabelWindow,
    base_dates_after,
    exists,
    last_expired,
    moment_of,
)

_CALENDAR = Calendar()
_DAYS = st.dates(date(2025, 1, 1), date(2040, 12, 31))


@pytest.mark.parametrize(
    ("base_dt", "start"),
    [
        ("2025-03-31", "2025-02-28"),
        ("2024-03-31", "2024-02-29"),
        ("2025-03-10", "2025-02-10"),
        ("2025-01-31", "2024-12-31"),
        ("2025-07-31", "2025-06-30"),
    ],
)
def test_a_month_earlier_is_mysqls_month(base_dt: str, start: str) -> None:
    """The window starts where MySQL's INTERVAL -1 MONTH puts it."""
    assert LabelWindow.of(base_dt).start.isoformat() == start


@given(_DAYS)
def test_window_lists_every_day_once(day: date) -> None:
    """The days run without a gap from the start to the base date, both included."""
    window = LabelWindow.of(day.isoformat())
    days = window.days
    assert days[0] == window.start.isoformat()
    assert days[-1] == day.isoformat()
    assert len(set(days)) == len(days) == (day - window.start).days + 1
    assert 29 <= len(days) <= 32


@pytest.mark.parametrize("day", ["2025-02-29", "20250131", "2025-W05-5", "2025-1-31", "x", ""])
def test_a_day_exists_only_as_it_is_written_everywhere(day: str) -> None:
    """Another way to write a day sorts, and compares, as another day."""
    assert exists("2025-01-31")
    assert not exists(day)


@given(_DAYS, st.integers(1, 400))
def test_expiry_keeps_retention_days_and_the_base_date(day: date, retention: int) -> None:
    """Exactly the base dates less than `retention` days old stay."""
    expired = last_expired(day.isoformat(), retention)
    assert expired == (day - timedelta(days=retention)).isoformat()
    assert expired < day.isoformat()
    assert last_expired(day.isoformat(), None) is None


def test_partitions_are_days_in_seoul() -> None:
    """A base date is a calendar day in Asia/Seoul."""
    window = _CALENDAR.partitions.time_window_for_partition_key("2025-01-31")
    assert window.start.isoformat() == "2025-01-31T00:00:00+09:00"
    assert window.end.isoformat() == "2025-02-01T00:00:00+09:00"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2025-02-29", "not a date"),
        ("yesterday", "not a date"),
        ("2024-12-31", "before the first one, 2025-01-01"),
        ("2999-01-01", "has not ended in Asia/Seoul yet"),
    ],
)
def test_unusable_base_dates_are_refused_in_a_sentence(text: str, reason: str) -> None:
    """The message names the date and the reason."""
    with pytest.raises(BaseDateError, match=reason) as refused:
        _CALENDAR.parse(text)
    assert text in str(refused.value)


def test_newest_base_date_can_be_trained() -> None:
    """The newest base date is accepted as one, and is the newest partition."""
    newest = _CALENDAR.newest()
    assert _CALENDAR.parse(newest) == newest
    assert newest in _CALENDAR.partitions.get_partition_keys()


def test_a_calendar_begins_on_its_first_day() -> None:
    """PARTITIONS_START moves the partitions, and what is accepted."""
    calendar = Calendar(first="2025-02-10")
    assert calendar.partitions.get_first_partition_key() == "2025-02-10"
    assert calendar.parse("2025-02-10") == "2025-02-10"
    with pytest.raises(BaseDateError, match="before the first one, 2025-02-10"):
        calendar.parse("2025-02-09")


@pytest.mark.parametrize(
    ("now", "newest"), [("2025-02-11 00:00", "2025-02-10"), ("2025-02-12 23:59", "2025-02-11")]
)
def test_the_newest_base_date_is_yesterday_in_seoul(now: str, newest: str) -> None:
    """From midnight on, and never one before the first."""
    in_seoul = datetime.fromisoformat(now).replace(tzinfo=ZoneInfo(TIMEZONE))
    calendar = Calendar(first="2025-02-10")
    assert calendar.newest(in_seoul) == newest
    with pytest.raises(BaseDateError, match="No base date has ended yet: the first is 2025-02-10"):
        calendar.newest(in_seoul - timedelta(days=2))


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2025-02-03 08:59", "2025-02-01"),
        ("2025-02-03 09:00", "2025-02-02"),
        ("2025-02-03 23:59", "2025-02-02"),
        ("2025-01-02 08:59", None),
        ("2025-01-02 09:00", "2025-01-01"),
    ],
)
def test_yesterday_is_due_at_nine_in_seoul(now: str, due: str | None) -> None:
    """Before that, the day before is the newest."""
    in_seoul = datetime.fromisoformat(now).replace(tzinfo=ZoneInfo("Asia/Seoul"))
    with dg.partition_loading_context(effective_dt=in_seoul):
        assert _CALENDAR.newest_due(_CALENDAR.training_due) == due


def test_yesterday_is_due_at_another_hour() -> None:
    """For what has to be done later in the day."""
    for minute, due in (("10:59", "2024-12-31"), ("11:00", "2025-01-01")):
        now = datetime.fromisoformat(f"2025-01-02 {minute}").replace(tzinfo=ZoneInfo("Asia/Seoul"))
        with dg.partition_loading_context(effective_dt=now):
            calendar = Calendar(first="2024-12-01")
            newest = calendar.newest_due(calendar.health_due)
        assert newest == due


def test_base_dates_after_another() -> None:
    """Without the first, with the last; none when there is none between."""
    assert base_dates_after("2025-02-27", "2025-03-01") == ["2025-02-28", "2025-03-01"]
    assert base_dates_after("2025-03-01", "2025-03-01") == []


def test_a_moment_for_people_says_its_time_zone() -> None:
    """Records have it in UTC."""
    recorded = datetime(2025, 2, 28, 20, 42, 59, tzinfo=UTC)
    assert moment_of(recorded) == "2025-03-01 05:42 Asia/Seoul"

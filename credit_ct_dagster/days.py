"""Arithmetic with days that are written `YYYY-MM-DD`."""

from datetime import date, timedelta


def days_before(day: str, days: int) -> str:
    """The day that many days earlier."""
    return days_after(day, -days)


def days_after(day: str, days: int) -> str:
    """The day that many days later."""
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()


def days_between(first: str, last: str) -> int:
    """Days from one day to another; below 0 if the other is earlier."""
    return (date.fromisoformat(last) - date.fromisoformat(first)).days

"""Arithmetic with days as texts."""

from credit_ct_dagster.days import days_after, days_before, days_between


def test_days_are_counted_over_months_and_years() -> None:
    """Leap days count; backwards as forwards."""
    assert days_after("2024-02-28", 2) == "2024-03-01"
    assert days_before("2025-01-01", 1) == "2024-12-31"
    assert days_between("2024-02-28", "2024-03-01") == 2
    assert days_between("2024-03-01", "2024-02-28") == -2

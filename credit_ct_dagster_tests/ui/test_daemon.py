"""What Dagster's daemon writes of sensors."""

import logging

from credit_ct_dagster.ui.daemon import OnlyNews, is_warning

_TICK = "Checking for new runs for sensor: "


def _written(*lines: str) -> list[str]:
    news = OnlyNews()
    records = [logging.makeLogRecord({"msg": line}) for line in lines]
    return [each.getMessage() for each in records if news.filter(each)]


def test_a_sensor_that_has_nothing_new_to_say_writes_nothing() -> None:
    """Its reason is written when it is another one, and what it starts always."""
    late, other = "Sensor late_data_sensor skipped: ", "Sensor mail_alerts_sensor skipped: "
    launched = "Launching run for late_data_sensor"
    lines = [
        f"{_TICK}late_data_sensor", f"{late}nothing is late",
        f"{_TICK}mail_alerts_sensor", f"{other}Not configured",
        f"{_TICK}late_data_sensor", f"{late}nothing is late",
        f"{_TICK}late_data_sensor", f"{late}2025-07-01 waits",
        f"{_TICK}late_data_sensor", launched,
        f"{_TICK}late_data_sensor", f"{late}2025-07-01 waits",
        f"{_TICK}mail_alerts_sensor", f"{other}Not configured",
    ]  # fmt: skip
    assert _written(*lines) == [
        f"{late}nothing is late", f"{other}Not configured", f"{late}2025-07-01 waits",
        launched, f"{late}2025-07-01 waits",
    ]  # fmt: skip


def test_failures_are_always_written() -> None:
    """However often."""
    failure = "Sensor daemon caught an error for sensor new_data_sensor"
    assert _written(failure, failure) == [failure, failure]


def test_what_is_routine_of_runs_is_not_written() -> None:
    """Warnings and errors are."""
    levels = [logging.INFO, logging.WARNING, logging.ERROR]
    records = [logging.makeLogRecord({"levelno": level}) for level in levels]
    assert [each.levelno for each in records if is_warning(each)] == levels[1:]

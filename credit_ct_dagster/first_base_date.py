"""Where the base dates of the embedded default begin: with the data that were loaded first."""

import time
from datetime import date
from pathlib import Path
from typing import ClassVar

from upath import UPath

from credit_ct_dagster.contracts.record import Record
from credit_ct_dagster.days import days_before
from credit_ct_dagster.io_managers.publishing import publish
from credit_ct_dagster.partitions import day_of
from credit_ct_dagster.settings import Settings

_LONGEST_HISTORY_DAYS = 3_652
"""Ten years: labels of earlier days begin no base dates, as one typo in a date would be enough."""


class FirstBaseDate(Record):
    """The day on which the labels of the embedded feature store begin.

    Attributes:
        base_dt: The first base date.
    """

    FILE: ClassVar[str] = "var/first_base_date.json"
    REMEDY: ClassVar[str] = "set PARTITIONS_START to the first base date, and delete the file"

    base_dt: date


def first_base_date(settings: Settings) -> str:
    """PARTITIONS_START; of the embedded default, the day on which its labels begin.

    Raises:
        UnreadableRecordError: The recorded day cannot be read.
    """
    recorded = _recorded() if begin_with_labels(settings) else None
    return (recorded.base_dt if recorded else settings.partitions_start).isoformat()


def begin_with_labels(settings: Settings) -> bool:
    """Whether base dates begin with the labels that are loaded: those of the embedded default."""
    # Child processes find the default in their environment, too (`Settings.exported`).
    is_embedded = settings.feature_store_url == Settings.model_fields["feature_store_url"].default
    return is_embedded and "partitions_start" not in settings.model_fields_set


def earliest_first_label() -> str:
    """The earliest day on which base dates may begin by a label."""
    return days_before(day_of(time.time()), _LONGEST_HISTORY_DAYS)


def record_first_label(settings: Settings, day: str, *, is_first_load: bool) -> bool:
    """Let base dates begin with the labels of the embedded default, as they are loaded.

    They never begin later than before: base dates that have been trained stay base dates. Labels
    that were there before this release began to record it leave PARTITIONS_START as it is.

    Args:
        settings: Of the environment.
        day: The earliest date of a label, which exists, from `earliest_first_label` on.
        is_first_load: Whether there was no such label before.

    Returns:
        Whether it is the first base date now.
    """
    first, before = date.fromisoformat(day), _recorded()
    if not begin_with_labels(settings) or (before is None and not is_first_load):
        return False
    if before is not None and before.base_dt <= first:
        return False
    file = Path(FirstBaseDate.FILE)
    file.parent.mkdir(exist_ok=True)
    publish(UPath(file), FirstBaseDate(base_dt=first).to_json())
    return True


def _recorded() -> FirstBaseDate | None:
    file = Path(FirstBaseDate.FILE)
    return FirstBaseDate.from_json(file.read_bytes(), str(file)) if file.exists() else None

"""The rows of base dates as a merge would return them now, read only if they may have changed."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from typing import ClassVar

import dagster as dg

from credit_ct_dagster.contracts.record import Part, Record
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.partitions import LabelWindow
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.runs.cursors import stored_cursor

_TICKS_OF_AN_HOUR = 6


class ReadRows(Part):
    """The rows of a base date when they were last read.

    Attributes:
        digest: Of their labels and features, as the database summed it up just before.
        point_in_time: How they are merged.
        fingerprint: Of the rows.
    """

    digest: str
    point_in_time: bool
    fingerprint: str


class LateDataCursor(Record):
    """What `late_data_sensor` saw at its last tick.

    Attributes:
        read: Per base date, the rows that were read.
        ticks: How many ticks ago arrivals were recorded.
    """

    REMEDY: ClassVar[str] = "reset the cursor of the sensor in the UI"

    read: Mapping[str, ReadRows] = {}
    ticks: int = 0


@dataclass
class LateDataRows:
    """What one tick reads.

    Attributes:
        store: Has labels and features.
        newest: The newest base date.
        days: How many of the newest base dates may be asked for.
        before: What the last tick saw; None if there was none.
    """

    store: FeatureStore
    newest: str
    days: int
    before: LateDataCursor | None
    _read: dict[str, ReadRows] = field(default_factory=dict)

    @classmethod
    def of_tick(
        cls, context: dg.SensorEvaluationContext, store: FeatureStore, newest: str, days: int
    ) -> "LateDataRows":
        """With what the cursor holds; one that cannot be read lets all rows be read again."""
        otherwise = "All rows are read again."
        before = stored_cursor(context, LateDataCursor, "late_data_sensor", otherwise)
        return cls(store, newest, days, before)

    @cached_property
    def first_day(self) -> str:
        """The first day of the label window of the oldest of these base dates."""
        oldest = date.fromisoformat(self.newest) - timedelta(days=max(self.days - 1, 0))
        return LabelWindow.of(oldest.isoformat()).start.isoformat()

    def fingerprint(self, base_dt: str, *, point_in_time: bool) -> str:
        """The fingerprint of a base date's rows.

        What changes between the digest and the reading has another digest at the next tick, and is
        read again then.
        """
        # Half a second to import pandas, which whoever only loads the definitions does not need.
        from credit_ct_dagster.modeling.rows.splitting import data_fingerprint

        digest = self._digest(base_dt)
        rows = self.before.read.get(base_dt) if self.before else None
        if rows is None or (rows.digest, rows.point_in_time) != (digest, point_in_time):
            found = data_fingerprint(self.store.source_rows(base_dt, point_in_time=point_in_time))
            rows = ReadRows(digest=digest, point_in_time=point_in_time, fingerprint=found)
        self._read[base_dt] = rows
        return rows.fingerprint

    def cursor(self) -> LateDataCursor:
        """For the next tick; without ticks, if arrivals are to be recorded now.

        That is when rows changed, and once an hour, for rows of customers without a label.
        """
        if self.before is None or self._read != self.before.read:
            return LateDataCursor(read=self._read)
        return LateDataCursor(read=self._read, ticks=(self.before.ticks + 1) % _TICKS_OF_AN_HOUR)

    def _digest(self, base_dt: str) -> str:
        """Of all labels and features of a base date."""
        window = LabelWindow.of(base_dt).days
        days = (f"{day}={self._per_day[day]}" for day in window if day in self._per_day)
        # A feature that a release adds changes the rows, although no value of it is there yet.
        text = "\n".join([*schema.MERGED_COLUMNS, *days])
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    @cached_property
    def _per_day(self) -> Mapping[str, str]:
        return self.store.row_digests(self.first_day, self.newest)

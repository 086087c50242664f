"""Records of assets in Dagster's history, which is all that the UI's server has."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Generic, Protocol, Self, TypeVar

import dagster as dg

from credit_ct_dagster.contracts.record import Record
from credit_ct_dagster.partitions import exists
from credit_ct_dagster.resources.dagster_ui import PACKED_RECORD

_LOOKED_AT = 50
"""Materializations of a day: those of other models are passed over."""

_SHOWN_IN_FULL = 1000
"""Dagster shows shorter JSON on an asset's page, which one word of that length makes too wide."""


def packed_record(record: Record) -> dict[str, dg.MetadataValue]:
    """Metadata that no person reads: the record from which the UI's server makes pages."""
    packed = record.packed()
    content = {PACKED_RECORD: packed, "filler": " " * (_SHOWN_IN_FULL - len(packed))}
    return {PACKED_RECORD: dg.MetadataValue.json(content)}


class PackedRecord(Protocol):
    """A record of a prediction day of one model."""

    @property
    def model_name(self) -> str:
        """Whose."""

    @classmethod
    def from_packed(cls, text: str, where: str) -> Self:
        """See `Record.from_packed`."""


_R = TypeVar("_R", bound=PackedRecord)


@dataclass(frozen=True)
class PackedRecords(Generic[_R]):
    """The records of an asset.

    Attributes:
        instance: Whose history has them.
        asset: Which asset.
        kind: What its records are.
    """

    instance: dg.DagsterInstance
    asset: dg.AssetKey
    kind: type[_R]

    def of_day(self, model: str, day: str) -> Iterator[_R]:
        """The records of a day, the newest one first; of any model without a name.

        Raises:
            NewerRecordError: A later release wrote one.
            UnreadableRecordError: One cannot be read.
        """
        wanted = dg.AssetRecordsFilter(self.asset, asset_partitions=[day])
        for each in self.instance.fetch_materializations(wanted, limit=_LOOKED_AT).records:
            made = each.asset_materialization
            packed = made.metadata.get(PACKED_RECORD) if made else None
            data = packed.value if packed else None
            if not isinstance(data, dict):
                continue
            where = f"The materialization of {self.asset.to_user_string()} in run {each.run_id}"
            record = self.kind.from_packed(str(data.get(PACKED_RECORD)), where)
            if model in ("", record.model_name):
                yield record

    def days(self) -> list[str]:
        """The days that were ever materialized, the newest one first."""
        return sorted(
            filter(exists, self.instance.get_materialized_partitions(self.asset)), reverse=True
        )

    def newest(self, model: str, first_day: str, last_day: str) -> Iterator[_R]:
        """The newest record of each day that has one, the earliest day first; see `of_day`."""
        for day in reversed(self.days()):
            if first_day <= day <= last_day:
                yield from islice(self.of_day(model, day), 1)

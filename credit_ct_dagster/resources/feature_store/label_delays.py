"""How many days after their date labels arrive."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from credit_ct_dagster.partitions import day_of, exists, moment_of

_QUANTILES = (0.1, 0.5, 0.9, 1.0)


@dataclass(frozen=True)
class LabelDelays:
    """What the ledger of arrivals says of the last days.

    Attributes:
        days: How many days it is about.
        labels: Labels that arrived in this time, without those that were there when the ledger
            began.
        quantiles: The days from a label's date to its arrival in Seoul, by the share of labels
            that arrived within them: .1, .5, .9 and 1; empty without labels. Negative where labels
            are dated after they arrived.
        changed: Per source table, states of rows that replaced earlier ones in this time.
        complete_since: When the ledger began, in UTC: what had come before has no known delay.
    """

    days: int
    labels: int
    quantiles: Mapping[float, int]
    complete_since: datetime
    changed: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        recorded = f"arrivals are recorded since {moment_of(self.complete_since)}"
        if not self.quantiles:
            return (
                f"{recorded}; except for what was there by then, no label arrived in the last"
                f" {self.days} days"
            )
        low, middle, high, longest = (self.quantiles[share] for share in _QUANTILES)
        return (
            f"{recorded}; of {self.labels:,} labels that arrived in the last {self.days} days, half"
            f" came within {middle} days of their date, 80 % after {low} to {high} days, the latest"
            f" after {longest}"
        )


def delays_of(arrived: Iterable[tuple[str, str, int]]) -> dict[int, int]:
    """How many labels arrived so many days after their date.

    Args:
        arrived: The date of labels, the hour at which they were first seen (UTC, `YYYY-MM-DD HH`)
            and how many they are. Dates that do not exist are left out.
    """
    per_delay: dict[int, int] = {}
    for day, hour, labels in arrived:
        if exists(day):
            seen = datetime.strptime(hour, "%Y-%m-%d %H").replace(tzinfo=UTC)
            arrival = date.fromisoformat(day_of(seen.timestamp()))
            delay = (arrival - date.fromisoformat(day)).days
            per_delay[delay] = per_delay.get(delay, 0) + labels
    return per_delay


def quantiles_of(per_delay: Mapping[int, int]) -> dict[float, int]:
    """The quantiles of `LabelDelays`, of labels per delay."""
    return {share: _within(per_delay, share) for share in _QUANTILES} if per_delay else {}


def _within(per_delay: Mapping[int, int], share: float) -> int:
    """The shortest delay within which at least this share of labels arrived."""
    needed, arrived = share * sum(per_delay.values()), 0
    delays = sorted(per_delay)
    for delay in delays:
        arrived += per_delay[delay]
        if arrived >= needed:
            return delay
    return delays[-1]

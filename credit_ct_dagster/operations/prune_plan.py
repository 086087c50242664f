"""What deleting old base dates would delete, and what became of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from credit_ct_dagster.errors.base import CreditCtError


@dataclass(frozen=True)
class Amount:
    """How much a store holds.

    Attributes:
        items: How many files, packages, runs, versions, studies or scores.
        bytes: Size of their files; rows in databases are not counted.
    """

    items: int = 0
    bytes: int = 0

    @classmethod
    def of(cls, sizes: Iterable[int]) -> "Amount":
        """The amount of items of these sizes."""
        counted = list(sizes)
        return cls(len(counted), sum(counted))

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.items + other.items, self.bytes + other.bytes)


@dataclass(frozen=True)
class Plan:
    """What a retention would delete.

    Attributes:
        last_expired: The newest base date that is old enough to be deleted.
        expired: Per base date and store, how much is deleted.
        retained: Base dates that are old enough but retained, each with the reason.
        holdouts: Base dates of which only the holdout is retained, each with the reason.
    """

    last_expired: str
    expired: Mapping[str, Mapping[str, Amount]]
    retained: Mapping[str, str]
    holdouts: Mapping[str, str] = field(default_factory=dict)

    def total(self) -> dict[str, Amount]:
        """How much is deleted per store."""
        total: dict[str, Amount] = {}
        for stores in self.expired.values():
            for store, amount in stores.items():
                total[store] = total.get(store, Amount()) + amount
        return total


@dataclass(frozen=True)
class Outcome:
    """What became of a base date that was to be deleted.

    Attributes:
        base_dt: The base date.
        deleted: Whether it was deleted.
        error: Why it could not be; None if it came into use in the meantime.
        holdout: Why its holdout is retained; None if it was deleted, too.
    """

    base_dt: str
    deleted: bool
    error: CreditCtError | None = None
    holdout: str | None = None

    def __str__(self) -> str:
        if self.deleted and self.holdout:
            return f"Deleted base date {self.base_dt} except its holdout: {self.holdout}"
        if self.deleted:
            return f"Deleted base date {self.base_dt}"
        if self.error:
            return f"Base date {self.base_dt} was not deleted: {self.error}"
        return f"Retained base date {self.base_dt}: it came into use in the meantime"

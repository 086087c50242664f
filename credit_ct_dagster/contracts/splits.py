"""What the splits of a base date hold."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from credit_ct_dagster.contracts.files import SCALERS_FILE, SPLITS_SUMMARY_FILE
from credit_ct_dagster.contracts.record import Part, Record


class Quarantine(Part):
    """The rows that break a rule.

    Attributes:
        rows: How many.
        share: Of all merged rows, 0 to 1.
        max_share: The share up to which the base date goes on.
        per_rule: Rows per rule that they break; a row may break several.
        sentence: The same for a person, without any value of a row.
    """

    rows: int
    share: float
    max_share: float
    per_rule: Mapping[str, int]
    sentence: str


class RecentRows(Part):
    """The merged rows of the last days of a label window.

    Attributes:
        since: Their first day.
        rows: How many.
        present: Per feature, the share of them that have a value.
    """

    since: str
    rows: int
    present: Mapping[str, float]


class Limits(Part):
    """Between which values a number must lie, both included; None: no limit."""

    low: float | None = None
    high: float | None = None


class SplitsSummary(Record):
    """Rows, customers and labels of the splits, and the hashes by which they are recognised.

    Attributes:
        base_dt: The base date.
        window: Its label window, for a person.
        data_fingerprint: A hash of the merged rows, before any was set aside.
        fingerprints: A hash of the prepared rows per split.
        scalers_fingerprint: A hash of the scalers.
        rows: Rows per split.
        customers: Customers per split.
        labels: Per split, rows per class.
        seen_share: Share of customers, by position, that a model is fitted to or chosen by.
        quarantine: The rows that break a rule.
        shares: Share of the customers, by position, that each split was configured to have; empty
            in records of release 0.1, as the next two.
        largest_customer_rows: Rows of the customer with most of them.
        present: Per feature, the share of the merged rows that have a value.
        largest_customer_rows_of: Per split, rows of the customer with most of them; empty in
            records of earlier releases.
        recent: The rows of the last week of the window; None in records of earlier releases.
        limits: Of the numbers, as the rules for rows were configured; empty in records of earlier
            releases.
    """

    FILE: ClassVar[str] = SPLITS_SUMMARY_FILE
    REMEDY: ClassVar[str] = "materialize preprocessed_splits for this base date"

    base_dt: str
    window: str
    data_fingerprint: str
    fingerprints: Mapping[str, str]
    scalers_fingerprint: str
    rows: Mapping[str, int]
    customers: Mapping[str, int]
    labels: Mapping[str, Mapping[str, int]]
    seen_share: float
    quarantine: Quarantine
    shares: Mapping[str, float] = Field(default_factory=dict)
    largest_customer_rows: int = 0
    present: Mapping[str, float] = Field(default_factory=dict)
    largest_customer_rows_of: Mapping[str, int] = Field(default_factory=dict)
    recent: RecentRows | None = None
    limits: Mapping[str, Limits] = Field(default_factory=dict)


class Scale(Part):
    """What one scaler learned: a number x becomes (x - center) / scale.

    Attributes:
        center: The median; None if it is not finite.
        scale: The interquartile range; None if it is not finite.
    """

    center: float | None
    scale: float | None


class ScalersRecord(Record):
    """What the scalers of a base date learned, per numeric feature."""

    FILE: ClassVar[str] = SCALERS_FILE
    REMEDY: ClassVar[str] = "materialize preprocessed_splits for this base date"

    columns: Mapping[str, Scale]

"""By how much features are dated after their labels, where none is dated on or before them."""

from datetime import date
from statistics import median

from credit_ct_dagster.partitions import LabelWindow, exists
from credit_ct_dagster.resources.feature_store.engine import Database
from credit_ct_dagster.resources.feature_store.requirements import usable_sources
from credit_ct_dagster.resources.feature_store.statements import (
    ONLY_LATER_FEATURES,
    bound,
    window_values,
)

_SAMPLE = 1_000


def why_later_features(database: Database, base_dt: str) -> str:
    """By how many days the first features of labels are dated after them, as a sentence.

    Args:
        database: Of the feature store.
        base_dt: The base date, some of whose labels have later features only.
    """
    with database.transaction() as connection:
        sources = usable_sources(connection, database.location)
        values = window_values(LabelWindow.of(base_dt)) | {"most": _SAMPLE}
        names = ("days_of_labels", *ONLY_LATER_FEATURES, "at_most")
        statement = bound(connection.dialect, *names, sources=sources, **values)
        found = [(str(label), str(feature)) for label, feature in connection.execute(statement)]
    later = [_days(label, feature) for label, feature in found if exists(feature)]
    sentences = []
    if later:
        sentences.append(
            f"The first features of {len(later):,} of these labels are dated"
            f" {_range(min(later), max(later))} after them (median {median(later):g})."
        )
    if len(later) < len(found):
        sentences.append(
            f"The features of {len(found) - len(later):,} have no date that can be read: write it"
            " YYYY-MM-DD."
        )
    return " ".join(sentences)


def _days(label: str, feature: str) -> int:
    return (date.fromisoformat(feature) - date.fromisoformat(label)).days


def _range(low: int, high: int) -> str:
    return f"{low} {'day' if low == 1 else 'days'}" if low == high else f"{low} to {high} days"

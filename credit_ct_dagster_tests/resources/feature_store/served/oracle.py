"""Which label belongs to an answer, in plain Python."""

from collections.abc import Iterable
from datetime import date, timedelta

from credit_ct_dagster.modeling import schema


def day_of(text: object) -> date | None:
    """A day that exists, written YYYY-MM-DD, and does not stand for an unknown one."""
    try:
        day = date.fromisoformat(str(text))
    except ValueError:
        return None
    return day if day.isoformat() == text and day.year < 9000 else None


def label_of(
    customer: str | None,
    feature_date: str | None,
    prediction_day: str,
    labels: Iterable[tuple[str, str, str, str]],
    label_days: int,
) -> tuple[str, str] | None:
    """The label of an answer, and its date.

    Args:
        customer: Whose answer.
        feature_date: As it was logged.
        prediction_day: Of the answer.
        labels: id, customer, date and class.
        label_days: How many days later a label may be dated.
    """
    first = day_of(feature_date) or date.fromisoformat(prediction_day)
    candidates = [
        (day, name, word)
        for name, whose, dated, word in labels
        if whose == customer
        and (day := day_of(dated)) is not None
        and first <= day <= first + timedelta(days=label_days)
        and word in schema.CLASSES
    ]
    if not candidates:
        return None
    earliest = min(day for day, _, _ in candidates)
    _, word = max((name.encode(), word) for day, name, word in candidates if day == earliest)
    return word, earliest.isoformat()

"""The figures of prediction days, from the records of each."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta

from credit_ct_dagster.contracts.health import AnswerVolume, DayFigures
from credit_ct_dagster.contracts.served_performance import (
    EstimatedPerformance,
    ServedPerformance,
    TagEstimate,
    TagPerformance,
)
from credit_ct_dagster.contracts.serving_skew import ServingSkew


def days_until(day: str, known: Iterable[str], most: int) -> list[str]:
    """Every day from the first one of which something is known, up to a day.

    Args:
        day: The last one.
        known: Days of which something is known.
        most: How many days at the most.
    """
    end = date.fromisoformat(day)
    first = min([day, *known])
    days = [(end - timedelta(days=number)).isoformat() for number in reversed(range(most))]
    return [each for each in days if each >= first]


def figures_of(
    days: Sequence[str],
    volumes: Mapping[str, tuple[AnswerVolume, ...]],
    performance: Mapping[str, ServedPerformance],
    estimated: Mapping[str, EstimatedPerformance],
    skew: Mapping[str, ServingSkew],
) -> list[DayFigures]:
    """What is known of each day; of several packages, the one that gave most answers.

    Args:
        days: In order.
        volumes: Per day; a day without answers has none.
        performance: Per day.
        estimated: Per day.
        skew: Per day; of the last day only, it is in the figures.
    """
    return [
        DayFigures(
            day=day,
            volumes=volumes.get(day, ()),
            **_performance(performance.get(day)),
            estimated_accuracy=_estimated(estimated.get(day)),
            disagreeing=_disagreeing(skew.get(day)) if day == days[-1] else None,
        )
        for day in days
    ]


def volumes_per_source(days: Sequence[DayFigures]) -> dict[str, dict[str, int]]:
    """Answers per source and day: 0 on a day without any, none before its first answer."""
    sources = sorted({each.source for day in days for each in day.volumes})
    found: dict[str, dict[str, int]] = {}
    for source in sources:
        rows = {day.day: day.rows(source) for day in days}
        first = min(day for day, number in rows.items() if number)
        found[source] = {day: number for day, number in rows.items() if day >= first}
    return found


def _performance(record: ServedPerformance | None) -> dict[str, object]:
    if record is None:
        return {}
    main: TagPerformance | None = record.models[0] if record.models else None
    metrics = main.metrics if main else None
    return {
        "answers": record.answers,
        "labelled": record.labelled,
        "accuracy": metrics.accuracy if metrics else None,
        "macro_f1": metrics.macro_f1 if metrics else None,
    }


def _estimated(record: EstimatedPerformance | None) -> object:
    main: TagEstimate | None = record.models[0] if record and record.models else None
    return main.answers.accuracy if main and main.answers else None


def _disagreeing(record: ServingSkew | None) -> dict[str, float] | None:
    if record is None or not record.compared:
        return None
    return {each.feature: each.share.value for each in record.features}

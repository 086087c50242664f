"""What the streams show, as tables."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, median, quantiles
from typing import Any, Self

import numpy as np

from benchmarks.bootstrap import of_shares, ratio, shown
from benchmarks.stream_gate import Outcome
from benchmarks.stream_studies import (
    PATIENCE_DAYS,
    SIZES,
    Sharpened,
    Streams,
    Wait,
    apart,
    blocked,
)
from credit_ct_dagster.contracts.decision import Ground, Reliability
from credit_ct_dagster.contracts.utility import Metric
from credit_ct_dagster.scorer.class_rule import HIGHEST_SCORE

_DAYS = 30
_MACRO_F1 = Metric.macro_f1.value

Table = list[dict[str, Any]]


@dataclass(frozen=True)
class Months:
    """What a rule did, by history and by month of the models.

    Attributes:
        cells: Shape (histories, months of all streams); the outcomes of the days of each.
    """

    cells: Sequence[Sequence[Sequence[Outcome]]]

    @classmethod
    def of(cls, histories: Sequence[Sequence[Outcome]]) -> Self:
        """Sort the days of histories in which every model is a challenger once."""
        names = sorted({_month(day) for day in histories[0]})
        return cls(
            [[[day for day in days if _month(day) == name] for name in names] for days in histories]
        )

    def count(self, counted: Callable[[Outcome], bool] = lambda _: True) -> np.ndarray:
        """How many days of each month are of a kind, shape (histories, months)."""
        return np.array(
            [[sum(map(counted, month)) for month in history] for history in self.cells],
            dtype=float,
        )

    def days(self, counted: Callable[[Outcome], bool]) -> list[Outcome]:
        """The days of a kind."""
        return [day for history in self.cells for month in history for day in month if counted(day)]

    def share(
        self,
        counted: Callable[[Outcome], bool],
        among: Callable[[Outcome], bool] = lambda _: True,
    ) -> tuple[float, float, float]:
        """The percentage of days of a kind, with its interval."""
        return ratio(self.count(counted), self.count(among), 100)

    def any(self, counted: Callable[[Outcome], bool]) -> tuple[float, float, float]:
        """The percentage of months with at least one day of a kind, with its interval."""
        hit = (self.count(counted) > 0).astype(float)
        return ratio(hit, np.ones_like(hit), 100)

    def gain(self, counted: Callable[[Outcome], bool]) -> tuple[float, float, float]:
        """What challengers are truly better by, in points, on days of a kind."""
        sums = np.array(
            [
                [sum(day.gain for day in month if counted(day)) for month in history]
                for history in self.cells
            ]
        )
        return ratio(sums, self.count(counted), 100)


def better(day: Outcome) -> bool:
    """Whether a challenger was promoted because it was found to be better."""
    return day.promoted and day.ground == Ground.better


def falsely(day: Outcome) -> bool:
    """The same of one that is truly not better."""
    return better(day) and day.gain <= 0


def aged(day: Outcome) -> bool:
    """Whether a challenger was promoted because the champion was old."""
    return day.promoted and day.ground == Ground.aged


def promoted_table(found: Mapping[str, Months]) -> Table:
    """How often rules promote challengers as better, and how often these are not."""
    return [
        {
            "rule": name,
            "promoted as better, % of days": shown(months.share(better), 2),
            "truly not better, % of these": shown(months.share(falsely, better)),
            "mean true gain of these, points": shown(months.gain(better), 2),
            "months with at least one, %": shown(months.any(better)),
            "months with one that is not better, %": shown(months.any(falsely)),
            "promoted as better": int(months.count(better).sum()),
        }
        for name, months in found.items()
    ]


def aged_table(found: Mapping[str, Months]) -> Table:
    """What it costs to replace champions because they are old."""
    return [
        {
            "rule": name,
            "promoted, % of days": shown(months.share(aged), 2),
            "truly worse, % of these": shown(
                months.share(lambda day: aged(day) and day.gain < 0, aged)
            ),
            "mean true gain of these, points": shown(months.gain(aged), 2),
            "age of the champion, median (quartiles)": _ages([d.age for d in months.days(aged)]),
            "promoted": int(months.count(aged).sum()),
        }
        for name, months in found.items()
    ]


def blocked_table(found: Mapping[str, Months]) -> Table:
    """How often floors keep challengers out, and how often they truly lie below."""
    return [
        {
            "rule": name,
            "days on which a floor keeps out, %": shown(months.share(_blocked)),
            "truly below one of them, % of these": shown(
                months.share(lambda day: day.truly_below, _blocked)
            ),
            "the champion as well, % of these": shown(
                months.share(lambda day: day.champion_below, _blocked)
            ),
        }
        for name, months in found.items()
    ]


def history_guard_table(found: Mapping[str, Months]) -> Table:
    """How often the guard of the probabilities warns, though nothing changes."""
    return [
        {
            "rule": name,
            "champion's are worse, % of days": shown(months.share(_champion_warned), 2),
            "challenger's are worse, % of days": shown(months.share(_challenger_warned), 2),
            "truly worse, % of both": shown(months.share(_warned_truly, warned)),
            "months with a warning, %": shown(months.any(warned)),
            "rows on which the two differ, % (mean)": 100
            * mean(day.differing or 0.0 for day in months.days(lambda _: True)),
        }
        for name, months in found.items()
    ]


def warned(day: Outcome) -> bool:
    """Whether the guard warns of challenger or champion."""
    return _champion_warned(day) or _challenger_warned(day)


def warned_falsely(day: Outcome) -> bool:
    """The same of a model whose log-loss is truly no higher."""
    return warned(day) and not _warned_truly(day)


def _champion_warned(day: Outcome) -> bool:
    return day.reliability == Reliability.champion_worse


def _challenger_warned(day: Outcome) -> bool:
    return day.reliability == Reliability.challenger_worse


def _warned_truly(day: Outcome) -> bool:
    return (_champion_warned(day) and day.loss_gain > 0) or (
        _challenger_warned(day) and day.loss_gain < 0
    )


def guard_table(found: Sequence[Sharpened]) -> Table:
    """How often the guard sees probabilities that are too sure."""
    return [
        {
            "power": case.power,
            "log-loss of the challenger": case.challenger,
            "of the champion": case.champion,
            "its ECE": case.error,
            **{f"seen, % at {size:,} rows": shown(of_shares(case.seen[size])) for size in SIZES},
        }
        for case in found
    ]


def power_table(waited: Mapping[float, Mapping[str, Sequence[Wait]]]) -> Table:
    """How long champions that are truly worse stay."""
    return [
        {
            "true gain, points": 100 * gain,
            "rule": name,
            "first day, %": shown(within_days(found, 1)),
            "within 7 days, %": shown(within_days(found, 7)),
            "within 30 days, %": shown(within_days(found, 30)),
            "median days": _days(median(wait.days for wait in found)),
            "champions": len(found),
        }
        for gain, rules in waited.items()
        for name, found in rules.items()
        if found
    ]


def within_days(found: Sequence[Wait], days: int) -> tuple[float, float, float]:
    """The percentage of waits that end in time, with its interval."""
    clusters: dict[tuple[int, int], list[bool]] = {}
    for wait in found:
        clusters.setdefault(wait.cluster, []).append(wait.days <= days)
    return of_shares(list(clusters.values()))


def floors_table(streams: Streams, draws: int) -> Table:
    """How often floors keep a model out that has no rival, by the number of rows."""
    table = []
    for size in SIZES:
        for name, models in blocked(streams, size, draws).items():
            hits = [[missed for missed, _ in model] for model in models]
            truly = [truly for model in models for missed, truly in model if missed]
            table.append(
                {
                    "rows": size,
                    "floors": name,
                    "kept out, %": shown(of_shares(hits)),
                    "truly below one of them, % of these": 100 * mean(truly) if truly else None,
                }
            )
    return table


def apart_table(streams: Streams) -> Table:
    """To how many customers two models give different classes."""
    return [
        {
            "classes by": variant,
            **{
                name: f"{100 * mean(shares):.1f} ({100 * min(shares):.1f}"
                f" to {100 * max(shares):.1f})"
                for name, shares in apart(streams, variant).items()
            },
        }
        for variant in (_MACRO_F1, HIGHEST_SCORE)
    ]


def models_table(streams: Streams) -> Table:
    """How good the models of all days are, on all customers."""
    daily = streams.daily()
    quality = {
        variant: [model.goodness[variant] for model in daily] for variant in daily[0].classes
    }
    quality["log-loss"] = [each.log_loss for each in daily]
    return [
        {
            "": name,
            "mean": mean(values),
            "standard deviation": float(np.std(values, ddof=1)),
            "lowest": min(values),
            "highest": max(values),
            "models": len(values),
        }
        for name, values in quality.items()
    ]


def _blocked(day: Outcome) -> bool:
    return day.blocked


def _month(day: Outcome) -> tuple[int, int]:
    return day.stream, (day.day - 1) // _DAYS


def _days(number: float) -> str:
    return f"> {PATIENCE_DAYS}" if number > PATIENCE_DAYS else f"{number:g}"


def _ages(ages: Sequence[int]) -> str:
    if len(ages) < 2:
        return "–"
    low, middle, high = quantiles(ages, n=4)
    return f"{middle:.0f} ({low:.0f} to {high:.0f})"

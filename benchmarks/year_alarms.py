"""Alarms of the simulated year: which of them are of a plant, and which are false."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from benchmarks.year_world import MOST_DELAY, Scenario

DAYS_OF_A_MONTH = 30
CLASSES = "other classes"
"""The kind of an alarm of answers that are of other classes than before."""
FIRST_LABELS = 17
"""Days after which a tenth of the labels of a day have arrived."""
_POOLED = 7
_ECHO = MOST_DELAY + 2 * _POOLED
"""Days for which what has ended is still seen in labels, and in the days that are pooled."""


@dataclass(frozen=True)
class Alarm:
    """What a monitor said on a morning.

    Attributes:
        number: The day that had ended.
        kind: Of the alert.
        sentence: What it said.
        models: The tags that it is about; empty if it is about none.
    """

    number: int
    kind: str
    sentence: str
    models: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plant:
    """What was planted.

    Attributes:
        name: In reports.
        start: Its first day.
        end: Its last day.
        of_itself: The kinds of alarms by which it can be noticed.
        later: Kinds that it may raise as well, and by which it does not count as noticed.
        first_shown: Days until it can be noticed: a tenth of the labels of its first day, if only
            labels can show it. What alarms before does so by chance.
    """

    name: str
    start: int
    end: int
    of_itself: Collection[str]
    later: Collection[str] = ()
    first_shown: int = 0

    def explains(self, alarm: Alarm) -> bool:
        """Whether an alarm may be of this plant."""
        # What labels do not show is over when it ends, but for the days that are pooled.
        echo = _ECHO if self.first_shown or alarm.kind in self.later else _POOLED
        kinds = {*self.of_itself, *self.later}
        return alarm.kind in kinds and self.start <= alarm.number <= self.end + echo

    def noticed_by(self, alarms: Iterable[Alarm]) -> Alarm | None:
        """The first alarm by which it was noticed; None without any."""
        return next(
            (
                each
                for each in sorted(alarms, key=lambda alarm: alarm.number)
                if each.kind in self.of_itself
                and self.start + self.first_shown <= each.number <= self.end + _ECHO
            ),
            None,
        )


def plants(
    scenario: Scenario,
    *,
    of_labels: Collection[str],
    of_features: Collection[str],
    of_promotions: Collection[str],
    of_volume: Collection[str],
    concept_learned: int | None,
) -> list[Plant]:
    """The four plants, as one monitor can notice them.

    Args:
        scenario: What goes wrong when.
        of_labels: Its kinds of alarms that come from labels.
        of_features: Those that come from what was asked.
        of_promotions: Those that compare a champion with the one before it.
        of_volume: Those that come from how many asked.
        concept_learned: The day from which on a model serves that has learned the new concept; None
            if none did, so that labels rightly show it to the end.
    """
    learned = scenario.days if concept_learned is None else concept_learned
    promotion, collapse = scenario.promotion, scenario.collapse
    return [
        Plant("concept drift", scenario.concept, learned, of_labels, first_shown=FIRST_LABELS),
        # Wrong features make wrong answers, which labels show later.
        Plant(
            "unit error",
            scenario.unit,
            scenario.unit + scenario.unit_lasts,
            of_features,
            of_labels,
        ),
        Plant(
            "bad promotion",
            promotion,
            promotion + MOST_DELAY,
            of_promotions,
            of_labels,
            first_shown=FIRST_LABELS,
        ),
        Plant("volume collapse", collapse, collapse + scenario.collapse_lasts, of_volume),
    ]


def begun(alarms: Iterable[Alarm]) -> list[Alarm]:
    """Alarms without those that repeat one of the same kind of the day before."""
    days = {(each.number, each.kind) for each in alarms}
    first: dict[tuple[int, str], Alarm] = {}
    for each in alarms:
        if (each.number - 1, each.kind) not in days:
            first.setdefault((each.number, each.kind), each)
    return sorted(first.values(), key=lambda alarm: alarm.number)


def false_ones(alarms: Sequence[Alarm], planted: Sequence[Plant]) -> list[Alarm]:
    """Those that no plant explains."""
    return [each for each in begun(alarms) if not any(plant.explains(each) for plant in planted)]


def per_month(alarms: Sequence[Alarm], since: int, until: int) -> float:
    """How many of these alarms there were per 30 days, from a day on and before another one."""
    count = sum(since <= each.number < until for each in alarms)
    return DAYS_OF_A_MONTH * count / max(until - since, 1)

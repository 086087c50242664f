"""Alarms of the simulated year: which of them are of a plant, and which are false."""

from collections.abc import Collection, Iterable, Mapping, Sequence
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
        model: The tag of the package that it is about; empty if it is about none.
    """

    number: int
    kind: str
    sentence: str
    model: str = ""


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
        model: The tag of the package that it is about, if it is about one: alarms about another
            one are not of it.
    """

    name: str
    start: int
    end: int
    of_itself: Collection[str]
    later: Collection[str] = ()
    first_shown: int = 0
    model: str = ""

    def explains(self, alarm: Alarm) -> bool:
        """Whether an alarm may be of this plant."""
        # What labels do not show is over when it ends, but for the days that are pooled.
        echo = _ECHO if self.first_shown or alarm.kind in self.later else _POOLED
        kinds = {*self.of_itself, *self.later}
        in_time = self.start <= alarm.number <= self.end + echo
        return alarm.kind in kinds and in_time and self._may_be_about(alarm)

    def noticed_by(self, alarms: Iterable[Alarm]) -> Alarm | None:
        """The first alarm by which it was noticed; None without any."""
        return next(
            (
                each
                for each in sorted(alarms, key=lambda alarm: alarm.number)
                if each.kind in self.of_itself
                and self.start + self.first_shown <= each.number <= self.end + _ECHO
                and self._may_be_about(each)
            ),
            None,
        )

    def _may_be_about(self, alarm: Alarm) -> bool:
        return not self.model or alarm.model in ("", self.model)


def plants(
    scenario: Scenario,
    *,
    of_labels: Collection[str],
    of_features: Collection[str],
    of_promotions: Collection[str],
    of_volume: Collection[str],
    concept_learned: int | None,
    served: Mapping[int, tuple[str, int]],
    only_falls: bool = False,
) -> list[Plant]:
    """What was planted, as one monitor can notice it.

    Args:
        scenario: What goes wrong when.
        of_labels: Its kinds of alarms that come from labels.
        of_features: Those that come from what was asked.
        of_promotions: Those that compare a champion with the one before it.
        of_volume: Those that come from how many asked.
        concept_learned: The day from which on a model serves that has learned the new concept; None
            if none did, so that labels rightly show it to the end.
        served: Of each model that a person promoted on a day, its tag and the last day on which it
            served.
        only_falls: Whether it sees only that the accuracy falls, and not that it is low: so not for
            longer than the labels of the first days take.
    """
    learned = scenario.days if concept_learned is None else concept_learned
    concept, collapse = scenario.concept, scenario.collapse

    def promoted(name: str, day: int) -> Plant:
        model, last = served[day]
        end = day if only_falls else last
        return Plant(name, day, end, of_promotions, of_labels, FIRST_LABELS, model)

    return [
        promoted("slightly worse promotion", scenario.mild),
        Plant(
            "concept drift",
            concept,
            concept if only_falls else learned,
            of_labels,
            first_shown=FIRST_LABELS,
        ),
        # Wrong features make wrong answers, which labels show later.
        Plant(
            "unit error",
            scenario.unit,
            scenario.unit + scenario.unit_lasts,
            of_features,
            of_labels,
        ),
        promoted("bad promotion", scenario.promotion),
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

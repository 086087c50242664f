"""What happened in a simulated year, day by day."""

from dataclasses import dataclass, field

from benchmarks.year_alarms import Alarm
from benchmarks.year_world import Scenario


@dataclass
class DayFigures:
    """A day of the year.

    Attributes:
        number: Of the day.
        answers: How many requests were answered.
        champion: The tag of the model that answered.
        truly: The accuracy that it truly has, among all customers there are, as they ask that day.
        measured: Its accuracy by the labels that had arrived at the end, with its interval.
        estimated: Its accuracy by its own probabilities, as estimated on the morning after.
    """

    number: int
    answers: int
    champion: str
    truly: float
    measured: tuple[float, float, float] | None = None
    estimated: float | None = None


@dataclass(frozen=True)
class Deed:
    """What the platform did.

    Attributes:
        number: The day that had ended.
        what: `retrained`, `promoted`, `kept in the shadow`, `forced`, `confirmed`, `rolled back` or
            `repaired`.
        sentence: Why, in the platform's own words where it has any.
        model: The tag of the model that it is about; empty for a feed.
        truly: What that model is truly better by than the champion of the moment, in accuracy; None
            where it says nothing.
    """

    number: int
    what: str
    sentence: str = ""
    model: str = ""
    truly: float | None = None


@dataclass
class YearLog:
    """A year.

    Attributes:
        seed: Of its world.
        scenario: What went wrong when.
        moved: The share of all customers whose class changed with the concept.
        days: Its days.
        alarms: What the platform said.
        naive: What the naive monitor said.
        deeds: What the platform did.
        cpu_seconds: How long it took.
        learned: The day from which on a model served that had learned the new concept; None if none
            did.
    """

    seed: int
    scenario: Scenario
    moved: float
    days: list[DayFigures] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)
    naive: list[Alarm] = field(default_factory=list)
    deeds: list[Deed] = field(default_factory=list)
    cpu_seconds: float = 0.0
    learned: int | None = None

    def did(self, *what: str, since: int = 0, until: int = 10_000) -> list[Deed]:
        """What the platform did of some kinds, from a day on and before another one."""
        return [each for each in self.deeds if each.what in what and since <= each.number < until]

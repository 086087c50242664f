"""What happened in a simulated year, day by day."""

from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter

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
        what: `retrained`, `promoted`, `promoted from the shadow`, `not promoted`, `kept in the
            shadow`, `forced`, `taken back`, `confirmed`, `rolled back` or `repaired`.
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

    def forced_on(self, number: int) -> Deed:
        """The promotion by a person on a day."""
        [found] = self.did("forced", since=number - 1, until=number)
        return found

    def last_day_of(self, model: str) -> int:
        """The last day on which a model served."""
        return max(each.number for each in self.days if each.champion == model)


def keep_year(folder: Path, year: YearLog) -> None:
    """Write a year to a file of its own, whichever process lived it."""
    folder.mkdir(parents=True, exist_ok=True)
    written = _path(folder, year.seed).with_suffix(".part")
    written.write_bytes(TypeAdapter(YearLog).dump_json(year))
    written.replace(_path(folder, year.seed))


def kept_year(folder: Path, scenario: Scenario, seed: int) -> YearLog | None:
    """A year that was kept; None if there is none of this scenario."""
    path = _path(folder, seed)
    if not path.exists():
        return None
    year = TypeAdapter(YearLog).validate_json(path.read_bytes())
    return year if year.scenario == scenario else None


def _path(folder: Path, seed: int) -> Path:
    return folder / f"year-{seed}.json"

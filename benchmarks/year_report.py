"""What simulated years show, as tables, and whether the targets of issue 16 are met."""

from collections.abc import Sequence
from typing import Any

from benchmarks.measure import Comparison, within
from benchmarks.year_alarms import (
    CLASSES,
    DAYS_OF_A_MONTH,
    Alarm,
    Plant,
    begun,
    false_ones,
    per_month,
    plants,
)
from benchmarks.year_log import YearLog
from benchmarks.year_naive import ACCURACY, PSI
from benchmarks.year_world import DELAY
from credit_ct_dagster.contracts.triggers import TriggerKind

MOST_FALSE = 1.0
_MOST_UNIT, _MOST_ROLLBACK, _MOST_CONCEPT = 1, 14, 21
_NEVER = 365.0
_OF_LABELS = (TriggerKind.below_floor, TriggerKind.below_estimate)
_OF_FEATURES = (TriggerKind.skew, TriggerKind.drift, CLASSES)
_ANSWERED_BY = {
    "concept drift": ("retrained", "promoted", "kept in the shadow"),
    "unit error": ("repaired",),
    "bad promotion": ("forced", "rolled back"),
    "volume collapse": (),
}
"""What the platform, or whoever reads its alerts, does about each plant."""

Table = list[dict[str, Any]]


def platform_plants(year: YearLog) -> list[Plant]:
    """The plants, as the platform can notice them."""
    return plants(
        year.scenario,
        of_labels=_OF_LABELS,
        of_features=_OF_FEATURES,
        of_promotions=[TriggerKind.probation],
        of_volume=[TriggerKind.volume],
        concept_learned=year.learned,
    )


def naive_plants(year: YearLog) -> list[Plant]:
    """The plants, as the naive monitor can notice them; it knows no volume."""
    return plants(
        year.scenario,
        of_labels=[ACCURACY],
        of_features=[PSI],
        of_promotions=[ACCURACY],
        of_volume=[],
        concept_learned=year.learned,
    )


def unexplained(alarms: Sequence[Alarm], planted: Sequence[Plant]) -> list[Alarm]:
    """All alarms that no plant explains, those that repeat one of the day before included."""
    return [each for each in alarms if not any(plant.explains(each) for plant in planted)]


def plants_table(years: Sequence[YearLog]) -> Table:
    """Per plant and year: when it was noticed, by what, and what was done."""
    table = []
    for place in range(len(platform_plants(years[0]))):
        for year in years:
            ours, theirs = platform_plants(year), naive_plants(year)
            plant, naive = ours[place], theirs[place]
            false, false_naive = false_ones(year.alarms, ours), false_ones(year.naive, theirs)
            table.append(
                {
                    "plant": f"{plant.name}, day {plant.start}",
                    "seed": year.seed,
                    "noticed": _noticed(plant, year.alarms),
                    "what was done": _done(plant, year),
                    "false alarms a month before": round(per_month(false, 1, plant.start), 2),
                    "naive: noticed": _noticed(naive, year.naive),
                    "naive: false a month before": round(per_month(false_naive, 1, plant.start), 2),
                }
            )
    return table


def days_until_noticed(plant: Plant, alarms: Sequence[Alarm]) -> float:
    """Days from the start of a plant to the morning on which it was noticed."""
    alarm = plant.noticed_by(alarms)
    return _NEVER if alarm is None else alarm.number + 1 - plant.start


def false_table(years: Sequence[YearLog]) -> Table:
    """False alarms of the whole year, by kind."""
    table = []
    for year in years:
        for who, alarms, planted in (
            ("platform", year.alarms, platform_plants(year)),
            ("naive", year.naive, naive_plants(year)),
        ):
            false = false_ones(alarms, planted)
            kinds = sorted({str(each.kind) for each in false})
            table.append(
                {
                    "seed": year.seed,
                    "monitor": who,
                    "alarms": len(begun(alarms)),
                    "false": len(false),
                    "false a month": round(per_month(false, 1, year.scenario.days + 1), 2),
                    "of them": ", ".join(
                        f"{kind} {sum(each.kind == kind for each in false)}" for kind in kinds
                    ),
                }
            )
    return table


def deeds_table(years: Sequence[YearLog]) -> Table:
    """What the platform did, and what that was truly worth."""
    return [
        {
            "seed": year.seed,
            "day": deed.number,
            "what": deed.what,
            "model": deed.model,
            "truly better by, points": None if deed.truly is None else round(100 * deed.truly, 1),
            "why": deed.sentence if len(deed.sentence) < 160 else f"{deed.sentence[:157]}…",
        }
        for year in years
        for deed in year.deeds
    ]


def targets(years: Sequence[YearLog]) -> list[Comparison]:
    """The targets, each for the worst of all years."""
    concept, unit, rolled_back, false = [], [], [], []
    for year in years:
        planted = platform_plants(year)
        by_name = {each.name: each for each in planted}
        # The labels of a day's answers take DELAY days, on average.
        concept.append(days_until_noticed(by_name["concept drift"], year.alarms) - DELAY)
        unit.append(days_until_noticed(by_name["unit error"], year.alarms))
        back = year.did("rolled back", since=year.scenario.promotion)
        rolled_back.append(back[0].number + 1 - year.scenario.promotion - DELAY if back else _NEVER)
        false.append(per_month(false_ones(year.alarms, planted), 1, year.scenario.days + 1))
    return [
        _worst("unit error noticed, days after it began", unit, _MOST_UNIT),
        _worst(
            "bad promotion rolled back, days after its labels mature",
            rolled_back,
            _MOST_ROLLBACK,
        ),
        _worst("concept drift noticed, days after its labels mature", concept, _MOST_CONCEPT),
        within("false alarms in 30 days", [max(false)], MOST_FALSE, "alarms"),
    ]


def _worst(name: str, days: Sequence[float], limit: float) -> Comparison:
    found = within(name, [max(days)], limit, "days")
    listed = ", ".join("never" if each > _NEVER / 2 else f"{each:g}" for each in days)
    found.notes.append(f"per year: {listed}")
    return found


def _noticed(plant: Plant, alarms: Sequence[Alarm]) -> str:
    alarm = plant.noticed_by(alarms)
    if alarm is None:
        return "never"
    days = days_until_noticed(plant, alarms)
    return f"after {days:g} day{'' if days == 1 else 's'}, by {alarm.kind}"


def _done(plant: Plant, year: YearLog) -> str:
    """What was done about a plant, in the months after it began."""
    until = plant.start + 3 * DAYS_OF_A_MONTH
    deeds = year.did(*_ANSWERED_BY[plant.name], since=plant.start, until=until)
    return "; ".join(f"{each.what} on day {each.number + 1}" for each in deeds) or "alert"

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
_MOST_UNIT, _MOST_BACK, _MOST_CONCEPT = 1, 14, 21
_NEVER = 365.0
TUNED_ON = (1, 2)
"""Seeds of the years that rules were chosen by: they show how the loop works, and prove nothing."""
_OF_LABELS = (TriggerKind.below_floor, TriggerKind.below_estimate)
_OF_FEATURES = (TriggerKind.skew, TriggerKind.drift, CLASSES)
_ANSWERED_BY = {
    "slightly worse promotion": ("confirmed", "rolled back", "taken back"),
    "concept drift": ("retrained", "promoted", "promoted from the shadow", "kept in the shadow"),
    "unit error": ("repaired",),
    "bad promotion": ("rolled back",),
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
        served=_served(year),
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
        served=_served(year),
        only_falls=True,
    )


def _served(year: YearLog) -> dict[int, tuple[str, int]]:
    """The models that a person promoted, each with the last day on which it served."""
    forced = {
        day: year.forced_on(day).model for day in (year.scenario.mild, year.scenario.promotion)
    }
    return {day: (model, year.last_day_of(model)) for day, model in forced.items()}


def fresh(years: Sequence[YearLog]) -> Sequence[YearLog]:
    """Those that no rule was chosen by; all of them, if there are no such years."""
    return [each for each in years if each.seed not in TUNED_ON] or years


def summary_table(years: Sequence[YearLog]) -> Table:
    """A line per year: after how many days each plant was noticed, and was over."""
    table = []
    for year in years:
        ours, theirs = platform_plants(year), naive_plants(year)
        plant = {each.name: each for each in ours}
        scenario, until = year.scenario, year.scenario.days + 1
        table.append(
            {
                "seed": f"{year.seed} (rules were chosen by it)"
                if year.seed in TUNED_ON
                else year.seed,
                "slightly worse by, points": _points_lost(year, scenario.mild),
                "rolled back after": _rolled_back(year, scenario.mild),
                "concept drift noticed after": _after(plant["concept drift"], year),
                "half regained after": year.learned and year.learned - scenario.concept,
                "unit error noticed after": _after(plant["unit error"], year),
                "bad by, points": _points_lost(year, scenario.promotion),
                "bad promotion rolled back after": _rolled_back(year, scenario.promotion),
                "volume noticed after": _after(plant["volume collapse"], year),
                "false alarms a month": _false_a_month(year.alarms, ours, until),
                "naive: false alarms a month": _false_a_month(year.naive, theirs, until),
            }
        )
    return table


def _points_lost(year: YearLog, day: int) -> float:
    return round(-100 * (year.forced_on(day).truly or 0.0), 1)


def _rolled_back(year: YearLog, promoted: int) -> int | None:
    """Days from a promotion by a person to its rollback by the platform; None without one."""
    last = year.last_day_of(year.forced_on(promoted).model)
    back = year.did("rolled back", since=promoted, until=last + 1)
    return back[0].number + 1 - promoted if back else None


def _after(plant: Plant, year: YearLog) -> float | None:
    days = days_until_noticed(plant, year.alarms)
    return None if days == _NEVER else days


def _false_a_month(alarms: Sequence[Alarm], planted: Sequence[Plant], until: int) -> float:
    return round(per_month(false_ones(alarms, planted), 1, until), 2)


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
    """The targets, each for the worst of all years that no rule was chosen by."""
    concept, unit, false = [], [], []
    back: dict[str, list[float]] = {"slightly worse": [], "bad": []}
    years = fresh(years)
    for year in years:
        planted = platform_plants(year)
        by_name = {each.name: each for each in planted}
        # The labels of a day's answers take DELAY days, on average.
        concept.append(days_until_noticed(by_name["concept drift"], year.alarms) - DELAY)
        unit.append(days_until_noticed(by_name["unit error"], year.alarms))
        days = year.scenario.mild, year.scenario.promotion
        for found, day in zip(back.values(), days, strict=True):
            after = _rolled_back(year, day)
            found.append(_NEVER if after is None else after - DELAY)
        false.append(per_month(false_ones(year.alarms, planted), 1, year.scenario.days + 1))
    return [
        _worst("unit error noticed, days after it began", unit, _MOST_UNIT),
        *(
            _worst(f"{name} promotion rolled back, days after its labels mature", found, _MOST_BACK)
            for name, found in back.items()
        ),
        _worst("concept drift noticed, days after its labels mature", concept, _MOST_CONCEPT),
        _worst("false alarms in 30 days", false, MOST_FALSE, "alarms"),
    ]


def _worst(name: str, values: Sequence[float], limit: float, unit: str = "days") -> Comparison:
    found = within(name, [max(values)], limit, unit)
    listed = ", ".join("never" if each > _NEVER / 2 else f"{round(each, 2):g}" for each in values)
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

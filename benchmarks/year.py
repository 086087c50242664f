"""A simulated year: what is planted, when the platform notices it, and what it does."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import mean

from benchmarks.measure import Comparison, within
from benchmarks.plan import Plan
from benchmarks.report import Findings
from benchmarks.year_chart import Lived, draw
from benchmarks.year_log import YearLog, keep_year, kept_year
from benchmarks.year_report import (
    Table,
    deeds_table,
    false_table,
    fresh,
    naive_plants,
    plants_table,
    platform_plants,
    summary_table,
    targets,
    unexplained,
)
from benchmarks.year_run import simulate
from benchmarks.year_world import Scenario

SMOKE = Scenario(
    days=40,
    mild=1,
    concept=4,
    unit=6,
    promotion=9,
    collapse=37,
    mild_lasts=2,
    unit_lasts=3,
    collapse_lasts=2,
    customers=2_000,
    per_day=40,
)
_MOST_CPU_SECONDS = 600
_PICTURE = "year.svg"


def run(plan: Plan) -> Findings:
    """Live a year for each seed, in a process each; show all of them together."""
    smoke = plan.window_rows <= 1_000
    scenario = SMOKE if smoke else Scenario()
    seeds = plan.seeds[:1] if smoke else plan.seeds
    years = _lived(scenario, seeds, plan.years)
    if not smoke:
        draw([_with_alarms(each) for each in fresh(years)], plan.plot.with_name(_PICTURE))
    return Findings([*targets(years), _cost(years)], _tables(years))


def _lived(scenario: Scenario, seeds: Sequence[int], folder: Path | None) -> list[YearLog]:
    """The year of each seed: as the folder has it, and those that it lacks are lived."""
    years = {}
    if folder:
        years = {seed: kept for seed in seeds if (kept := kept_year(folder, scenario, seed))}
    tasks = [(scenario, seed) for seed in seeds if seed not in years]
    if tasks:
        workers = min(len(tasks), len(os.sched_getaffinity(0)))
        # Started anew: CatBoost's and OpenBLAS's threads do not survive a fork.
        with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_one_thread) as pool:
            for year in pool.map(simulate, tasks):
                years[year.seed] = year
                if folder:
                    keep_year(folder, year)
    return [years[seed] for seed in seeds]


def _with_alarms(year: YearLog) -> Lived:
    ours, theirs = platform_plants(year), naive_plants(year)
    false = [*unexplained(year.alarms, ours), *unexplained(year.naive, theirs)]
    return Lived(year, ours, false)


def _tables(years: list[YearLog]) -> dict[str, Table]:
    moved = mean(each.moved for each in years)
    title = f"{len(years)} years of {years[0].scenario.days} days"
    return {
        f"{title}: days from the start of what was planted": summary_table(years),
        f"{title}: what was planted (the concept changes {moved:.0%} of the labels)": (
            plants_table(years)
        ),
        f"{title}: false alarms": false_table(years),
        f"{title}: what the platform did": deeds_table(years),
    }


def _cost(years: list[YearLog]) -> Comparison:
    found = within("a year", [max(each.cpu_seconds for each in years)], _MOST_CPU_SECONDS, "CPU s")
    answers = sum(day.answers for year in years for day in year.days)
    found.notes.append(f"{answers:,} answers in all years together")
    return found


def _one_thread() -> None:
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    threadpool_limits(1)


GROUPS: dict[str, Callable[[Plan], Findings]] = {"year": run}

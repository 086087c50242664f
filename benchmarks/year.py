"""A simulated year: what is planted, when the platform notices it, and what it does."""

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from statistics import mean

from benchmarks.measure import Comparison, within
from benchmarks.plan import Plan
from benchmarks.report import Findings
from benchmarks.year_chart import draw
from benchmarks.year_log import YearLog
from benchmarks.year_report import (
    Table,
    deeds_table,
    false_table,
    naive_plants,
    plants_table,
    platform_plants,
    targets,
    unexplained,
)
from benchmarks.year_run import simulate
from benchmarks.year_world import Scenario

SMOKE = Scenario(
    days=40,
    concept=4,
    unit=6,
    promotion=9,
    collapse=37,
    unit_lasts=3,
    collapse_lasts=2,
    customers=2_000,
    per_day=40,
)
_MOST_CPU_SECONDS = 600
_PICTURE = "year.svg"
_LOWEST_PRIORITY = 19


def run(plan: Plan) -> Findings:
    """Live a year for each seed, in processes of low priority."""
    smoke = plan.window_rows <= 1_000
    scenario = SMOKE if smoke else Scenario()
    seeds = plan.seeds[:1] if smoke else plan.seeds
    tasks = [(scenario, seed) for seed in seeds]
    workers = min(len(tasks), len(os.sched_getaffinity(0)))
    # Started anew: CatBoost's and OpenBLAS's threads do not survive a fork.
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_prepare) as pool:
        years = list(pool.map(simulate, tasks))
    first = years[0]
    if not smoke:
        ours, theirs = platform_plants(first), naive_plants(first)
        false = [*unexplained(first.alarms, ours), *unexplained(first.naive, theirs)]
        draw(first, ours, false, plan.plot.with_name(_PICTURE))
    return Findings([*targets(years), _cost(years)], _tables(years))


def _tables(years: list[YearLog]) -> dict[str, Table]:
    moved = mean(each.moved for each in years)
    title = f"{len(years)} years of {years[0].scenario.days} days"
    return {
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


def _prepare() -> None:
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    os.nice(_LOWEST_PRIORITY - os.nice(0))
    threadpool_limits(1)


GROUPS: dict[str, Callable[[Plan], Findings]] = {"year": run}

"""The time and the memory of each stage as the number of rows grows."""

import itertools
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import matplotlib as mpl
import sqlalchemy as sa
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from benchmarks.database import database_of, server
from benchmarks.measure import Comparison, Turn, take_turns, within
from benchmarks.plan import Plan
from benchmarks.report import Findings
from benchmarks.sandbox import ProcessFailedError, sandbox
from benchmarks.stages import FITS, base_date, champion
from benchmarks.windows import BASE_DT, Tables, sample
from credit_ct_dagster.modeling.search.search_space import TuningParameters
from credit_ct_dagster_tests.mariadb import MariaDB

_AT_MOST = 1.15
_NOISE_SECONDS = 0.1
_MOST_GIB = 6.0
_REPEATED_ROWS = 30_000
_SEEDS = 5
_COLOURS = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#7f3c8d",
]  # fmt: skip
"""Of Okabe and Ito, which people tell apart whatever colours they see, but the yellow."""
_MARKERS = "osD^vPXp"
_DAY_BEFORE = (date.fromisoformat(BASE_DT) - timedelta(days=1)).isoformat()


@dataclass(frozen=True)
class Cost:
    """What a base date of some size needs; medians.

    Attributes:
        stages: Seconds per stage.
        peaks: GiB per stage.
        peak: GiB of the whole run.
        whole_search: Whether all candidates were searched, not only the centre of the grid.
    """

    stages: Mapping[str, float]
    peaks: Mapping[str, float]
    peak: float
    whole_search: bool


Costs = dict[int, Cost]
"""By number of rows."""


def run(plan: Plan) -> Findings:
    """Measure every stage on more and more rows, and draw a chart."""
    costs: Costs = {}
    with server() as running:
        for rows in plan.growing_rows:
            costs[rows] = _measured(running, rows, plan)
    _draw(costs, plan.plot)
    found = [_judged(costs, fewer, more) for fewer, more in itertools.pairwise(costs)]
    most = max(costs)
    found.append(within(f"peak memory, {most:,} rows", [costs[most].peak], _MOST_GIB, "GiB"))
    found[-1].notes += _estimated(costs)
    return Findings(
        found,
        {
            "Seconds by rows (medians)": [
                {
                    "rows": n,
                    **cost.stages,
                    "search": "all" if cost.whole_search else "one candidate",
                }
                for n, cost in costs.items()
            ],
            "Peak memory by rows, GiB": [
                {"rows": n, **cost.peaks, "whole run": cost.peak} for n, cost in costs.items()
            ],
        },
    )


def _measured(running: MariaDB, rows: int, plan: Plan) -> Cost:
    """A base date that has a champion to be compared with, that of the day before.

    On the 150 holdout rows of the smallest window, some models beat no baseline beyond doubt, which
    ends their run: then other rows are drawn.
    """
    for seed in range(_SEEDS):
        try:
            return _measured_on(running, sample(rows, seed), plan)
        except ProcessFailedError as error:
            if "model_beats_baselines" not in str(error) or seed == _SEEDS - 1:
                raise
    raise AssertionError("the last seed returns or raises")


def _measured_on(running: MariaDB, tables: Tables, plan: Plan) -> Cost:
    rows = len(tables[0])
    url = database_of(running, tables).url
    del tables
    whole = plan.whole_search or rows <= plan.searched_rows
    parameters = plan.parameters if whole else plan.parameters | _centre(plan.parameters)

    def measured() -> Turn:
        with sandbox(FEATURE_STORE_URL=url) as here:
            champion(here, _DAY_BEFORE)
            return base_date(here, BASE_DT, parameters)

    [turns] = take_turns([measured], plan.pairs if rows <= _REPEATED_ROWS else 1)
    running.execute(f"DROP DATABASE {sa.make_url(url).database}")
    facts = [turn.facts for turn in turns]
    return Cost(
        _medians([each["stages"] for each in facts]),
        _medians([each["peaks"] for each in facts]),
        statistics.median(each["peak"] for each in facts),
        whole,
    )


def _centre(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """A grid of one candidate, the one in the middle."""
    return {name: [value] for name, value in TuningParameters(**parameters).centre().items()}


def _medians(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: statistics.median(each[name] for each in found) for name in found[0]}


def _judged(costs: Costs, fewer: int, more: int) -> Comparison:
    """Compare the stage that grew most with the growth of the rows.

    A stage that takes less than a tenth of a second counts as a tenth: below that, constant costs
    and noise dominate.
    """
    before, after = costs[fewer].stages, costs[more].stages
    growth = {
        stage: max(after[stage], _NOISE_SECONDS) / max(before[stage], _NOISE_SECONDS)
        for stage in after
        if stage != FITS
    }
    worst = max(growth, key=lambda stage: growth[stage])
    allowed = _AT_MOST * more / fewer
    ratio = growth[worst] / allowed
    found = Comparison(
        f"stages but fits, {fewer:,} to {more:,} rows",
        f"≤ {allowed:.2f} × (rows × {_AT_MOST})",
        [1.0],
        [growth[worst]],
        [ratio],
        ratio,
        ratio <= 1,
        "×",
    )
    found.notes.append(f"{worst} grew most")
    return found


def _estimated(costs: Costs) -> list[str]:
    """How long the fits of the whole search would take where only one candidate was fitted."""
    whole = max((n for n, cost in costs.items() if cost.whole_search), default=0)
    return [
        f"at {n:,} rows only the centre of the grid was fitted ({cost.stages[FITS]:.0f} s); in"
        f" proportion to the rows, the whole search would be fitted in"
        f" {costs[whole].stages[FITS] * n / whole:.0f} s"
        for n, cost in costs.items()
        if not cost.whole_search and whole
    ]


def _draw(costs: Costs, path: Path) -> None:
    """Draw a line per stage on logarithmic axes, and below it the memory.

    The background is white, whatever the page's is.
    """
    with mpl.rc_context({"svg.hashsalt": "credit-ct", "font.size": 9}):
        figure = Figure(figsize=(7, 6.6), layout="constrained", facecolor="white")
        seconds, memory = figure.subplots(2, height_ratios=[2.4, 1], sharex=True)
        for axes in (seconds, memory):
            axes.set(xscale="log", yscale="log")
            axes.grid(alpha=0.3)
            axes.spines[["top", "right"]].set_visible(False)
        _draw_seconds(seconds, costs)
        _draw_memory(memory, costs)
        memory.set_xticks(list(costs), [f"{n:,}" for n in costs])
        for axis in (seconds.xaxis, memory.xaxis, memory.yaxis):
            axis.set_minor_locator(NullLocator())
        seconds.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        memory.set_xlabel("rows of the base date")
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)


def _draw_seconds(axes: Axes, costs: Costs) -> None:
    rows = list(costs)
    last = costs[rows[-1]].stages
    stages = sorted(last, key=lambda stage: -last[stage])
    for number, stage in enumerate([FITS, *(each for each in stages if each != FITS)]):
        known = [n for n in rows if stage != FITS or costs[n].whole_search]
        axes.plot(
            known,
            [costs[n].stages[stage] for n in known],
            color=_COLOURS[number % len(_COLOURS)],
            marker=_MARKERS[number % len(_MARKERS)],
            markersize=4,
            label=stage,
        )
    one = [n for n in rows if not costs[n].whole_search]
    if one:
        axes.plot(
            one,
            [costs[n].stages[FITS] for n in one],
            color=_COLOURS[0],
            marker=_MARKERS[0],
            fillstyle="none",
            linestyle="none",
            label="one candidate",
        )
    proportional = [_NOISE_SECONDS * n / rows[0] for n in rows]
    axes.plot(rows, proportional, color="grey", linestyle=":", label="in proportion to rows")
    axes.set(ylabel="seconds")
    axes.legend(fontsize=8, ncols=2)


def _draw_memory(axes: Axes, costs: Costs) -> None:
    axes.plot(list(costs), [cost.peak for cost in costs.values()], color="black", marker="o",
              markersize=4, label="peak of the run")  # fmt: skip
    axes.axhline(_MOST_GIB, color="grey", linestyle="--", label=f"limit, {_MOST_GIB:g} GiB")
    axes.set(ylabel="GiB")
    axes.set_yticks([0.5, 1, 2, 4, 8], ["0.5", "1", "2", "4", "8"])
    axes.legend(fontsize=8)


GROUPS: dict[str, Callable[[Plan], Findings]] = {"rows": run}

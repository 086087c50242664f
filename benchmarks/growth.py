"""The time of each stage as the number of rows grows."""

import itertools
import statistics
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.database import database_of, server
from benchmarks.measure import Comparison, Turn, take_turns
from benchmarks.plan import Plan
from benchmarks.report import Findings
from benchmarks.sandbox import sandbox
from benchmarks.windows import sample

_AT_MOST = 1.3
_NOISE_SECONDS = 0.1
_FITS = "fits"

Costs = dict[int, dict[str, float]]
"""Median seconds per number of rows and stage."""


def run(plan: Plan) -> Findings:
    """Measure every stage on more and more rows, and draw a chart."""
    costs: Costs = {}
    with server() as running:
        for rows in plan.growing_rows:
            url = database_of(running, sample(rows, seed=0)).url

            def measured(url: str = url) -> Turn:
                with sandbox(FEATURE_STORE_URL=url) as here:
                    return here.measure("benchmarks.stages", "--parameters", plan.search())

            [turns] = take_turns([measured], plan.pairs)
            costs[rows] = {
                stage: statistics.median(turn.facts["stages"][stage] for turn in turns)
                for stage in turns[0].facts["stages"]
            }
    _draw(costs, plan.plot)
    steps = itertools.pairwise(costs)
    return Findings(
        [_judged(costs, fewer, more) for fewer, more in steps],
        {"Seconds by rows (medians)": [{"rows": n, **stages} for n, stages in costs.items()]},
    )


def _judged(costs: Costs, fewer: int, more: int) -> Comparison:
    """Compare the stage that grew most with the growth of the rows.

    A stage that takes less than a tenth of a second counts as a tenth: below that, constant costs
    and noise dominate.
    """
    growth = {
        stage: max(costs[more][stage], _NOISE_SECONDS) / max(costs[fewer][stage], _NOISE_SECONDS)
        for stage in costs[more]
        if stage != _FITS
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


def _draw(costs: Costs, path: Path) -> None:
    """Draw a line per stage on logarithmic axes, and one that is proportional to the rows."""
    with mpl.rc_context({"svg.hashsalt": "credit-ct", "font.size": 9}):
        figure = Figure(figsize=(7, 4.5), layout="constrained")
        axes = figure.subplots()
        rows = list(costs)
        for stage in costs[rows[0]]:
            axes.plot(rows, [costs[n][stage] for n in rows], marker="o", label=stage)
        proportional = [_NOISE_SECONDS * n / rows[0] for n in rows]
        axes.plot(rows, proportional, color="grey", linestyle=":", label="in proportion to rows")
        axes.set(xscale="log", yscale="log", xlabel="rows of the base date", ylabel="seconds")
        axes.set_xticks(rows, [f"{n:,}" for n in rows], minor=False)
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        axes.legend()
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)


GROUPS: dict[str, Callable[[Plan], Findings]] = {"rows": run}

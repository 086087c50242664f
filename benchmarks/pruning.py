"""The evidence for pruning: its winners, compared with those of the whole grid."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.measure import take_turns, within
from benchmarks.plan import Plan
from benchmarks.report import Findings
from benchmarks.tuning import ours
from benchmarks.windows import Window

_POINTS = 0.5


def run(plan: Plan) -> Findings:
    """Measure January, if its rows are given, and a sample window for each seed, once each.

    The search is deterministic: a second turn would only measure the machine.
    """
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        makers: list[Callable[[], Window]] = [
            partial(Window.sample, plan.window_rows, seed, Path(folder) / f"seed{seed}")
            for seed in plan.seeds
        ]
        if plan.january:
            makers.insert(0, partial(Window.january, plan.january, Path(folder) / "january"))
        for make in makers:
            rows.append(_compared(make(), plan))
    lost = [row["points lost"] for row in rows]
    found = within("holdout accuracy lost by pruning, worst window", [max(lost)], _POINTS, "points")
    same = sum(row["same winner"] for row in rows)
    found.notes.append(f"the same winner in {same} of {len(rows)} windows")
    return Findings([found], {"Pruned against exhaustive search": rows})


def _compared(window: Window, plan: Plan) -> dict[str, Any]:
    (exhaustive,), (pruned,) = take_turns(
        [
            partial(ours, window, plan.search(pruning="none")),
            partial(ours, window, plan.search()),
        ],
        pairs=1,
    )
    complete, found = exhaustive.facts, pruned.facts
    best, reached = complete["holdout"]["accuracy"], found["holdout"]["accuracy"]
    return {
        "window": window.name,
        "exhaustive winner": _values(complete["winner"]),
        "pruned winner": _values(found["winner"]),
        "same winner": complete["winner"] == found["winner"],
        "holdout, exhaustive": best,
        "holdout, pruned": reached,
        "points lost": 100 * (best - reached),
        "pruned": sum(trial["state"] == "pruned" for trial in found["trials"]),
        "s, exhaustive": exhaustive.seconds,
        "s, pruned": pruned.seconds,
    }


def _values(params: dict[str, float]) -> str:
    return "/".join(f"{value:g}" for value in params.values())


GROUPS: dict[str, Callable[[Plan], Findings]] = {"pruning": run}

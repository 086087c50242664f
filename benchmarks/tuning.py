"""The search compared with the usual script, and with itself under other settings."""

import statistics
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import Comparison, Turn, judge, take_turns, within
from benchmarks.plan import NO_JANUARY, Plan
from benchmarks.report import Findings
from benchmarks.sandbox import sandbox
from benchmarks.windows import Window

_SAME = 1e-9  # metrics of the same model on the same rows
_MEMORY_GIB = 3.0
_DRAWS = 4_000


def january(plan: Plan) -> Findings:
    """Compare with the usual script on January's rows."""
    if plan.january is None:
        return Findings(skipped=NO_JANUARY)
    with tempfile.TemporaryDirectory() as folder:
        window = Window.january(plan.january, Path(folder) / "january")
        return _compared(window, plan, at_least_faster=20)


def large(plan: Plan) -> Findings:
    """Compare with the usual script on many sample rows."""
    with tempfile.TemporaryDirectory() as folder:
        window = Window.sample(plan.large_rows, 0, Path(folder) / "large")
        return _compared(window, plan, at_least_faster=10)


def _compared(window: Window, plan: Plan, at_least_faster: float) -> Findings:
    plain, pruned = take_turns(
        [partial(reference, window, plan.search()), partial(ours, window, plan.search())],
        plan.pairs,
    )
    found = judge(f"tuning {window.name}", plain, pruned, at_least_faster=at_least_faster)
    _require_no_worse_holdout(found, plain, pruned)
    title = f"Tuning {window.name}: where the time goes (medians, s)"
    return Findings([found], {title: [_parts("the usual script", plain), _parts("ours", pruned)]})


def exhaustive(plan: Plan) -> Findings:
    """Fit all candidates to their end, as the usual script does: the trials have to be equal."""
    if plan.january is None:
        return Findings(skipped=NO_JANUARY)
    search = plan.search(pruning="none", text="native")
    with tempfile.TemporaryDirectory() as folder:
        window = Window.january(plan.january, Path(folder) / "january")
        plain, mine = take_turns(
            [partial(reference, window, plan.search()), partial(ours, window, search)], plan.pairs
        )
    found = judge("tuning January, pruning: none, text: native", plain, mine, at_least_faster=1.4)
    _require_same_trials(found, plain, mine)
    return Findings([found])


def n_jobs(plan: Plan) -> Findings:
    """Compare one trial at a time on all cores with two on half of them each."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        windows = [Window.sample(plan.middle_rows, 0, Path(folder) / "sample")]
        if plan.january:
            windows.insert(0, Window.january(plan.january, Path(folder) / "january"))
        for window in windows:
            one, two = take_turns(
                [partial(ours, window, plan.search(), "--n-jobs", str(n)) for n in (1, 2)],
                plan.pairs,
            )
            found.append(judge(f"n_jobs 1 (baseline), 2 (ours): {window.name}", one, two))
    return Findings(found)


def tracking(plan: Plan) -> Findings:
    """Compare tuning with and without MLflow, in both cases without loading a model back."""
    with tempfile.TemporaryDirectory() as folder:
        window = (
            Window.january(plan.january, Path(folder) / "january")
            if plan.january
            else Window.sample(plan.window_rows, 0, Path(folder) / "sample")
        )
        nothing, mlflow = take_turns(
            [
                partial(_search_only, window, plan.search(), "--untracked"),
                partial(_search_only, window, plan.search(), "--tracked"),
            ],
            plan.pairs,
        )
    found = judge(f"tracking {window.name}, compared with none", nothing, mlflow, at_most=1.03)
    rows = [
        {
            "": name,
            "tuning": statistics.median(turn.seconds for turn in turns),
            "tracking": _median(turns, "tracking_seconds"),
            "tracking, summed": _median(turns, "tracking_summed_seconds"),
            "tracking, CPU": _median(turns, "tracking_cpu_seconds"),
            "process, CPU": _median(turns, "cpu_seconds"),
            "completed": _states(turns).count("completed"),
            "pruned": _states(turns).count("pruned"),
        }
        for name, turns in (("tracked in MLflow", mlflow), ("not tracked", nothing))
    ]
    return Findings(
        [found],
        {"Tracking: time in which a trial is recorded, and the sum of all (medians, s)": rows},
    )


def _search_only(window: Window, search: str, *options: str) -> Turn:
    turn = ours(window, search, *options)
    return Turn(turn.facts["tune_seconds"], turn.facts)


def memory(plan: Plan) -> Findings:
    """Measure the peak memory of tuning many rows, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        window = Window.sample(plan.large_rows, 0, Path(folder) / "large")
        turn = ours(window, plan.search())
    name = f"peak memory of tuning {window.name}"
    return Findings([within(name, [turn.facts["peak_gib"]], _MEMORY_GIB, "GiB")])


def reference(window: Window, search: str) -> Turn:
    """Run the usual script's search with stores of its own."""
    with sandbox() as here:
        return here.measure(
            "benchmarks.reference", "tuning", str(window.folder), "--settings", search
        )


def ours(window: Window, search: str, *options: str) -> Turn:
    """Run the platform's search with stores of its own."""
    with sandbox() as here:
        return here.measure(
            "benchmarks.engine", str(window.folder), "--parameters", search, *options
        )


def _require_no_worse_holdout(
    found: Comparison, plain: Sequence[Turn], mine: Sequence[Turn]
) -> None:
    """Require a winner whose accuracy on the holdout is not lower beyond doubt.

    The 95 % interval of the paired difference, by a bootstrap of customers, reaches zero.
    """
    usual, own = plain[-1].facts, mine[-1].facts
    theirs, accuracy = usual["holdout"]["accuracy"], own["holdout"]["accuracy"]
    low, high = _difference(own["holdout_customers"], own["holdout_right"], usual["holdout_right"])
    found.require(
        high >= 0,
        f"holdout accuracy {accuracy:.4f} of {_named(own['winner'])}, against {theirs:.4f} of"
        f" {_named(usual['winner'])}: {100 * (accuracy - theirs):+.1f} points, 95 % over customers"
        f" {100 * low:+.1f} to {100 * high:+.1f}",
    )
    best = _best_by_our_rule(usual)
    found.notes.append(
        f"of the usual script's models, the platform's rule chooses {_named(best['params'])},"
        f" holdout accuracy {best['holdout_accuracy']:.4f}"
    )


def _difference(
    customers: Sequence[str], ours: Sequence[bool], theirs: Sequence[bool]
) -> tuple[float, float]:
    """The 95 % interval of the difference of two accuracies on the same rows.

    Whole customers are drawn, whose rows resemble each other.
    """
    _, place = np.unique(customers, return_inverse=True)
    rows = np.bincount(place)
    gained = np.bincount(place, weights=np.subtract(ours, theirs, dtype=float))
    rng = np.random.default_rng(0)
    drawn = [rng.integers(len(rows), size=len(rows)) for _ in range(_DRAWS)]
    low, high = np.quantile([gained[of].sum() / rows[of].sum() for of in drawn], [0.025, 0.975])
    return float(low), float(high)


def _require_same_trials(found: Comparison, plain: Sequence[Turn], mine: Sequence[Turn]) -> None:
    """Require equal metrics of all candidates, and so the same winner by the same rule."""
    usual, own = plain[-1].facts, mine[-1].facts
    theirs = {_named(trial["params"]): trial for trial in usual["trials"]}
    apart = [
        abs(value - theirs[_named(trial["params"])]["metrics"][name])
        for trial in own["trials"]
        for name, value in trial["metrics"].items()
    ]
    complete = len(own["trials"]) == len(theirs) and all(t["metrics"] for t in own["trials"])
    found.require(
        complete and max(apart) < _SAME,
        f"{len(own['trials'])} candidates, whose metrics differ from those of the usual script's"
        f" models by at most {max(apart):.1e}",
    )
    best = _named(_best_by_our_rule(usual)["params"])
    found.require(
        _named(own["winner"]) == best,
        f"the winner {_named(own['winner'])}; of the usual script's models, the same rule chooses"
        f" {best}",
    )
    found.notes.append(
        f"by the best accuracy of any iteration, the usual script itself chooses"
        f" {_named(usual['winner'])}"
    )


def _best_by_our_rule(usual: dict[str, Any]) -> dict[str, Any]:
    """The usual script's trial with the highest accuracy, then the lowest log-loss."""
    return min(usual["trials"], key=lambda t: (-t["metrics"]["accuracy"], t["metrics"]["log_loss"]))


def _named(params: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in params.items())


def _parts(name: str, turns: Sequence[Turn]) -> dict[str, Any]:
    recording = "tracking_seconds" if "tracking_seconds" in turns[-1].facts else "log_model_seconds"
    return {
        "": name,
        "tuning": statistics.median(turn.seconds for turn in turns),
        "fitting": _median(turns, "fit_seconds"),
        "tracking or log_model": _median(turns, recording),
        "completed": _states(turns).count("completed"),
        "pruned": _states(turns).count("pruned"),
        "holdout accuracy": turns[-1].facts["holdout"]["accuracy"],
    }


def _states(turns: Sequence[Turn]) -> list[str]:
    return [trial.get("state", "completed") for trial in turns[-1].facts["trials"]]


def _median(turns: Sequence[Turn], fact: str) -> float:
    return statistics.median(turn.facts[fact] for turn in turns)


GROUPS: dict[str, Callable[[Plan], Findings]] = {
    "tuning": january,
    "tuning_exhaustive": exhaustive,
    "large": large,
    "tracking": tracking,
    "n_jobs": n_jobs,
    "memory": memory,
}

"""`credit-ct status` and Dagster's UI when there is a history of many base dates."""

import json
import resource
import statistics
import sys
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from benchmarks.history_pages import has_browser, served, visits
from benchmarks.measure import Comparison, Turn, turn, within
from benchmarks.plan import Plan
from benchmarks.report import Findings
from benchmarks.sandbox import Sandbox, sandbox
from credit_ct_dagster.partitions import Calendar

_COMMAND = str(Path(sys.executable).with_name("credit-ct"))
_WORKSPACE = Path(__file__).parents[1] / "workspace.yaml"
_ANSWERS = 2.0
_ROWS = 40_000  # of eight months: some 5,000 in a window, as in January


def run(plan: Plan) -> Findings:
    """Two base dates are trained, the second one is copied; history is in SQLite, as shipped."""
    newest = Calendar().newest()
    number = plan.history_base_dates
    trained = [_day(newest, number - 1 - n) for n in range(2)]
    with sandbox(PARTITIONS_START=trained[0], PACKAGE_VALIDATION="process") as here:
        made = _make(here, trained, number - len(trained), plan)
        with sandbox() as empty:
            none = _status(empty, plan.pairs)
        many = _status(here, plan.pairs)
        comparisons = [_within(f"credit-ct status, {number} base dates", many)]
        comparisons[0].notes.append(
            f"{_median(none):.2f} s without any base date; {_processor(many):.2f} s of a processor;"
            f" to make the history took {made:.0f} s"
        )
        rows: list[dict[str, Any]] = []
        if has_browser():
            _pages(here, newest, plan, comparisons, rows)
    return Findings(comparisons, {f"Dagster's UI with {number} base dates": rows})


def _make(here: Sandbox, trained: list[str], copies: int, plan: Plan) -> float:
    (here.folder / "workspace.yaml").write_text(_WORKSPACE.read_text())
    here.run(_COMMAND, "load", "--sample", "--rows", str(_ROWS), "--until", trained[-1])
    config = here.folder / "run.yaml"  # JSON is YAML
    config.write_text(json.dumps({"ops": {"tuned_runs": {"config": plan.parameters}}}))
    for base_dt in trained:
        here.run(_COMMAND, "run", "--partition", base_dt, "--config", str(config))
    here.run(
        str(Path(_COMMAND).with_name("dagster")), "job", "execute",
        "-m", "credit_ct_dagster.definitions", "-j", "customer_scores_job",
        "--tags", json.dumps({"dagster/partition": trained[-1]}),
    )  # fmt: skip
    return here.measure(
        "benchmarks.history_made", "--original", trained[-1], "--number", str(copies)
    ).seconds


def _status(here: Sandbox, times: int) -> list[Turn]:
    """Whole processes, imports included, after one that does not count."""

    def once() -> Turn:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = here.time(_COMMAND, "status", "--json")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Turn(seconds, {"processor": used})

    once()
    return [turn(once) for _ in range(times)]


def _pages(
    here: Sandbox,
    newest: str,
    plan: Plan,
    comparisons: list[Comparison],
    rows: list[dict[str, Any]],
) -> None:
    with served(here) as (root, process):
        found = visits(root, process, newest, plan.pairs)
    for page, turns in found.items():
        comparisons.append(
            within(f"Dagster's UI, {page}", [each.seconds for each in turns], _ANSWERS)
        )
        median = sorted(turns, key=lambda each: each.seconds)[len(turns) // 2]
        rows.append(
            {
                "page": page,
                "s": median.seconds,
                "s of the servers' processors": median.server_seconds,
                "slowest query": median.slowest,
            }
        )


def _within(name: str, turns: list[Turn]) -> Comparison:
    return within(name, [each.seconds for each in turns], _ANSWERS)


def _median(turns: list[Turn]) -> float:
    return statistics.median(each.seconds for each in turns)


def _processor(turns: list[Turn]) -> float:
    return statistics.median(each.facts["processor"] for each in turns)


def _day(newest: str, before: int) -> str:
    return (date.fromisoformat(newest) - timedelta(days=before)).isoformat()


GROUPS: dict[str, Callable[[Plan], Findings]] = {"history": run}

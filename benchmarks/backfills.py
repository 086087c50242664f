"""A backfill from the UI: queue, daemon, code server and run workers, on MariaDB."""

import os
import re
import sqlite3
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from benchmarks.database import database_of, server
from benchmarks.measure import Turn, judge, take_turns, within
from benchmarks.plan import Plan
from benchmarks.report import Findings
from benchmarks.sandbox import ProcessFailedError, Sandbox, sandbox
from benchmarks.windows import Tables
from credit_ct_dagster.loading.sample_data import MONTHS, generate
from credit_ct_dagster.runs.purposes import TRAINING_ASSETS
from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.webserver import (
    backfill_status,
    dagster_dev,
    launch_backfill,
)

_UNTIL = date(2025, 3, 31)
"""The last of the ninety base dates."""
_AT_MOST_SECONDS = 12.0
_PATIENCE_SECONDS = 600
"""Per base date."""
_POLL_SECONDS = 2
_UNFINISHED = ("REQUESTED", "COMPLETING")
_COMPLETED = ("COMPLETED_SUCCESS", "COMPLETED_FAILED")


class _Run(NamedTuple):
    """A run, as Dagster recorded it; times in seconds since 1970."""

    status: str
    start: float | None
    end: float | None
    is_of_backfill: bool


def run(plan: Plan) -> Findings:
    """All base dates as users run them; and a few of them in three ways, in turn."""
    tables = generate(plan.backfill_rows * MONTHS, _UNTIL, seed=0)
    few, days = _days(plan.compared_base_dates), _days(plan.base_dates)
    with server() as running:
        ways = [
            partial(_backfill, running, tables, few, plan, *way)
            for way in ((False, 2), (True, 2), (True, 1))
        ]
        spawned, warm, alone = take_turns(ways, plan.pairs)
        whole = _backfill(running, tables, days, plan, True, 2)
    found = within(
        f"backfill of {len(days)} base dates, per base date",
        [whole.seconds / len(days)],
        _AT_MOST_SECONDS,
    )
    found.notes.append(
        f"of {len(days)}, all {whole.seconds:,.0f} s; two runs at a time, of"
        f" {statistics.median(whole.facts['runs']):.1f} s each (median)"
    )
    failed = whole.facts["failed"]
    found.require(not failed, f"{failed} of {len(days)} base dates failed")
    title = f"Backfills of windows of {plan.backfill_rows:,} rows"
    return Findings(
        [
            found,
            judge(f"backfill of {len(few)} base dates, warm runs against spawned", spawned, warm),
            judge(
                f"backfill of {len(few)} base dates, two runs at a time against one", alone, warm
            ),
        ],
        {title: [_row(each) for each in [*spawned, *warm, *alone, whole]]},
    )


def _row(turn: Turn) -> dict[str, Any]:
    facts = turn.facts
    return {
        "runs": "warm" if facts["warm"] else "spawned",
        "at a time": facts["at_a_time"],
        "base dates": facts["n"],
        "s per base date": turn.seconds / facts["n"],
        "median s of a run": statistics.median(facts["runs"]),
        "other runs": facts["others"],
        "GiB of all processes": facts["peak"] / 2**30,
    }


def _days(number: int) -> list[str]:
    return [(_UNTIL - timedelta(days=n)).isoformat() for n in reversed(range(number))]


def _backfill(
    running: MariaDB, tables: Tables, days: Sequence[str], plan: Plan, warm: bool, at_a_time: int
) -> Turn:
    """Launch a backfill on empty stores, and wait until it has succeeded."""
    url, studies = database_of(running, tables).url, running.new_database()
    variables = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "FEATURE_STORE_URL": url,
        "OPTUNA_STORAGE_URL": studies,
        "WARM_RUNS": str(warm).lower(),
    }
    ops = {"tuned_runs": {"config": plan.parameters}} if plan.parameters else {}
    with ExitStack() as stack:
        here = stack.enter_context(sandbox(**variables))
        instance = here.folder / "dagster.yaml"
        instance.write_text(_limited(instance.read_text(), at_a_time))
        port = stack.enter_context(dagster_dev(here))
        backfill = launch_backfill(
            port,
            assetSelection=[{"path": [name]} for name in TRAINING_ASSETS],
            partitionNames=days,
            runConfigData={"ops": ops},
        )
        started, peak = time.perf_counter(), 0.0
        deadline = started + _PATIENCE_SECONDS * len(days)
        while (status := backfill_status(port, backfill)) in _UNFINISHED:
            if time.perf_counter() > deadline:
                raise ProcessFailedError(f"The backfill has not ended in time: {_runs(here)}")
            peak = max(peak, _memory())
            time.sleep(_POLL_SECONDS)
        seconds = time.perf_counter() - started
        if status not in _COMPLETED:
            raise ProcessFailedError(f"The backfill ended as {status}")
        runs = _runs(here)
        ours = [run for run in runs if run.is_of_backfill]
        facts = {
            "warm": warm,
            "at_a_time": at_a_time,
            "n": len(days),
            "peak": peak,
            "runs": [run.end - run.start for run in ours if run.start and run.end],
            "failed": sum(run.status != "SUCCESS" for run in ours),
            "others": len(runs) - len(ours),  # customers are scored after a promotion
        }
        return Turn(seconds, facts)


def _limited(configuration: str, at_a_time: int) -> str:
    limited = re.sub(
        r"max_concurrent_runs: \d+", f"max_concurrent_runs: {at_a_time}", configuration
    )
    assert f"max_concurrent_runs: {at_a_time}" in limited
    return limited


def _runs(here: Sandbox) -> list[_Run]:
    query = (
        "SELECT status, start_time, end_time, EXISTS (SELECT 1 FROM run_tags"
        " WHERE run_tags.run_id = runs.run_id AND key = 'dagster/backfill') FROM runs"
    )
    with sqlite3.connect(here.folder / "var" / "dagster" / "history" / "runs.db") as history:
        return [_Run(*row) for row in history.execute(query)]


def _memory() -> float:
    """What all processes of this one occupy, in bytes; what they share counts once."""
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # it has ended
            total += process.memory_full_info().pss
    return total


GROUPS: dict[str, Callable[[Plan], Findings]] = {"backfills": run}

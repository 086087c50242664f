"""All customers of a day scored, from MariaDB to MariaDB."""

import os
from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any

from benchmarks.dask_machines import cluster
from benchmarks.database import database_of, server
from benchmarks.measure import Comparison, Turn, judge, take_turns, within
from benchmarks.plan import Plan
from benchmarks.report import Findings
from benchmarks.sandbox import Sandbox
from benchmarks.scored import CHUNK_ROWS
from benchmarks.served import DURABLE, Platform
from benchmarks.windows import BASE_DT
from credit_ct_dagster.loading.sample_data import generate
from credit_ct_dagster_tests.mariadb import MariaDB

_SCORING = "credit_ct_dagster.scoring.dask_workers"
_MOST_SECONDS = 30, 120
_MOST_GIB = 1.5
_CHUNKS_OF_A_WORKER = 4


def run(plan: Plan) -> Findings:
    """The default way in one process: fewer rows with reasons, and many without."""
    with server(DURABLE) as running, Platform.trained(plan, running) as platform:
        several = [
            (rows, reasons, _sample(platform, running, rows))
            for rows, reasons in zip(plan.batch_rows, (True, False), strict=True)
        ]
        found, rows = [], []
        for (count, reasons, here), seconds in zip(several, _MOST_SECONDS, strict=True):
            turns = [_scored(here, reasons=reasons) for _ in range(min(plan.pairs, 2))]
            what = f"{count:,} rows {'with' if reasons else 'without'} reasons"
            found += _judged(what, count, turns, seconds)
            rows += [_row(what, turn) for turn in turns]
    return Findings(found, {"Scored from MariaDB to MariaDB": rows})


def on_dask(plan: Plan) -> Findings:
    """Two workers of one core each against one, with reasons."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        return Findings(skipped="two workers of one core each need two cores.")
    count = plan.batch_rows[0]
    with server(DURABLE) as running, Platform.trained(plan, running) as platform:
        here = _sample(platform, running, count)
        one, two = take_turns(
            [partial(_scored_on, cores[:number], here, count) for number in (1, 2)], plan.pairs
        )
    name = f"{count:,} rows with reasons, two Dask workers against one"
    found = judge(name, one, two, at_least_faster=1.7)
    rows = {turn.facts["rows"] for turn in [*one, *two]}
    found.require(rows == {count}, f"{rows} of {count:,} rows scored")
    return Findings(
        [found],
        {name: [_row("one", turn) for turn in one] + [_row("two", turn) for turn in two]},
    )


def _sample(platform: Platform, running: MariaDB, rows: int) -> Sandbox:
    """The platform on a feature store with sample rows of one day."""
    labels, features = generate(rows, date.fromisoformat(BASE_DT), seed=0)
    features["date"] = BASE_DT
    url = database_of(running, (labels, features)).url
    here = platform.here
    return Sandbox(here.folder, here.environment | {"FEATURE_STORE_URL": url})


def _scored(here: Sandbox, *options: str, reasons: bool) -> Turn:
    wanted = ["--reasons"] if reasons else []
    turn = here.measure("benchmarks.scored", BASE_DT, *wanted, *options)
    turn.facts["load_average"] = os.getloadavg()[0]
    return turn


def _scored_on(cores: list[int], here: Sandbox, count: int) -> Turn:
    """Score with one worker per core; their start is not measured."""
    chunk = min(CHUNK_ROWS, max(1, count // (2 * _CHUNKS_OF_A_WORKER)))
    (here.folder / "scheduler.json").unlink(missing_ok=True)
    with cluster(here, cores, _SCORING) as file:
        return _scored(
            here, "--scheduler-file", str(file), "--workers", str(len(cores)),
            "--chunk-rows", str(chunk), reasons=True,
        )  # fmt: skip


def _judged(what: str, count: int, turns: list[Turn], seconds: float) -> list[Comparison]:
    time = within(what, [turn.seconds for turn in turns], seconds)
    scored = {turn.facts["rows"] for turn in turns}
    time.require(scored == {count}, f"{scored} of {count:,} rows scored")
    memory = within(
        f"{what}, peak memory", [turn.facts["peak_gib"] for turn in turns], _MOST_GIB, "GiB"
    )
    return [time, memory]


def _row(what: str, turn: Turn) -> dict[str, Any]:
    return {
        "": what,
        "s": turn.seconds,
        "rows/s": turn.facts["rows"] / turn.seconds,
        "peak, GiB": turn.facts["peak_gib"],
        "load average": turn.facts["load_average"],
    }


GROUPS: dict[str, Callable[[Plan], Findings]] = {
    "batch_scores": run,
    "batch_scores_dask": on_dask,
}

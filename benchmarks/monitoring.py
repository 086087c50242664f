"""All that is known of a day with a million logged predictions, from MariaDB."""

import os
import statistics
from collections.abc import Callable

from benchmarks.database import server
from benchmarks.measure import Comparison, Turn, within
from benchmarks.plan import Plan
from benchmarks.report import Findings
from benchmarks.sandbox import Sandbox
from benchmarks.served import Platform
from benchmarks.served_day import DAY, store_with_day
from credit_ct_dagster_tests.mariadb import MariaDB

_MOST_SECONDS = 60
_MOST_READING_SECONDS = 25
_MOST_GIB = 3


def run(plan: Plan) -> Findings:
    """The reading by itself, then the job that runs every morning, with its checks."""
    rows = plan.monitored_answers
    with server() as running, Platform.trained(plan, running) as platform:
        here = _with_day(platform, running, rows)
        pid = str(running.process.pid)
        read = [_measured(here, pid) for _ in range(min(plan.pairs, 3))]
        done = [_measured(here, pid, "--assets") for _ in range(min(plan.pairs, 2))]
    what = f"{rows:,} logged predictions"
    comparisons = [
        within(
            f"{what}: read, with the server's work",
            [_cpu(turn) for turn in read],
            _MOST_READING_SECONDS,
            "CPU s",
        ),
        *_judged(what, done),
    ]
    counted = {step["rows"] for turn in read for step in turn.facts["steps"][:1]}
    comparisons[0].require(counted == {rows}, f"{counted} of {rows:,} rows read")
    used = statistics.median(turn.facts["cpu_seconds"] for turn in done)
    comparisons[1].notes.append(f"{used:.1f} s of both processors' time, with the server's work")
    tables = {
        f"{what}: what is read": read[-1].facts["steps"],
        f"{what}: a day's assets": done[-1].facts["steps"],
    }
    return Findings(comparisons, tables)


def _with_day(platform: Platform, running: MariaDB, rows: int) -> Sandbox:
    """The platform on a feature store with the predictions of a day by its champion."""
    here = platform.here
    url = store_with_day(running, rows, _tag_of_champion(here)).url
    return Sandbox(here.folder, here.environment | {"FEATURE_STORE_URL": url})


def _tag_of_champion(here: Sandbox) -> str:
    """The only package there is."""
    [packages] = (here.folder / "var" / "bentoml" / "models").iterdir()
    return f"{packages.name}:{(packages / 'latest').read_text().strip()}"


def _measured(here: Sandbox, server_pid: str, *options: str) -> Turn:
    turn = here.measure("benchmarks.watched_day", DAY, "--server", server_pid, *options)
    turn.facts["load_average"] = os.getloadavg()[0]
    return turn


def _cpu(turn: Turn) -> float:
    return float(
        sum(step["CPU here, s"] + step["CPU of the server, s"] for step in turn.facts["steps"])
    )


def _judged(what: str, turns: list[Turn]) -> list[Comparison]:
    return [
        within(f"{what}: a day's assets", [turn.seconds for turn in turns], _MOST_SECONDS),
        within(
            f"{what}: a day's assets, peak memory",
            [turn.facts["peak_gib"] for turn in turns],
            _MOST_GIB,
            "GiB",
        ),
    ]


GROUPS: dict[str, Callable[[Plan], Findings]] = {"monitoring": run}

"""A base date from the two source tables to a packaged model, with the command that users run."""

import json
import sqlite3
import statistics
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.database import database_of, server
from benchmarks.intervals import union_seconds
from benchmarks.measure import Turn, judge, take_turns, within
from benchmarks.plan import NO_JANUARY, Plan
from benchmarks.report import Findings
from benchmarks.sandbox import Sandbox, sandbox
from benchmarks.windows import JANUARY_BASE_DT, january
from credit_ct_dagster.contracts.decision import DecisionRecord
from credit_ct_dagster.contracts.files import DECISION_FILE, MODEL_CARD_FILE
from credit_ct_dagster.contracts.search import SearchSummary

_COMMAND = Path(sys.executable).with_name("credit-ct")
_IMPORTS = "import mlflow.catboost, bentoml, optuna, credit_ct_dagster.definitions"
_TUNING = "tuned_runs"
_NESTED = "mlflow.parentRunId"  # the tag of a nested run, which every trial is


def run(plan: Plan) -> Findings:
    """January's rows in MariaDB; whole processes, imports included."""
    if plan.january is None:
        return Findings(skipped=NO_JANUARY)
    with server() as running:
        tables = january(plan.january)
        urls = [database_of(running, tables).url for _ in range(2)]
        with sandbox() as here:  # reads the libraries from disk before the first turn
            here.run(sys.executable, "-c", _IMPORTS)
        plain, mine = take_turns(
            [partial(_reference, urls[0], plan.search()), partial(_ours, urls[1], plan)],
            plan.pairs,
        )
    total = judge("base date January, merge to model card", plain, mine, at_least_faster=10)
    usual, own = (turns[-1].facts["holdout"]["accuracy"] for turns in (plain, mine))
    total.notes.append(f"holdout accuracy {own:.4f}, the usual script {usual:.4f}")
    total.require(
        all(turn.facts["golden_rows"] for turn in mine),
        "ours includes the gate, a server that answers the golden rows, and the model card",
    )
    other = [turn.seconds - turn.facts["fit_seconds"] for turn in mine]
    beside = [turn.facts["span"] - turn.facts["steps"][_TUNING] for turn in mine]
    outside = [turn.seconds - turn.facts["span"] for turn in mine]
    return Findings(
        [
            total,
            within("base date January, everything but fitting", other, 6),
            within("base date January, steps beside the search", beside, 2.5),
            within("base date January, start-up and end", outside, 2.5),
        ],
        {"Base date January: where the time goes (medians, s)": _steps(mine)},
    )


def _reference(url: str, search: str) -> Turn:
    with sandbox(FEATURE_STORE_URL=url) as here:
        result = here.folder / "result.json"
        seconds = here.time(
            sys.executable, "-m", "benchmarks.reference", "base-date", JANUARY_BASE_DT,
            "--settings", search, "--result", str(result),
        )  # fmt: skip
        return Turn(seconds, json.loads(result.read_text()))


def _ours(url: str, plan: Plan) -> Turn:
    with sandbox(FEATURE_STORE_URL=url) as here:
        options = []
        if plan.parameters:
            config = here.folder / "run.yaml"  # JSON is YAML
            config.write_text(json.dumps({"ops": {_TUNING: {"config": plan.parameters}}}))
            options = ["--config", str(config)]
        seconds = here.time(str(_COMMAND), "run", "--partition", JANUARY_BASE_DT, *options)
        [path] = here.folder.glob(f"artifacts/models/*/{JANUARY_BASE_DT}/{SearchSummary.FILE}")
        summary = SearchSummary.from_json(path.read_bytes(), str(path))
        decision = path.with_name(DECISION_FILE)
        record = DecisionRecord.from_json(decision.read_bytes(), str(decision))
        assert path.with_name(MODEL_CARD_FILE).exists()
        steps = _steps_of(here)
        return Turn(
            seconds,
            {
                "holdout": dict(summary.best.holdout),
                "fit_seconds": union_seconds(_fits(here)),
                "steps": {name: end - start for name, (start, end) in steps.items()},
                "span": max(end for _, end in steps.values())
                - min(start for start, _ in steps.values()),
                "golden_rows": record.decision.golden_rows,
            },
        )


def _fits(here: Sandbox) -> list[tuple[float, float]]:
    """When each trial was fitted, according to its MLflow run."""
    with sqlite3.connect(here.folder / "var" / "mlflow.db") as store:
        rows = store.execute(
            "SELECT start_time, end_time FROM runs JOIN tags USING (run_uuid) WHERE key = ?",
            [_NESTED],
        ).fetchall()
    return [(start / 1000, end / 1000) for start, end in rows]


def _steps_of(here: Sandbox) -> dict[str, tuple[float, float]]:
    """When each step of the only Dagster run began and ended, in seconds, by its event log."""
    [log] = (
        path
        for path in (here.folder / "var" / "dagster" / "history" / "runs").glob("*.db")
        if path.stem != "index"
    )
    with sqlite3.connect(log) as events:
        rows = events.execute(
            "SELECT step_key, julianday(min(timestamp)) * 86400, julianday(max(timestamp)) * 86400"
            " FROM event_logs WHERE dagster_event_type IN ('STEP_START', 'STEP_SUCCESS')"
            " GROUP BY step_key ORDER BY min(timestamp)"
        ).fetchall()
    return {step: (start, end) for step, start, end in rows}


def _steps(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """The seconds of each step, between the steps, and before and after them."""
    rows = []
    for step in turns[0].facts["steps"]:
        rows.append({"": step, "s": statistics.median(t.facts["steps"][step] for t in turns)})
        if step == _TUNING:
            fits = statistics.median(turn.facts["fit_seconds"] for turn in turns)
            rows.append({"": "  of which at least one fit", "s": fits})
    between = statistics.median(t.facts["span"] - sum(t.facts["steps"].values()) for t in turns)
    outside = statistics.median(turn.seconds - turn.facts["span"] for turn in turns)
    return [
        *rows,
        {"": "between the steps", "s": between},
        {"": "before and after them: imports, the instance, the report", "s": outside},
    ]


GROUPS: dict[str, Callable[[Plan], Findings]] = {"base_date": run}

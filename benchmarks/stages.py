"""The stages of a base date, with the command that users run: their seconds and their memory."""

import json
import sqlite3
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.intervals import union_seconds
from benchmarks.measure import Turn
from benchmarks.memory import MemoryWatch
from benchmarks.sandbox import Sandbox

FITS = "fits"
BESIDE_FITS = "search but fits"
CHECKS = "checks"
_STAGES = {
    "features_target": "merge",
    "preprocessing": "read, check, split, write",
    "tuned_runs": BESIDE_FITS,
    "bentoml_model": "package",
    "champion_model": "gate",
    "model_card": "card",
}
"""Per step of the job its stage; all other steps are checks."""

_COMMAND = Path(sys.executable).with_name("credit-ct")
_NESTED = "mlflow.parentRunId"  # the tag of a nested run, which every trial is
_SMALL = {
    "depth": [4],
    "rsm": [1.0],
    "l2_leaf_reg": [3.0],
    "iterations": 20,
}
"""A search for a champion, with which the gate and the card compare."""


def base_date(here: Sandbox, base_dt: str, parameters: Mapping[str, Any]) -> Turn:
    """Train a base date.

    Args:
        here: The stores.
        base_dt: The base date.
        parameters: Of the search, where they differ from the platform's.

    Returns:
        Its facts: `stages`, the seconds per stage; `peaks`, the highest memory in each, GiB;
        `peak`, the highest of the process from start to end; `trials`, the number of fits.
    """
    config = here.folder / "run.yaml"  # JSON is YAML
    config.write_text(json.dumps({"ops": {"tuned_runs": {"config": dict(parameters)}}}))
    memory = MemoryWatch()
    here.run(str(_COMMAND), "run", "--partition", base_dt, "--config", str(config), watch=memory)
    since, until = memory.samples[0][0], memory.samples[-1][0]
    fits = _fits(here, since)
    stages, peaks = _of_steps(here, memory)
    stages[FITS] = union_seconds(fits)
    stages[BESIDE_FITS] -= stages[FITS]
    return Turn(
        until - since,
        {"stages": stages, "peaks": peaks, "peak": memory.peak(), "trials": len(fits)},
    )


def champion(here: Sandbox, base_dt: str) -> None:
    """Train a small model that becomes the champion."""
    base_date(here, base_dt, _SMALL)


def _of_steps(here: Sandbox, memory: MemoryWatch) -> tuple[dict[str, float], dict[str, float]]:
    """The seconds and the peak of each stage, according to the event log of the newest run."""
    logs = (here.folder / "var" / "dagster" / "history" / "runs").glob("*.db")
    newest = max(
        (each for each in logs if each.stem != "index"), key=lambda log: log.stat().st_mtime
    )
    with sqlite3.connect(newest) as events:
        rows = events.execute(
            "SELECT step_key, (julianday(min(timestamp)) - julianday('1970-01-01')) * 86400,"
            " (julianday(max(timestamp)) - julianday('1970-01-01')) * 86400 FROM event_logs"
            " WHERE dagster_event_type IN ('STEP_START', 'STEP_SUCCESS')"
            " GROUP BY step_key ORDER BY min(timestamp)"
        ).fetchall()
    seconds = dict.fromkeys([*_STAGES.values(), CHECKS], 0.0)
    peaks = dict.fromkeys(seconds, 0.0)
    for step, start, end in rows:
        stage = _STAGES.get(step, CHECKS)
        seconds[stage] += end - start
        peaks[stage] = max(peaks[stage], memory.peak(start, end))
    return seconds, peaks


def _fits(here: Sandbox, since: float) -> list[tuple[float, float]]:
    """When each trial was fitted, according to its MLflow run."""
    with sqlite3.connect(here.folder / "var" / "mlflow.db") as store:
        rows = store.execute(
            "SELECT start_time, end_time FROM runs JOIN tags USING (run_uuid)"
            " WHERE key = ? AND start_time > ?",
            [_NESTED, since * 1000],
        ).fetchall()
    return [(start / 1000, end / 1000) for start, end in rows]

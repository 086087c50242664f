"""Measurements as tables and as JSON."""

import json
import os
import platform
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.measure import Comparison

_WIDTH = 190
_LIBRARIES = ["catboost", "dagster", "distributed", "mlflow", "optuna", "pandas", "scikit-learn"]


@dataclass
class Findings:
    """The results of a group of measurements.

    Attributes:
        comparisons: Measurements, each with its target.
        tables: Further evidence by title, as rows of named values.
        skipped: Why the group did not run; none if it did.
        failed: Why the group failed; none if it did not.
    """

    comparisons: list[Comparison] = field(default_factory=list)
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    skipped: str | None = None
    failed: str | None = None


def machine() -> dict[str, Any]:
    """The machine and the versions that were measured."""
    pages, page = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "memory_gib": round(pages * page / 2**30, 1),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in _LIBRARIES},
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() in {"model name", "Model"}:
            return value.strip()
    return platform.processor() or platform.machine()


def merge_into(path: Path, group: str, findings: Findings, conditions: Mapping[str, Any]) -> None:
    """Write the results of a group into a JSON file, where they replace its earlier results.

    Args:
        path: The file; need not exist.
        group: The name of the group.
        findings: Its results; if it was skipped or failed, the file is not changed.
        conditions: The settings of the measurement.
    """
    if findings.skipped or findings.failed:
        return
    groups = json.loads(path.read_text()) if path.exists() else {}
    groups[group] = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "conditions": dict(conditions),
        "comparisons": [asdict(each) for each in findings.comparisons],
        "tables": findings.tables,
    }
    path.write_text(json.dumps(groups, indent=2) + "\n")


def show(found: Mapping[str, Findings]) -> bool:
    """Print all tables; returns whether every target is met."""
    console = Console(width=_WIDTH)
    for findings in found.values():
        for title, rows in findings.tables.items():
            console.print(f"\n{title}", markup=False)
            console.print(_evidence(rows))
    comparisons = [each for findings in found.values() for each in findings.comparisons]
    if comparisons:
        console.print()
        console.print(_targets(comparisons))
    for each in comparisons:
        for note in each.notes:
            console.print(f"{each.name}: {note}", markup=False)
    for group, findings in found.items():
        if findings.skipped:
            console.print(f"{group} was skipped: {findings.skipped}", markup=False)
        if findings.failed:
            console.print(f"{group} FAILED: {findings.failed}", markup=False)
    return all(each.met for each in comparisons) and not any(f.failed for f in found.values())


def _targets(comparisons: Iterable[Comparison]) -> Table:
    table = Table("measurement", "unit", "baseline", "ours", "ratio", "target", "met", box=None)
    for each in comparisons:
        met = "" if each.target == "none" else "yes" if each.met else "NO"
        table.add_row(
            each.name, each.unit, _median(each.baseline), _median(each.ours),
            f"{each.ratio:.2f} ({min(each.ratios):.2f}-{max(each.ratios):.2f})", each.target, met,
        )  # fmt: skip
    return table


def _median(values: list[float]) -> str:
    if not values:
        return ""
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def _evidence(rows: list[dict[str, Any]]) -> Table:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    table = Table(*columns, box=None)
    for row in rows:
        table.add_row(*(_cell(row.get(name)) for name in columns))
    return table


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4f}" if isinstance(value, float) else str(value)

"""What an upgrade of Dagster may move is where the package expects it, or is reported as moved."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster import DefaultRunLauncher

from credit_ct_dagster.runs import dagster_internals
from credit_ct_dagster.runs.history import RunHistory
from credit_ct_dagster.runs.recorded import completed_checks, recorded_runs

_MOVED = """
import sys
import dagster
sys.modules["dagster._core.launcher.base"].{name} = None
del sys.modules["dagster._core.launcher.base"].{name}
import credit_ct_dagster.runs.dagster_internals
"""


@dg.asset
def rows() -> None:
    """Succeeds."""


@dg.asset_check(asset=rows)
def is_small() -> dg.AssetCheckResult:
    """Fails for a base date."""
    return dg.AssetCheckResult(passed=False, metadata={"base_dt": "2025-01-31"})


def _evaluation(base_dt: str, passed: bool) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        rows.key, "is_small", passed=passed, metadata={"base_dt": base_dt}, partition=base_dt
    )


def test_an_internal_that_moved_is_named() -> None:
    """By the error of the first import, with the file to correct, before anything else fails."""
    moved = subprocess.run(
        [sys.executable, "-c", _MOVED.format(name="WorkerStatus")],
        capture_output=True,
        text=True,
        check=False,
    )
    last = moved.stderr.strip().splitlines()[-1]
    assert last.startswith(
        "ImportError: Dagster moved WorkerStatus: see credit_ct_dagster/runs/dagster_internals.py."
    )
    assert f"Dagster {dg.__version__} is installed" in last


@pytest.mark.parametrize("use", [
    lambda instance, folder: dagster_internals.open_instance(folder, folder).dispose(),
    lambda instance, _: dagster_internals.daemon_signs(instance, 120),
    lambda instance, _: dagster_internals.switched_instigators(instance),
    lambda instance, _: list(completed_checks(instance)),
    lambda instance, _: recorded_runs(instance, ["dagster/partition"]),
    lambda instance, _: dagster_internals.last_failed_check(
        instance, dg.AssetCheckKey(rows.key, "is_small"), "2025-01-31"
    ),
    lambda instance, _: dagster_internals.delete_check_results(instance, run_id="1"),
    lambda instance, _: dagster_internals.event_files(instance, "1"),
    lambda instance, _: dagster_internals.compute_log_folder(instance, "1"),
    lambda instance, _: dagster_internals.is_executing(DefaultRunLauncher(), "1"),
], ids=[
    "open_instance", "daemon_signs", "switched_instigators", "completed_checks",
    "recorded_runs",
    "last_failed_check", "delete_check_results", "event_files", "compute_log_folder",
    "is_executing",
])  # fmt: skip
def test_dagster_has_moved_none_of_its_internals(
    use: Callable[[dg.DagsterInstance, Path], Any], instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    """Each function that depends on one works with the installed version."""
    try:
        use(instance, tmp_path)
    except (ImportError, AttributeError, TypeError) as error:
        pytest.fail(f"Dagster moved what a function of runs/dagster_internals.py needs: {error}")


@pytest.mark.parametrize("instance", ["sqlite", "mariadb"], indirect=True)
def test_check_results_are_the_newest_per_base_date(instance: dg.DagsterInstance) -> None:
    """Of runs, and of what was reported outside of runs, whatever else the history holds."""
    history = RunHistory(instance)
    dg.materialize([rows, is_small], instance=instance)
    history.report_check_result(_evaluation("2025-02-01", passed=False))
    assert history.check_results() == {
        "2025-01-31": {"is_small": False},
        "2025-02-01": {"is_small": False},
    }
    history.report_check_result(_evaluation("2025-01-31", passed=True))
    history.report_check_result(_evaluation("2025-02-01", passed=True))
    assert history.check_results() == {
        "2025-01-31": {"is_small": True},
        "2025-02-01": {"is_small": True},
    }


@pytest.mark.parametrize("instance", ["sqlite", "mariadb"], indirect=True)
def test_check_results_are_deleted_with_their_run_or_base_date(
    instance: dg.DagsterInstance,
) -> None:
    """Dagster itself retains them when a run is deleted."""
    history = RunHistory(instance)
    run_id = dg.materialize([rows, is_small], instance=instance).run_id
    history.report_check_result(_evaluation("2025-02-01", passed=False))
    history.remove(run_id)
    assert history.check_results() == {"2025-02-01": {"is_small": False}}
    history.remove_reported_checks("2025-02-01")
    assert history.check_results() == {}

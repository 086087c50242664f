"""Log lines for machines, as whole processes write them."""

import json
import os
import subprocess
import sys
from typing import Any

import dagster as dg
import pytest

from credit_ct_dagster_tests.platform import REPOSITORY

_SCRIPT = """
import logging
import dagster as dg
from credit_ct_dagster.settings import get_settings

get_settings()
platform = logging.getLogger("credit_ct_dagster.resources.feature_store.store")

@dg.op
def step(context):
    context.log.info("읽음")
    platform.warning("inside of a run")
    raise dg.Failure("no rows")

@dg.job(tags={"dagster/partition": "2025-01-31"})
def training():
    step()

platform.warning("outside of runs", extra={"base_dt": "2025-01-30"})
python_logs = {"managed_python_loggers": ["credit_ct_dagster"]}
with dg.instance_for_test(overrides={"python_logs": python_logs}) as instance:
    print(training.execute_in_process(instance=instance, raise_on_error=False).run_id)
"""


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[dict[str, Any]]]:
    """What a process writes that logs inside and outside of a run: the run's id, and the lines."""
    folder = tmp_path_factory.mktemp("logs")
    ended = subprocess.run(
        [sys.executable, "-c", _SCRIPT],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONPATH": str(REPOSITORY),
            "LOG_FORMAT": "json",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return ended.stdout.strip(), [json.loads(line) for line in ended.stderr.splitlines()]


def _said(lines: list[dict[str, Any]], event: str) -> dict[str, Any]:
    [line] = [each for each in lines if each["event"] == event]
    return line


def test_a_step_says_base_date_and_run(logged: tuple[str, list[dict[str, Any]]]) -> None:
    """Beside its message, and every line is one JSON object."""
    run_id, lines = logged
    said = _said(lines, "읽음")
    assert {"level": "info", "base_dt": "2025-01-31", "run_id": run_id}.items() <= said.items()
    assert {"job": "training", "step": "step"}.items() <= said.items()
    assert said["timestamp"].endswith("Z")


def test_dagster_itself_does_too(logged: tuple[str, list[dict[str, Any]]]) -> None:
    """Its events have their type, and a failure its error."""
    run_id, lines = logged
    [failure] = [each for each in lines if each.get("dagster_event") == "STEP_FAILURE"]
    assert (failure["level"], failure["run_id"]) == ("error", run_id)
    assert "no rows" in failure["error"]


def test_the_platform_is_heard_once(logged: tuple[str, list[dict[str, Any]]]) -> None:
    """Inside of a run with the run's id, outside with what it says itself."""
    run_id, lines = logged
    assert _said(lines, "inside of a run")["run_id"] == run_id
    outside = _said(lines, "outside of runs")
    assert outside["base_dt"] == "2025-01-30"
    assert "run_id" not in outside


def test_people_read_text_by_default(
    instance: dg.DagsterInstance, capfd: pytest.CaptureFixture[str]
) -> None:
    """Dagster's own format."""

    @dg.asset
    def spoken(context: dg.AssetExecutionContext) -> None:
        context.log.info("읽음")

    run_id = dg.materialize([spoken], instance=instance).run_id
    assert f"__ephemeral_asset_job__ - {run_id} - spoken - 읽음" in capfd.readouterr().err

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
from credit_ct_dagster.errors.inputs import UnusableRowsError
from credit_ct_dagster.runs.failures import failure
from credit_ct_dagster.entry_point import set_up_process

set_up_process()
platform = logging.getLogger("credit_ct_dagster.resources.feature_store.store")

@dg.op
def step(context):
    context.log.info("읽음")
    platform.warning("inside of a run")
    raise failure(UnusableRowsError("no rows."), "2025-01-31")

@dg.op
def other():
    raise ZeroDivisionError("by zero")

@dg.job(tags={"dagster/partition": "2025-01-31"})
def training():
    step()
    other()

platform.warning("outside of runs", extra={"base_dt": "2025-01-30", "code": "CT-DATE-3"})
python_logs = {"managed_python_loggers": ["credit_ct_dagster"]}
with dg.instance_for_test(overrides={"python_logs": python_logs}) as instance:
    print(training.execute_in_process(instance=instance, raise_on_error=False).run_id)
"""


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[dict[str, Any]]]:
    """The lines that a process logs inside and outside of a run; and the run's id."""
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


def _line(lines: list[dict[str, Any]], event: str) -> dict[str, Any]:
    [line] = [each for each in lines if each["event"] == event]
    return line


def test_a_line_of_a_step_has_base_date_and_run(logged: tuple[str, list[dict[str, Any]]]) -> None:
    """And job and step, in addition to its message; every line is one JSON object."""
    run_id, lines = logged
    line = _line(lines, "읽음")
    assert {"level": "info", "base_dt": "2025-01-31", "run_id": run_id}.items() <= line.items()
    assert {"job": "training", "step": "step"}.items() <= line.items()
    assert line["timestamp"].endswith("Z")


def test_a_failure_has_its_error_and_its_code(
    logged: tuple[str, list[dict[str, Any]]],
) -> None:
    """In the line of Dagster's event, whether the platform knows the error or not."""
    run_id, lines = logged
    failures = {each["step"]: each for each in lines if each.get("dagster_event") == "STEP_FAILURE"}
    assert {(each["level"], each["run_id"]) for each in failures.values()} == {("error", run_id)}
    assert "no rows" in failures["step"]["error"]
    assert failures["step"]["code"] == "CT-ROWS-2"
    assert failures["other"]["code"] == "CT-UNEXPECTED-1"


def test_a_message_of_the_platform_is_logged_once(
    logged: tuple[str, list[dict[str, Any]]],
) -> None:
    """Inside of a run with the run's id, outside with the fields of the message."""
    run_id, lines = logged
    assert _line(lines, "inside of a run")["run_id"] == run_id
    outside = _line(lines, "outside of runs")
    assert (outside["base_dt"], outside["code"]) == ("2025-01-30", "CT-DATE-3")
    assert "run_id" not in outside


def test_text_is_the_default(
    instance: dg.DagsterInstance, capfd: pytest.CaptureFixture[str]
) -> None:
    """Dagster's own format."""

    @dg.asset
    def spoken(context: dg.AssetExecutionContext) -> None:
        context.log.info("읽음")

    run_id = dg.materialize([spoken], instance=instance).run_id
    assert f"__ephemeral_asset_job__ - {run_id} - spoken - 읽음" in capfd.readouterr().err

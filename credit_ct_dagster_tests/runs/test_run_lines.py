"""What runs of a code server write to its terminal."""

import logging
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest

from credit_ct_dagster.runs.run_lines import is_news
from credit_ct_dagster_tests.dagster_internals import code_location_at, launch
from credit_ct_dagster_tests.runs.code_location import NAME, code_location, soon, status
from credit_ct_dagster_tests.servers import free_port

pytestmark = pytest.mark.integration

_CODE = """
import dagster as dg
from credit_ct_dagster.runs.run_lines import write_few_lines

write_few_lines()

@dg.op
def step(context):
    context.log.info("for the UI")
    context.log.warning("look at this")

@dg.job(executor_def=dg.in_process_executor)
def waiting():
    step()
"""


def _record(kind: dg.DagsterEventType | None, level: int = logging.DEBUG) -> logging.LogRecord:
    meta = {
        "dagster_event": SimpleNamespace(event_type=kind) if kind else None,
        "job_tags": {"dagster/partition": "2025-01-31"},
        "job_name": "continuous_training",
        "run_id": "a1",
    }
    return logging.makeLogRecord({"dagster_meta": meta, "levelno": level, "msg": "long"})


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        (dg.DagsterEventType.RUN_START, "continuous_training of 2025-01-31 started: run a1"),
        (dg.DagsterEventType.RUN_FAILURE, "continuous_training of 2025-01-31 failed: run a1"),
        (dg.DagsterEventType.STEP_START, None),
    ],
)
def test_a_run_says_that_it_begins_and_ends(kind: dg.DagsterEventType, line: str | None) -> None:
    """With its base date; all other events are in the UI only."""
    record = _record(kind)
    assert (record.msg if is_news(record) else None) == line
    assert line is None or record.levelname == "INFO"


def test_only_warnings_of_a_step_are_written() -> None:
    """Its progress is in the UI."""
    assert is_news(_record(None, logging.WARNING))
    assert not is_news(_record(None, logging.INFO))


def test_a_code_server_shows_no_events_of_its_runs(tmp_path: Path) -> None:
    """Its terminal has the beginning, the warning and the end; the run's log has everything."""
    port, log = free_port(), tmp_path / "log"
    with (
        dg.instance_for_test() as instance,
        code_location(tmp_path, port, _CODE, log),
        code_location_at(instance, port, NAME) as context,
    ):
        run_id = launch(context, NAME, NAME)
        soon(lambda: status(instance, run_id) == dg.DagsterRunStatus.SUCCESS, "the run")
        soon(lambda: f"succeeded: run {run_id}" in log.read_text(), "its last line")
        assert [each for each in instance.all_logs(run_id) if each.user_message == "for the UI"]
    written = [line for line in log.read_text().splitlines() if run_id in line]
    assert [line.rsplit(" - ", 1)[1] for line in written] == [
        f"waiting started: run {run_id}", "look at this", f"waiting succeeded: run {run_id}",
    ]  # fmt: skip

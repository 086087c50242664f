"""Runs whose process was killed, with real processes, or that never began."""

import os
import subprocess
import sys
from datetime import timedelta

import dagster as dg
import pytest

from credit_ct_dagster.automation.base_date_runs import was_started
from credit_ct_dagster.automation.jobs import continuous_training_job
from credit_ct_dagster.runs import processes
from credit_ct_dagster.runs.processes import fail_abandoned_runs
from credit_ct_dagster.runs.reasons import reason_of
from credit_ct_dagster_tests.dagster_internals import create_run_for_test, report_process
from credit_ct_dagster_tests.platform import BASE_DT


def _dead() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED])
def test_only_runs_whose_process_does_not_exist_are_failed(
    instance: dg.DagsterInstance, status: dg.DagsterRunStatus
) -> None:
    """Also one that was killed while it was still importing; one without a process yet is not."""
    dead, alive, without = (create_run_for_test(instance, status=status) for _ in range(3))
    for run, pid in ((dead, _dead()), (alive, os.getpid())):
        report_process(instance, run, pid)
    assert fail_abandoned_runs(instance) == [dead.run_id]
    statuses = {run.run_id: run.status for run in instance.get_runs()}
    assert statuses == {
        dead.run_id: dg.DagsterRunStatus.FAILURE,
        alive.run_id: status,
        without.run_id: status,
    }


def test_a_killed_process_is_the_reason_of_its_run(instance: dg.DagsterInstance) -> None:
    """With a code that leads to what to do."""
    run = create_run_for_test(instance, status=dg.DagsterRunStatus.STARTED)
    report_process(instance, run, _dead())
    fail_abandoned_runs(instance)
    logged = instance.all_logs(run.run_id)
    reason = reason_of(entry.dagster_event for entry in logged if entry.dagster_event)
    assert reason is not None
    assert reason.code == "CT-RUN-2"
    assert reason.sentence == (
        "The process that executed the run was killed. Start it again: finished trials are reused."
        " See CT-RUN-2: docs/runbook.md#ct-run-2"
    )


def test_a_run_that_never_began_does_not_block_its_base_date(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was just created is not touched; an old one has failed."""
    tags = {"dagster/partition": BASE_DT}
    run = create_run_for_test(instance, job_name=continuous_training_job.name, tags=tags)
    assert fail_abandoned_runs(instance) == []
    assert was_started(instance, BASE_DT)
    monkeypatch.setattr(processes, "_BEGINS_WITHIN", timedelta(seconds=-2))
    assert fail_abandoned_runs(instance) == [run.run_id]
    assert not was_started(instance, BASE_DT)

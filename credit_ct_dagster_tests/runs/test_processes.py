"""Runs whose process was killed, seen with real processes, or before they began."""

import os
import subprocess
import sys
from datetime import timedelta

import dagster as dg
import pytest
from dagster._core.events import EngineEventData
from dagster._core.test_utils import create_run_for_test

from credit_ct_dagster.automation.base_date_runs import was_started
from credit_ct_dagster.automation.jobs import continuous_training_job
from credit_ct_dagster.runs import processes
from credit_ct_dagster.runs.processes import fail_abandoned_runs
from credit_ct_dagster_tests.platform import BASE_DT


def _dead() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED])
def test_only_runs_whose_process_is_gone_are_failed(
    instance: dg.DagsterInstance, status: dg.DagsterRunStatus
) -> None:
    """Also one that was killed while it was still importing; one without a process yet is not."""
    dead, alive, unborn = (create_run_for_test(instance, status=status) for _ in range(3))
    for run, pid in ((dead, _dead()), (alive, os.getpid())):
        instance.report_engine_event(
            "Started process for run", run, EngineEventData.in_process(pid)
        )
    assert fail_abandoned_runs(instance) == [dead.run_id]
    told = {run.run_id: run.status for run in instance.get_runs()}
    assert told == {
        dead.run_id: dg.DagsterRunStatus.FAILURE,
        alive.run_id: status,
        unborn.run_id: status,
    }


def test_a_run_that_never_began_keeps_nobody_from_its_base_date(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was just created is left alone; an old one has failed."""
    tags = {"dagster/partition": BASE_DT}
    run = create_run_for_test(instance, job_name=continuous_training_job.name, tags=tags)
    assert fail_abandoned_runs(instance) == []
    assert was_started(instance, BASE_DT)
    monkeypatch.setattr(processes, "_BEGINS_WITHIN", timedelta(seconds=-2))
    assert fail_abandoned_runs(instance) == [run.run_id]
    assert not was_started(instance, BASE_DT)

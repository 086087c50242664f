"""Runs whose process was killed before they began."""

from datetime import timedelta

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test

from credit_ct_dagster.automation.base_date_runs import was_started
from credit_ct_dagster.automation.jobs import continuous_training_job
from credit_ct_dagster.resources import run_processes
from credit_ct_dagster.resources.run_processes import fail_abandoned_runs
from credit_ct_dagster_tests.platform import BASE_DT


def test_a_run_that_never_began_keeps_nobody_from_its_base_date(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was just created is left alone; an old one has failed."""
    tags = {"dagster/partition": BASE_DT}
    run = create_run_for_test(instance, job_name=continuous_training_job.name, tags=tags)
    assert fail_abandoned_runs(instance) == []
    assert was_started(instance, BASE_DT)
    monkeypatch.setattr(run_processes, "_BEGINS_WITHIN", timedelta(seconds=-2))
    assert fail_abandoned_runs(instance) == [run.run_id]
    assert not was_started(instance, BASE_DT)

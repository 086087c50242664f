"""Runs and results of checks as rows."""

import dagster as dg
import pytest

from credit_ct_dagster.partitions import PARTITION_TAG
from credit_ct_dagster.runs.history import RunHistory
from credit_ct_dagster.runs.model_runs import MODEL_TAG
from credit_ct_dagster.runs.recorded import (
    RecordedRun,
    completed_checks,
    evaluations,
    recorded_runs,
)
from credit_ct_dagster_tests.dagster_internals import create_run_for_test

_BASE_DT = "2025-01-31"


@dg.asset(partitions_def=dg.DailyPartitionsDefinition("2025-01-01"))
def rows() -> None:
    """Succeeds."""


@dg.asset_check(asset=rows)
def is_small() -> dg.AssetCheckResult:
    """Names another base date than the run does, which only its event holds."""
    return dg.AssetCheckResult(passed=True, metadata={"base_dt": "read from the event"})


@pytest.mark.parametrize("instance", ["sqlite", "mariadb"], indirect=True)
def test_runs_are_read_with_the_tags_that_are_asked_for(instance: dg.DagsterInstance) -> None:
    """Newest first, whatever other tags they have, and without any."""
    status = dg.DagsterRunStatus
    tags = {PARTITION_TAG: _BASE_DT, MODEL_TAG: "m", "owner": "somebody"}
    older = create_run_for_test(instance, "first_job", tags=tags, status=status.FAILURE)
    newer = create_run_for_test(instance, "second_job", status=status.STARTED)
    assert recorded_runs(instance, [PARTITION_TAG, MODEL_TAG]) == [
        RecordedRun(newer.run_id, "second_job", status.STARTED, {}),
        RecordedRun(
            older.run_id, "first_job", status.FAILURE, {PARTITION_TAG: _BASE_DT, MODEL_TAG: "m"}
        ),
    ]


@pytest.mark.parametrize("instance", ["sqlite", "mariadb"], indirect=True)
def test_the_base_date_of_a_check_is_that_of_its_run(instance: dg.DagsterInstance) -> None:
    """Its event, which takes most of the time to read, is read if the run is not known any more."""
    run = dg.materialize([rows, is_small], instance=instance, partition_key=_BASE_DT)
    assert RunHistory(instance).check_results() == {_BASE_DT: {"is_small": True}}
    [check] = completed_checks(instance)
    assert (check.run_id, check.passed) == (run.run_id, True)
    assert evaluations(instance, [check])[check.number].check_name == "is_small"
    instance.run_storage.delete_run(run.run_id)
    assert RunHistory(instance).check_results() == {"read from the event": {"is_small": True}}

"""Runs of commands are runs of the code location that the workspace names."""

from pathlib import Path
from uuid import uuid4

import dagster as dg
import pytest

from credit_ct_dagster.automation.jobs import executor
from credit_ct_dagster.partitions import Calendar
from credit_ct_dagster.runs.code_location import execute_run_here
from credit_ct_dagster.runs.processes import record_run
from credit_ct_dagster.runs.shipped_files import WORKSPACE
from credit_ct_dagster_tests.platform import REPOSITORY

_LABEL = ".dagster/repository"
_BASE_DT = "2025-03-10"


@dg.asset(partitions_def=Calendar().partitions)
def rows() -> None:
    """Succeeds."""


@dg.asset(partitions_def=Calendar().partitions)
def joined(context: dg.AssetExecutionContext) -> None:
    """As every run of the platform does when it opens its resources."""
    record_run(context.instance, context.run, "m")


def _job(asset: dg.AssetsDefinition) -> dg.JobDefinition:
    training = dg.define_asset_job("training", [asset])
    defined = dg.Definitions(assets=[asset], jobs=[training], executor=executor)
    return defined.resolve_job_def("training")


@pytest.fixture(params=["workspace.yaml", "deploy/workspace.yaml", None])
def workspace(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The working directory of a process: the embedded default, the stack, and one without file."""
    monkeypatch.chdir(tmp_path)
    if request.param:
        Path(WORKSPACE).write_text((REPOSITORY / request.param).read_text())


def _recorded(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRun:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run


@pytest.mark.usefixtures("workspace")
def test_a_run_of_a_command_is_one_of_the_location(instance: dg.DagsterInstance) -> None:
    """Of the job as the location has it, with the base date, and what makes the UI list it."""
    job = _job(rows)
    result = execute_run_here(job, instance, str(uuid4()), _BASE_DT, {"a": "b"}, {})
    run = _recorded(instance, result.run_id)
    assert run.status == dg.DagsterRunStatus.SUCCESS
    assert run.remote_job_origin is not None
    assert run.remote_job_origin.job_name == "training"
    assert run.remote_job_origin.location_name == "credit_ct_dagster"
    assert run.job_snapshot_id == job.get_job_snapshot_id()
    assert run.tags["dagster/partition"] == _BASE_DT
    assert run.tags["a"] == "b"
    listed = instance.get_runs(dg.RunsFilter(tags={_LABEL: "__repository__@credit_ct_dagster"}))
    assert [each.run_id for each in listed] == [run.run_id]


@pytest.mark.usefixtures("workspace")
def test_a_run_of_dagsters_command_line_joins_the_location(instance: dg.DagsterInstance) -> None:
    """When it opens its resources; its tags and its end are as they would have been."""
    result = _job(joined).execute_in_process(
        instance=instance, partition_key=_BASE_DT, tags={"a": "b"}
    )
    run = _recorded(instance, result.run_id)
    assert run.status == dg.DagsterRunStatus.SUCCESS
    assert run.remote_job_origin is not None
    assert run.remote_job_origin.location_name == "credit_ct_dagster"
    assert run.tags["a"] == "b"
    listed = instance.get_runs(dg.RunsFilter(tags={_LABEL: "__repository__@credit_ct_dagster"}))
    assert [each.run_id for each in listed] == [run.run_id]


def test_a_workspace_of_others_has_no_run_of_ours(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a run is executed, and belongs to no location."""
    monkeypatch.chdir(tmp_path)
    ours = "{module_name: a, location_name: %s, working_directory: .}"
    content = "load_from:\n" + "".join(f"- python_module: {ours % name}\n" for name in "xy")
    Path(WORKSPACE).write_text(content)
    result = execute_run_here(_job(rows), instance, str(uuid4()), _BASE_DT, {}, {})
    assert result.success
    assert _recorded(instance, result.run_id).remote_job_origin is None

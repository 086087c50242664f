"""Runs that a command executes, as runs of the code location that the UI and the daemon show.

Dagster gives a run its origin only if a server launches it. One without is missing from the
timeline and from the pages of its job, is not retried, and cannot be started again from its page.
Like `dagster_internals`, this module imports `dagster._…`.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from credit_ct_dagster.runs.dagster_internals import internals_of_dagster
from credit_ct_dagster.runs.shipped_files import WORKSPACE, own_or_shipped

if TYPE_CHECKING:
    from dagster._core.remote_origin import RemoteRepositoryOrigin

_NAME = "credit_ct_dagster"


def execute_run_here(
    job: dg.JobDefinition,
    instance: dg.DagsterInstance,
    run_id: str,
    base_dt: str,
    tags: Mapping[str, str],
    run_config: Mapping[str, Any],
) -> dg.JobExecutionResult:
    """Execute a job for a base date in this process, as the code location would.

    `JobDefinition.execute_in_process` changes the job, so that the UI takes the run for one of
    another version, and gives it no origin.

    Raises:
        dagster.DagsterInvalidConfigError: The run configuration is not valid; there is no run.
    """
    with internals_of_dagster():
        from dagster._core.definitions.job_base import InMemoryJob
        from dagster._core.execution.api import execute_run

    origin = _origin()
    run = instance.create_run_for_job(
        job_def=job,
        run_id=run_id,
        run_config=run_config,
        tags={**job.run_tags, **job.get_tags_for_partition_key(base_dt, None), **tags},
        remote_job_origin=origin.get_job_origin(job.name) if origin else None,
    )
    return execute_run(InMemoryJob(job), run, instance)


def join_code_location(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """Give a run that Dagster's command line has created its origin, if it has none."""
    with internals_of_dagster():
        from dagster._core.storage.tags import CODE_LOCATION_TAG, REPOSITORY_LABEL_TAG

    origin = None if run.remote_job_origin else _origin()
    if origin is None:
        return
    job_origin = origin.get_job_origin(run.job_name)
    instance.add_run_tags(
        run.run_id,
        {CODE_LOCATION_TAG: job_origin.location_name, REPOSITORY_LABEL_TAG: origin.get_label()},
    )
    tagged = instance.get_run_by_id(run.run_id)
    assert tagged is not None
    instance.run_storage.replace_job_origin(tagged, job_origin)


def _origin() -> "RemoteRepositoryOrigin | None":
    """Of the only code location of the workspace, or of ours; None of a workspace of others."""
    with internals_of_dagster():
        from dagster._core.definitions.repository_definition import SINGLETON_REPOSITORY_NAME
        from dagster._core.remote_origin import RemoteRepositoryOrigin
        from dagster._core.workspace.load_target import WorkspaceFileTarget

    file = str(own_or_shipped(WORKSPACE))
    named = {each.location_name: each for each in WorkspaceFileTarget([file]).create_origins()}
    location = next(iter(named.values())) if len(named) == 1 else named.get(_NAME)
    return RemoteRepositoryOrigin(location, SINGLETON_REPOSITORY_NAME) if location else None

"""The MLflow run of a Dagster run, under which its trials are nested."""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import dagster as dg

from credit_ct_dagster.errors.base import CreditCtError
from credit_ct_dagster.garbage import no_search_for_garbage
from credit_ct_dagster.partitions import PARTITION_TAG
from credit_ct_dagster.resources.mlflow.abandoned import end_abandoned, end_parent
from credit_ct_dagster.resources.mlflow.tags import RUN_NAME_TAG, search_name
from credit_ct_dagster.runs.failures import failure

if TYPE_CHECKING:
    from credit_ct_dagster.resources.mlflow.tracking import MlflowTracking


@dg.resource(
    # Those of dagster-mlflow's options that are set; importing its schema would import MLflow,
    # which takes seconds and only runs need.
    config_schema={
        "experiment_name": dg.Field(dg.StringSource, description="Names the experiment"),
        "mlflow_tracking_uri": dg.Field(
            dg.StringSource, description="Where runs are recorded: a database or a server"
        ),
        "env": dg.Field(dg.Permissive(), description="Environment variables to set for MLflow"),
        "extra_tags": dg.Field(dg.Permissive(), description="Further tags of the run"),
    },
    required_resource_keys={"tracking"},
    description="dagster-mlflow's run for this Dagster run: the parent of its trials",
)
def parent_run(context: dg.InitResourceContext) -> Iterator[Any]:
    """Open dagster-mlflow's run, and end it in every case.

    It has finished when the search left the best run as a tag, and failed otherwise; so it does not
    matter that `dagster job execute` opens the resources once more after the run. The hook of
    dagster-mlflow sees the last node of a job only, and so misses other selections from the UI.
    """
    with no_search_for_garbage():
        import mlflow
        from dagster_mlflow import mlflow_tracking

    from credit_ct_dagster.runs.processes import fail_abandoned_runs, is_over

    tracking: MlflowTracking = context.resources.tracking
    assert context.instance is not None
    fail_abandoned_runs(context.instance)
    try:
        end_abandoned(tracking, partial(is_over, context.instance))
    except CreditCtError as error:
        raise failure(error) from error
    try:
        yield from cast(Any, mlflow_tracking.resource_fn)(_named(context))
    finally:
        run = mlflow.active_run()
        if run is not None:
            assert context.run_id is not None
            mlflow.end_run(end_parent(tracking, run.info.run_id, context.run_id))


def _named(context: dg.InitResourceContext) -> dg.InitResourceContext:
    """With the name of the run among its tags: dagster-mlflow calls it like the job of Dagster."""
    base_dt = context.run.tags.get(PARTITION_TAG) if context.run else None
    if base_dt is None:
        return context
    config = context.resource_config
    tags = {**config["extra_tags"], RUN_NAME_TAG: search_name(base_dt)}
    return context.replace_config({**config, "extra_tags": tags})

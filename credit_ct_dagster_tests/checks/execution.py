"""What tests of checks do: change the source tables, execute a check, and look at its result."""

from typing import Any

import dagster as dg
import sqlalchemy as sa

from credit_ct_dagster.checks.partitioned import partitioned_check
from credit_ct_dagster.partitions import PARTITION_TAG, Calendar
from credit_ct_dagster_tests.platform import ASSETS, BASE_DT, Platform

UNTIL_SPLITS = dg.AssetSelection.assets("features_target", "preprocessed_splits", "robust_scalers")


def execute_sql(platform: Platform, *statements: str) -> None:
    """Change the feature store, as another system does."""
    with sa.create_engine(platform.url).begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def results_of(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    """The results of a run's checks by their names."""
    return {each.check_name: each for each in result.get_asset_check_evaluations()}


def execute_check(
    check: dg.AssetChecksDefinition,
    platform: Platform,
    instance: dg.DagsterInstance,
    base_dt: str | None = BASE_DT,
    **resources: Any,
) -> dg.ExecuteInProcessResult:
    """Execute only a check, as when the UI re-executes its step."""
    partitioned = partitioned_check(check, Calendar().partitions)
    return dg.materialize(
        [*ASSETS, partitioned],
        tags={PARTITION_TAG: base_dt} if base_dt else {},
        instance=instance,
        selection=dg.AssetSelection.checks(partitioned),
        resources=platform.resources() | resources,
        raise_on_error=False,
    )

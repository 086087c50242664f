"""Checks belong to base dates, as the assets that they check."""

import dagster as dg
import pytest

from credit_ct_dagster.alerting.alerts import alert_on
from credit_ct_dagster.alerting.events import RunSucceeded
from credit_ct_dagster.definitions import CHECKS, build, partitioned_checks
from credit_ct_dagster.partitions import Calendar
from credit_ct_dagster.resources.dagster_ui import DagsterUI
from credit_ct_dagster.runs.model_runs import ModelRuns
from credit_ct_dagster_tests.platform import ASSETS, BASE_DT
from credit_ct_dagster_tests.trained import Trained

_PARTITIONED = partitioned_checks(Calendar())


def test_every_check_has_a_partition_per_base_date(trained: Trained) -> None:
    """That of its asset, so that the UI does not offer to execute one without a base date."""
    asset_graph = build(trained.platform.settings).resolve_asset_graph()
    keys = {key for each in CHECKS for key in each.check_keys}
    assert keys == set(asset_graph.asset_check_keys)
    for key in keys:
        partitions = asset_graph.get(key).partitions_def
        assert partitions is not None
        assert partitions == asset_graph.get(key.asset_key).partitions_def


def test_a_result_belongs_to_the_base_date_of_its_run(trained: Trained) -> None:
    """So that the page of a check tells its base dates apart."""
    evaluations = trained.result.get_asset_check_evaluations()
    assert evaluations
    assert {each.partition for each in evaluations} == {BASE_DT}


@pytest.fixture
def without_base_date(trained: Trained, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    """A run as the UI's "Execute all" starts it: checks, and nothing else."""
    job = dg.Definitions(
        assets=ASSETS, asset_checks=_PARTITIONED, resources=trained.platform.resources()
    ).resolve_implicit_global_asset_job_def()
    keys = {key for each in _PARTITIONED for key in each.check_keys}
    return job.get_subset(asset_check_selection=keys).execute_in_process(
        instance=instance, raise_on_error=False
    )


def test_checks_without_a_base_date_are_not_evaluated(
    without_base_date: dg.ExecuteInProcessResult, instance: dg.DagsterInstance
) -> None:
    """Not one turns red, or green; the log of the run says what to do; nobody is alerted."""
    assert without_base_date.success
    assert not without_base_date.get_asset_check_evaluations()
    logged = [each.message for each in instance.all_logs(without_base_date.run_id)]
    said = [each for each in logged if "Not evaluated: this run has no base date." in each]
    assert len(said) == len(CHECKS)
    keys = frozenset(key for each in _PARTITIONED for key in each.check_keys)
    # As a server records it: `execute_in_process` leaves out what was selected.
    run = dg.DagsterRun("__ASSET_JOB", without_base_date.run_id, asset_check_selection=keys)
    ui = DagsterUI(url="http://x", model_name="m")
    assert alert_on(ModelRuns(instance, "m"), ui, RunSucceeded(run)) is None

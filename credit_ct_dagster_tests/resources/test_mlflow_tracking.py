"""MLflow: parents that end, links, and runs that a kill left open."""

from pathlib import Path

import dagster as dg
import pytest

from credit_ct_dagster.resources.feature_store import FeatureStore
from credit_ct_dagster.resources.mlflow_tracking import MlflowTracking
from credit_ct_dagster_tests.platform import ASSETS, BASE_DT, Platform, failure_of


def _statuses(platform: Platform) -> dict[str, int]:
    runs = platform.tracking.client.search_runs([platform.tracking.experiment_id()])
    statuses = [run.info.status for run in runs]
    return {status: statuses.count(status) for status in set(statuses)}


def test_files_of_runs_lie_beside_the_store(platform: Platform) -> None:
    """A local store does not scatter `mlruns` over the working directory."""
    experiment = platform.tracking.client.get_experiment(platform.tracking.experiment_id())
    assert experiment.artifact_location == (platform.folder / "var/mlflow_artifacts").as_uri()


@pytest.mark.parametrize(
    ("uri", "start"),
    [
        (None, "http://127.0.0.1:5000/#/experiments/"),
        ("http://user:hush@mlflow:5000", "http://mlflow:5000/#/experiments/"),
    ],
)
def test_links_lead_to_the_run_and_hold_no_secret(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, uri: str | None, start: str
) -> None:
    """A server's own address, or the address of the UI of a local store."""
    monkeypatch.setattr(MlflowTracking, "experiment_id", lambda self: "1")
    tracking = MlflowTracking(
        tracking_uri=uri or platform.tracking.tracking_uri,
        model_name="m",
        ui_url="http://127.0.0.1:5000/",
    )
    assert tracking.run_url("abc").startswith(start)
    assert "hush" not in tracking.run_url("abc")


@pytest.mark.parametrize("step", ["features_target", "preprocessing"])
def test_the_parent_fails_when_a_step_before_the_search_fails(
    platform: Platform, instance: dg.DagsterInstance, step: str
) -> None:
    """No run is left open, whichever step ends the Dagster run."""
    base_dt = {"features_target": BASE_DT, "preprocessing": "2025-12-01"}[step]
    if step == "features_target":
        broken = FeatureStore(url=f"sqlite:///{platform.folder}/nothing.db")
        result = platform.materialize(instance, base_dt=base_dt, feature_store=broken)
    else:
        result = platform.materialize(instance, base_dt=base_dt)
    assert failure_of(result)
    assert _statuses(platform) == {"FAILED": 1}


def test_materializing_tuned_runs_alone_ends_its_parent(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """As from the UI: a selection without the last asset of the job."""
    platform.materialize(instance)
    assert _statuses(platform) == {"FINISHED": 3}
    only = dg.materialize(
        ASSETS,
        partition_key=BASE_DT,
        instance=instance,
        resources=platform.resources(),
        selection=dg.AssetSelection.assets("tuned_runs"),
        run_config={"ops": {"tuned_runs": {"config": {"depth": [3], "rsm": [1.0],
                                                      "l2_leaf_reg": [3.0], "iterations": 5}}}},
    )  # fmt: skip
    assert only.success
    assert _statuses(platform) == {"FINISHED": 5}


def test_runs_that_a_kill_left_open_are_ended(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """Those of an ended Dagster run, whatever its base date, and no others."""
    ended = instance.create_run_for_job(_any_job())
    instance.report_run_failed(ended)
    client, experiment = platform.tracking.client, platform.tracking.experiment_id()

    def open_run(**tags: str) -> str:
        return client.create_run(experiment, tags=tags).info.run_id

    trial = open_run(**{"credit_ct.dagster_run_id": ended.run_id})
    parent = open_run(dagster_run_id=ended.run_id)
    elsewhere = open_run(**{"credit_ct.dagster_run_id": "of another instance"})
    someones = open_run()
    assert platform.materialize(instance).success
    status = [client.get_run(run).info.status for run in (trial, parent, elsewhere, someones)]
    assert status == ["FAILED", "FAILED", "RUNNING", "RUNNING"]


def _any_job() -> dg.JobDefinition:
    @dg.op
    def nothing() -> None: ...

    @dg.job
    def any_job() -> None:
        nothing()

    return any_job


def test_the_store_is_created_where_it_is_missing(tmp_path: Path) -> None:
    """A first run needs no preparation."""
    tracking = MlflowTracking(
        tracking_uri=f"sqlite:///{tmp_path}/new/mlflow.db", model_name="m", ui_url="http://x"
    )
    assert tracking.experiment_id() == tracking.experiment_id()
    assert (tmp_path / "new" / "mlflow.db").exists()

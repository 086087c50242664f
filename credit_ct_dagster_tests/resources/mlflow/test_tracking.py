"""MLflow: parents that end, links, and runs that a killed process left open."""

import sqlite3
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from credit_ct_dagster.contracts.trial import Trial, TrialState
from credit_ct_dagster.errors.models import MissingModelError, MlflowUnavailableError
from credit_ct_dagster.makefile import command_of
from credit_ct_dagster.modeling.search.trials import FittedTrial
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.resources.mlflow.abandoned import settle
from credit_ct_dagster.resources.mlflow.parent_run import parent_run
from credit_ct_dagster.resources.mlflow.tracking import MlflowTracking
from credit_ct_dagster.resources.mlflow.trials import Nesting
from credit_ct_dagster_tests.platform import BASE_DT, Platform, failure_of
from credit_ct_dagster_tests.processes import record_trials, warm


def _statuses(platform: Platform) -> dict[str, int]:
    runs = platform.tracking.client.search_runs([platform.tracking.experiment_id()])
    statuses = [run.info.status for run in runs]
    return {status: statuses.count(status) for status in set(statuses)}


def test_files_of_runs_lie_beside_the_store(platform: Platform) -> None:
    """A local store writes no `mlruns` into the working directory."""
    experiment = platform.tracking.client.get_experiment(platform.tracking.experiment_id())
    assert experiment.artifact_location == (platform.folder / "var/mlflow_artifacts").as_uri()


@pytest.mark.parametrize(
    ("uri", "ui_url", "root"),
    [
        (None, None, "http://127.0.0.1:5000"),
        (None, "http://ui:80/", "http://ui:80"),
        ("http://user:hush@mlflow:5000", None, "http://mlflow:5000"),
        ("http://user:hush@mlflow:5000", "http://ui:80/", "http://ui:80"),
    ],
)
def test_links_lead_to_the_run_and_hold_no_secret(
    platform: Platform,
    monkeypatch: pytest.MonkeyPatch,
    uri: str | None,
    ui_url: str | None,
    root: str,
) -> None:
    """Where people open MLflow: in a stack, they do not reach the server by the platform's name."""
    monkeypatch.setattr(MlflowTracking, "experiment_id", lambda self: "1")
    tracking = MlflowTracking(
        tracking_uri=uri or platform.tracking.tracking_uri,
        model_name="m",
        ui_url=ui_url,
    )
    assert tracking.run_url("abc").startswith(f"{root}/#/experiments/")
    assert "hush" not in tracking.run_url("abc")
    file, _, view = tracking.run_url("abc", "/artifacts/model_card.html").partition("?")
    assert file.endswith("/runs/abc/artifacts/model_card.html")
    assert view == "workflowType=machine_learning"
    assert tracking.served_by == (command_of("mlflow") if root == "http://127.0.0.1:5000" else "")


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
    before = dg.AssetSelection.assets("features_target", "preprocessed_splits", "robust_scalers")
    assert platform.materialize(instance, selection=before).success
    small = {"depth": [3], "rsm": [1.0], "l2_leaf_reg": [3.0], "iterations": 20}
    only = platform.materialize(
        instance,
        selection=dg.AssetSelection.assets("tuned_runs"),
        config={"tuned_runs": {"config": small}},
    )
    assert only.success
    assert _statuses(platform) == {"FINISHED": 2}, "the trial and its parent"


def test_runs_that_a_killed_process_left_open_are_ended(
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
    platform.materialize(instance, selection=dg.AssetSelection.assets("tuned_runs"))
    status = [client.get_run(run).info.status for run in (trial, parent, elsewhere, someones)]
    assert status == ["FAILED", "FAILED", "RUNNING", "RUNNING"]


def _fitted(number: int) -> FittedTrial:
    trial = Trial(
        number=number, params={"depth": 3.0}, state=TrialState.pruned, reason="fell behind"
    )
    return FittedTrial(trial, started=1_700_000_000.0, curve=[0.5 + number, 0.4], model=None)


def _nesting(parent_run_id: str, search: str = "s") -> Nesting:
    return Nesting(
        parent_run_id, {"credit_ct.search": search, "credit_ct.base_dt": BASE_DT}, {"iterations": 9}
    )


def test_threads_and_processes_record_at_once(platform: Platform) -> None:
    """Every trial has one run of its own, ended, with its own values."""
    platform.tracking.experiment_id()
    with ProcessPoolExecutor(2, mp_context=warm()) as processes:
        store = (platform.tracking.tracking_uri, platform.model_name)
        parts = [processes.submit(record_trials, *store, range(n, n + 8)) for n in (0, 8)]
        run_ids = {number: run for part in parts for number, run in part.result().items()}
    assert len(set(run_ids.values())) == 16
    for number, run_id in run_ids.items():
        run = platform.tracking.client.get_run(run_id)
        assert run.info.status == "FINISHED"
        assert run.data.tags["credit_ct.state"] == "pruned"
        assert run.data.tags["credit_ct.trial"] == str(number)
        assert run.data.params == {"depth": "3.0", "iterations": "9"}
        assert platform.tracking.curve(run_id) == [0.5 + number, 0.4]
        assert run.info.end_time - run.info.start_time == 1000


def test_a_long_curve_is_complete(platform: Platform) -> None:
    """MLflow takes a thousand values at a time."""
    curve = [1 / n for n in range(1, 2_501)]
    fitted = replace(_fitted(0), curve=curve)
    run_id = platform.tracking.tracker(_nesting("parent")).record(fitted)
    assert platform.tracking.curve(run_id) == curve


def test_the_curve_that_an_earlier_release_wrote_is_read(platform: Platform) -> None:
    """It had another name, by which one could take it for a log-loss."""
    tracking = platform.tracking
    run_id = tracking.client.create_run(tracking.experiment_id()).info.run_id
    for tree, loss in enumerate((0.9, 0.5), 1):
        tracking.client.log_metric(run_id, "validation_loss", loss, step=tree)
    assert tracking.curve(run_id) == [0.9, 0.5]


def test_runs_that_the_search_does_not_know_are_marked_as_killed(platform: Platform) -> None:
    """Only those of the same search; its own are nested under the newest parent."""
    tracking, client = platform.tracking, platform.tracking.client
    known, unknown = (tracking.tracker(_nesting("old")).record(_fitted(n)) for n in range(2))
    other = tracking.tracker(_nesting("old", "other")).record(_fitted(0))
    settle(tracking, "s", {known}, "new")
    parents = [client.get_run(r).data.tags["mlflow.parentRunId"] for r in (known, unknown, other)]
    assert parents == ["new", "old", "old"]
    reasons = [client.get_run(r).data.tags["credit_ct.reason"] for r in (known, unknown, other)]
    assert reasons == ["fell behind", "Killed before the search knew of it", "fell behind"]


def test_a_store_that_fails_is_explained(platform: Platform) -> None:
    """What was being done, and what to do."""
    tracking = platform.tracking
    tracker = tracking.tracker(_nesting("parent"))
    with sqlite3.connect(platform.folder / "var" / "mlflow.db") as database:
        database.execute("DROP TABLE runs")
    with pytest.raises(MlflowUnavailableError, match=r"\(recording trial 3\).*try again"):
        tracker.record(_fitted(3))


def test_a_deleted_model_is_distinguished_from_a_server_that_is_down(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For the first, fit again; for the second, wait."""
    with pytest.raises(MissingModelError, match="resume: false"):
        platform.tracking.load_model("0" * 32)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    down = MlflowTracking(tracking_uri="http://127.0.0.1:1", model_name="m", ui_url="http://ui")
    with pytest.raises(MlflowUnavailableError, match="Check that it runs"):
        down.load_model("0" * 32)


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


def test_the_parent_run_takes_options_of_dagster_mlflow() -> None:
    """Its schema is written without importing dagster-mlflow, which knows every option of it."""
    from dagster_mlflow import mlflow_tracking

    ours = parent_run.config_schema.config_type.fields  # type: ignore[union-attr]
    theirs = mlflow_tracking.config_schema.config_type.fields  # type: ignore[union-attr]
    assert ours.keys() <= theirs.keys()
    assert {name for name, option in theirs.items() if option.is_required} <= ours.keys()

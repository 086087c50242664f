"""What a base date must look like in the end, whatever happened on the way."""

from pathlib import Path

import dagster as dg
from mlflow.entities import Run, ViewType

from credit_ct_dagster_tests.platform import Platform


def packages_of(platform: Platform) -> list[Path]:
    """The folders of all packages in the platform's own store."""
    folder = platform.folder / "var" / "bentoml" / "models" / platform.model_name
    return [path for path in folder.iterdir() if path.is_dir()]


def _runs(platform: Platform) -> list[Run]:
    client = platform.tracking.client
    return client.search_runs([platform.tracking.experiment_id()], run_view_type=ViewType.ALL)


def check_same_results(platform: Platform, undisturbed: Platform) -> None:
    """Rows, splits and winner of a platform that nobody disturbed, and nothing left over."""
    assert platform.store.row_counts() == undisturbed.store.row_counts()
    for name in ("train", "val", "holdout"):
        file = f"{{model_name}}_{name}.parquet"
        assert platform.splits()[file].equals(undisturbed.splits()[file])
    for part in ("best", "rows", "trials", "data_fingerprint"):
        assert (
            platform.models()["summary.json"][part] == (undisturbed.models()["summary.json"][part])
        )
    assert list(platform.folder.rglob("*.tmp")) == []
    assert "RUNNING" not in {run.info.status for run in _runs(platform)}


def check_same_end_state(
    platform: Platform, undisturbed: Platform, instance: dg.DagsterInstance
) -> None:
    """Compare with a platform on the same rows that nobody killed."""
    assert undisturbed.materialize(instance).success
    check_same_results(platform, undisturbed)
    assert len(packages_of(platform)) == 1
    runs = _runs(platform)
    struck_out = [run for run in runs if run.info.status == "KILLED"]
    assert {run.info.status for run in runs} - {"KILLED"} == {"FINISHED", "FAILED"}
    assert {run.data.tags["credit_ct.reason"] for run in struck_out} <= {
        "Killed before the search knew of it"
    }
    assert sum(run.info.status == "FINISHED" for run in runs) >= 3

"""Where MLflow recorded files, after folders were moved, and its trash."""

import shutil
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from credit_ct_dagster.errors.models import DeletedInMlflowError, MovedStoreError
from credit_ct_dagster.resources.mlflow.removal import RemovableRuns
from credit_ct_dagster.resources.mlflow.tracking import MlflowTracking
from credit_ct_dagster_tests.platform import REPOSITORY, SMALL_SEARCH, Platform, failure_of
from credit_ct_dagster_tests.trained import Trained

_FILE = "model_card.html"


@pytest.fixture
def moved(platform: Platform, tmp_path: Path) -> tuple[MlflowTracking, str, Path]:
    """A store whose folder was moved: the store, a run of it, and the folder where it was."""
    was, now = tmp_path / "was", tmp_path / "now"
    (was / "var").mkdir(parents=True)
    shutil.copy(platform.folder / "var" / "mlflow.db", was / "var")
    before = _tracking(was)
    run_id = before.client.create_run(before.experiment_id()).info.run_id
    before.log_text(run_id, "before", _FILE)
    was.rename(now)
    return _tracking(now), run_id, was


def _tracking(folder: Path) -> MlflowTracking:
    return MlflowTracking(
        tracking_uri=f"sqlite:///{folder}/var/mlflow.db", model_name="m", ui_url="http://ui"
    )


def test_nothing_is_written_where_the_project_was(
    moved: tuple[MlflowTracking, str, Path],
) -> None:
    """A run, a card, doctor and prune are refused with both folders and the remedy."""
    tracking, run_id, was = moved
    now = was.with_name("now")
    for forbidden in (
        tracking.experiment_id,
        tracking.probe,
        lambda: tracking.log_text(run_id, "after", _FILE),
        lambda: RemovableRuns(tracking),
    ):
        with pytest.raises(MovedStoreError) as caught:
            forbidden()
        assert f"ln -s {now} {was}" in caught.value.sentence
    assert not was.exists()
    assert tracking.client.search_experiments(filter_string="name = 'm'")


def test_a_link_from_the_old_folder_is_a_way_out(moved: tuple[MlflowTracking, str, Path]) -> None:
    """As the sentence says: files are read and written in the new folder."""
    tracking, run_id, was = moved
    was.symlink_to(was.with_name("now"))
    tracking.log_text(run_id, "after", _FILE)
    [written] = (was.with_name("now") / "var" / "mlflow_artifacts").rglob(_FILE)
    assert written.read_text() == "after"


def test_the_records_of_a_copy_are_corrected_as_the_runbook_says(
    moved: tuple[MlflowTracking, str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its script, as it stands there, run in the folder of the copy."""
    tracking, run_id, was = moved
    section = (REPOSITORY / "docs" / "runbook.md").read_text().partition("### CT-MLFLOW-4\n")[2]
    script = section.partition("<<'EOF'\n")[2].partition("\nEOF\n")[0]
    now = was.with_name("now")
    monkeypatch.chdir(now)
    monkeypatch.setattr("sys.argv", ["-", str(was), str(now)])
    exec(script, {})
    assert tracking.experiment_id()
    uri = tracking.client.get_run(run_id).info.artifact_uri
    assert uri.startswith((now / "var" / "mlflow_artifacts").as_uri())


def test_a_place_that_a_person_chose_is_none_of_ours(platform: Platform) -> None:
    """An object store does not move with the project."""
    tracking = platform.tracking
    tracking.client.create_experiment(tracking.model_name, artifact_location="s3://bucket/runs")
    assert tracking.experiment_id()


def test_a_deleted_experiment_is_restored_by_the_command_of_the_sentence(
    platform: Platform,
) -> None:
    """A run fails with it, doctor reports it, and restored it works as before."""
    tracking = platform.tracking
    experiment = tracking.experiment_id()
    tracking.client.delete_experiment(experiment)
    restore = f"mlflow experiments restore --experiment-id {experiment}"
    for refused in (tracking.experiment_id, tracking.probe, lambda: RemovableRuns(tracking)):
        with pytest.raises(DeletedInMlflowError, match=restore):
            refused()
    doctor = platform.command("doctor")
    assert restore in " ".join(doctor.output.split())
    tracking.client.restore_experiment(experiment)
    assert tracking.experiment_id() == experiment
    assert tracking.probe() == tracking.location


def test_a_deleted_run_is_not_taken_for_a_deleted_model(trained_copy: Trained) -> None:
    """The best run in the trash: it is restored, and nothing needs to be searched again."""
    platform, instance = trained_copy.platform, trained_copy.instance
    best = platform.search_summary().mlflow.best_run_id
    platform.tracking.client.delete_run(best)
    search: dict[str, Any] = {
        "selection": dg.AssetSelection.assets("tuned_runs"),
        "config": {"tuned_runs": {"config": SMALL_SEARCH}},
    }
    again = platform.materialize(instance, **search)
    assert f"mlflow runs restore --run-id {best}" in failure_of(again)
    platform.tracking.client.restore_run(best)
    assert platform.materialize(instance, **search).success

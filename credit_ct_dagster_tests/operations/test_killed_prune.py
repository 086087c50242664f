"""What remains after a kill, and who finishes the work, with real stores."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from credit_ct_dagster.contracts.files import PREPROCESSING_FOLDER
from credit_ct_dagster_tests.operations.world import (
    KEEP_DAYS,
    NOT_PROMOTED,
    OLD,
    KilledError,
    World,
)

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("instance", ["sqlite", "mariadb"], indirect=True)
def test_a_killed_prune_is_finished_by_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in one store after the other: no half is visible, and all is deleted in the end."""
    world.train(OLD, NOT_PROMOTED)
    rmtree = shutil.rmtree

    def half(folder: Any, *_: Any, **__: Any) -> None:
        next(path for path in Path(folder).rglob("*") if path.is_file()).unlink()
        raise KilledError

    def killed(*_: Any, **__: Any) -> None:
        raise KilledError

    def attempt(target: str, replacement: Any) -> None:
        retention = world.retention
        with monkeypatch.context() as patch:
            patch.setattr(target, replacement)
            with pytest.raises(KilledError):
                retention.remove(OLD)
        assert OLD in world.retention.plan(KEEP_DAYS).expired

    def in_artifacts(folder: Any, *rest: Any, **options: Any) -> None:
        (half if "artifacts" in str(folder) else rmtree)(folder, *rest, **options)

    attempt("credit_ct_dagster.operations.prunable_stores.CustomerScores.delete", killed)
    assert world.remaining(OLD)["scores"]
    attempt("optuna.delete_study", killed)
    attempt("mlflow.MlflowClient.delete_model_version", killed)
    attempt("bentoml._internal.store.shutil.rmtree", half)
    attempt("credit_ct_dagster.io_managers.artifacts.shutil.rmtree", in_artifacts)
    assert [day for day, _ in world.platform.artifacts.open_all(PREPROCESSING_FOLDER)] == []
    assert world.remaining(OLD)["artifacts"]
    attempt("mlflow.MlflowClient.delete_run", killed)
    attempt("dagster.DagsterInstance.event_log_storage", property(killed))
    assert world.retention.remove(OLD).deleted
    assert world.remaining(OLD) == {}
    assert [path for path in world.files() if path.is_file() and path.name != "latest"] == []
    assert world.retention.plan(KEEP_DAYS).expired == {}
    world.train(OLD, NOT_PROMOTED)
    assert len(world.remaining(OLD)) == 9


def test_a_half_deleted_package_is_removed_by_the_next_writer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when its description was deleted first, so that it is not listed any more."""
    world.train(OLD, NOT_PROMOTED)
    [package] = world.platform.packages.packaged()

    def description(folder: Any) -> None:
        (Path(folder) / "model.yaml").unlink()
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr("bentoml._internal.store.shutil.rmtree", description)
        with pytest.raises(KilledError):
            world.platform.packages.remove([package.tag])
    assert package.folder.exists()
    world.platform.packages.remove([])
    assert not package.folder.exists()

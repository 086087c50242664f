"""What was reported as written is on the disk itself, in an order that a power cut cannot break."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bentoml
import pytest
from upath import UPath

from credit_ct_dagster.contracts.files import MODEL_FOLDER
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.package import PackageRecord
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.io_managers.publishing import publish, publish_new
from credit_ct_dagster.resources.bentoml_packages import PackageFolders
from credit_ct_dagster.resources.bentoml_store import BentoMLStore
from credit_ct_dagster_tests.resources.packages import any_data, any_model

_DAY = "2025-01-31"


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was synced (its path), renamed and linked (to which path), in order."""
    seen: list[str] = []
    fsync, replace, link = os.fsync, Path.replace, Path.hardlink_to

    def synced(descriptor: int) -> None:
        fsync(descriptor)
        seen.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))

    def renamed(self: Path, target: Any) -> Path:
        seen.append(f"-> {target}")
        return replace(self, target)

    def linked(self: Path, target: Any) -> None:
        seen.append(f"-> {self}")
        link(self, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    monkeypatch.setattr(Path, "hardlink_to", linked)
    return seen


@pytest.mark.parametrize("put", [publish, publish_new])
def test_a_file_is_synced_before_it_has_its_name_and_its_folder_after(
    tmp_path: Path, events: list[str], put: Callable[[UPath, bytes], None]
) -> None:
    """A power cut leaves the old file or the new one, not an empty one."""
    file = tmp_path / "file.json"
    put(UPath(file), b"content")
    content, name, folder = events
    assert content.startswith(str(tmp_path / ".file.json."))
    assert (name, folder) == (f"-> {file}", str(tmp_path))


def test_a_new_folder_is_synced_as_well(tmp_path: Path, events: list[str]) -> None:
    """Otherwise the file would be there, but no way to it."""
    artifacts = ArtifactsIOManager(base_path=str(tmp_path / "a"), model_name="m")
    artifacts.write(MODEL_FOLDER, _DAY, {"card.html": "x"})
    made = [tmp_path, tmp_path / "a", tmp_path / "a" / "models", tmp_path / "a" / "models" / "m"]
    assert set(map(str, made)) <= set(events)


def test_a_file_without_hard_links_is_still_never_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a file system that has none."""

    def refuse(self: Path, target: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    file = UPath(tmp_path / "000001.json")
    publish_new(file, b"first")
    with pytest.raises(FileExistsError):
        publish_new(file, b"second")
    assert [path.name for path in tmp_path.iterdir()] == ["000001.json"]
    assert file.read_bytes() == b"first"


def test_a_package_is_synced_before_the_journal_forgets_it(events: list[str]) -> None:
    """Journal, then all files of the package and their folders, then the journal is removed."""
    store = BentoMLStore(home=os.environ["BENTOML_HOME"], model_name="synced")
    identity = ModelIdentity(
        base_dt=_DAY, mlflow_run_id="m", dagster_run_id="d", data_fingerprint="f"
    )
    record = PackageRecord(seen_share=0.85, calibration="none", log_loss_per_calibration={})
    tag = store.save(any_model(), any_data(), identity, record, {})
    folder = Path(bentoml.models.get(tag).path)
    files = [str(path) for path in folder.rglob("*") if path.is_file()]
    home = str(Path(store.home))
    assert events[1] == f"-> {home}/.credit_ct.synced.saving"
    assert {*files, str(folder), str(folder.parent)} <= set(events)
    assert events.index(str(folder)) < len(events) - 1
    assert events[-1] == home
    events.clear()
    store.set_roles({tag: "champion"})
    assert events == [f"{folder}/model.tmp", f"-> {folder}/model.yaml", str(folder)]


def test_a_torn_journal_hides_no_package(tmp_path: Path) -> None:
    """A power cut of an earlier release left it empty: all packages are whole."""
    (tmp_path / "models" / "m" / "v").mkdir(parents=True)
    (tmp_path / ".credit_ct.m.saving").touch()
    folders = PackageFolders(str(tmp_path), "m")
    assert folders.contains("v")
    with folders.writing():
        assert folders.contains("v")
    assert not (tmp_path / ".credit_ct.m.saving").exists()

"""Files that a power cut emptied: each is named, and hides no other base date."""

import json
from pathlib import Path
from typing import Any

import pytest

from credit_ct_dagster.contracts.files import (
    DECISION_FILE,
    MODEL_FOLDER,
    PREPROCESSING_FOLDER,
    SEARCH_SUMMARY_FILE,
    SPLIT_FILES,
    SPLITS_SUMMARY_FILE,
    TRIALS_FILE,
)
from credit_ct_dagster.errors.stores import DamagedFileError
from credit_ct_dagster_tests.platform import BASE_DT, Platform
from credit_ct_dagster_tests.trained import Trained

_DAMAGED = "2025-02-01"


@pytest.fixture(autouse=True)
def _no_history(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}")
    monkeypatch.setenv("DAGSTER_HOME", str(home))


def _status(platform: Platform) -> dict[str, dict[str, Any]]:
    done = platform.command("status", "--json")
    assert done.exit_code == 0, done.output
    return {each["base_dt"]: each for each in json.loads(done.stdout)}


def _damage(platform: Platform, template: str, name: str, content: bytes) -> Path:
    folder, _ = platform.artifacts.write(template, _DAMAGED, {})
    path = Path(folder.path) / name.format(model_name=platform.model_name)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("content", [b"", b'{"base_dt": "2025-0', b'{"version": 99}', b"\0" * 64])
@pytest.mark.parametrize(
    ("template", "name", "state"),
    [
        (PREPROCESSING_FOLDER, SPLITS_SUMMARY_FILE, "split"),
        (MODEL_FOLDER, SEARCH_SUMMARY_FILE, "tuned"),
        (MODEL_FOLDER, DECISION_FILE, "merged"),
    ],
)
def test_status_names_a_damaged_file_and_lists_the_others(
    platform: Platform, template: str, name: str, state: str, content: bytes
) -> None:
    """Empty, torn, zeros, of a later release: with its path and what makes it again."""
    platform.artifacts.write(MODEL_FOLDER, "2025-02-02", {"model_card.html": ""})
    platform.store.merge(BASE_DT)
    path = _damage(platform, template, name, content)
    found = _status(platform)
    assert set(found) == {BASE_DT, _DAMAGED}
    assert found[BASE_DT]["problems"] == []
    [problem] = found[_DAMAGED]["problems"]
    assert str(path) in problem
    assert "materialize" in problem
    assert found[_DAMAGED]["state"] == state
    assert f"Base date {_DAMAGED}: {path}" in platform.command("status").output


def test_status_names_a_damaged_package(trained_copy: Trained) -> None:
    """On the error stream; the base dates are listed, and prune says the same."""
    platform = trained_copy.platform
    [package] = platform.packages.packaged()
    (package.folder / "model.yaml").write_bytes(b"")
    for command in ("status", "prune"):
        done = platform.command(command, "--json")
        assert done.exit_code == 0, done.output
        assert f"Package {package.tag} is damaged" in done.stderr
        assert f"Delete its folder {package.folder}" in done.stderr
    assert _status(platform)[BASE_DT]["state"] == "tuned"


def test_prune_lists_base_dates_beside_damaged_files(platform: Platform) -> None:
    """It deletes them by their folders, whatever is in them."""
    _damage(platform, MODEL_FOLDER, SEARCH_SUMMARY_FILE, b"")
    _damage(platform, PREPROCESSING_FOLDER, SPLITS_SUMMARY_FILE, b"{")
    done = platform.command("prune", "--json", "--yes", "--keep-days", "1")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["deleted"] == [_DAMAGED]


@pytest.mark.parametrize("name", [SPLIT_FILES["train"], TRIALS_FILE, "best.cbm", "notes.json"])
@pytest.mark.parametrize("content", [b"", b"PAR1 torn"])
def test_a_damaged_file_is_a_sentence_in_a_step(
    platform: Platform, name: str, content: bytes
) -> None:
    """Of whatever format: its path, its size and the remedy, not the error of a library."""
    path = _damage(platform, MODEL_FOLDER, name, content)
    with pytest.raises(DamagedFileError) as caught:
        platform.models(_DAMAGED)[name]
    assert f"Artifact {path} is damaged ({len(content)} bytes" in str(caught.value)
    assert "materialize the asset that writes it for this base date again" in str(caught.value)

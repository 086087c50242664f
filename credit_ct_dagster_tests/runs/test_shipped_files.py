"""A folder of one's own data has Dagster's configuration without a file of its own."""

import tomllib
from pathlib import Path

import dagster as dg
import pytest

from credit_ct_dagster.runs.instance import configured_instance
from credit_ct_dagster.runs.shipped_files import INSTANCE, WORKSPACE, own_or_shipped
from credit_ct_dagster.ui import server
from credit_ct_dagster_tests.platform import REPOSITORY, Platform
from credit_ct_dagster_tests.servers import free_port


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)


@pytest.mark.parametrize("name", [INSTANCE, WORKSPACE])
def test_the_shipped_file_is_that_of_the_project(name: str, tmp_path: Path) -> None:
    """There is one text of it; a file of the working directory wins."""
    assert own_or_shipped(name).samefile(REPOSITORY / name)
    (tmp_path / name).write_text("a: b")
    assert own_or_shipped(name) == tmp_path / name


def test_nothing_is_sent_from_an_empty_folder(tmp_path: Path) -> None:
    """Dagster's telemetry is off there as in the project, and its history below var/."""
    with configured_instance() as instance:
        assert instance.get_settings("telemetry") == {"enabled": False}
        instance.get_runs_count()
    assert (tmp_path / "var" / "dagster" / "history" / "runs.db").is_file()


def test_an_installation_has_every_file_of_the_package() -> None:
    """Links are replaced by what they lead to, which the image has to have, too."""
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["setuptools"]
    package = REPOSITORY / "credit_ct_dagster"
    shipped = {
        path for each in settings["package-data"][package.name] for path in package.glob(each)
    }
    files = {path for path in package.rglob("*") if path.is_file() and path.suffix != ".py"}
    assert {path for path in files if path.parent.name != "__pycache__"} <= shipped
    copied = (REPOSITORY / "deploy" / "Dockerfile").read_text()
    ignored = (REPOSITORY / ".dockerignore").read_text().splitlines()
    for path in (each for each in shipped if each.is_symlink()):
        assert path.name in copied
        assert f"!{path.name}" in ignored


def test_the_ui_starts_in_an_empty_folder(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the code location of the platform; another workspace can be named."""
    served = []

    def serve(_: dg.DagsterInstance, workspace: Path, *__: object) -> bool:
        served.append(workspace)
        return True

    monkeypatch.setattr(server, "serve", serve)
    (tmp_path / "other.yaml").write_text("load_from: []")
    for options in ((), ("--workspace", "other.yaml")):
        done = platform.command("ui", "--port", str(free_port()), *options)
        assert done.exit_code == 0, (done.output, done.exception)
    assert served == [own_or_shipped(WORKSPACE), tmp_path / "other.yaml"]

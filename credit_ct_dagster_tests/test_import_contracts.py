"""Private modules of libraries are imported where the contracts allow it, and nowhere else."""

import subprocess
import sys
from pathlib import Path

import pytest

from credit_ct_dagster_tests.platform import REPOSITORY

_CONTRACT = """
[tool.importlinter]
root_packages = ["planted"]
include_external_packages = true
exclude_type_checking_imports = true
contract_types = [
    "private_modules: credit_ct_dagster_tests.import_contracts.PrivateModulesContract",
]

[[tool.importlinter.contracts]]
name = "Private modules of Dagster are imported in one place"
type = "private_modules"
library = "dagster"
allowed_importers = ["planted.internals"]
"""


def _lint(folder: Path, module: str, line: str) -> subprocess.CompletedProcess[str]:
    """Run import-linter on a package of two modules, one of which has a line more."""
    package = folder / "planted"
    package.mkdir()
    files = {"__init__": "", "internals": "from dagster._core.instance import InstanceRef\n"}
    files[module] = files.get(module, "") + f"{line}\n"
    for name, content in files.items():
        (package / f"{name}.py").write_text(content)
    (folder / "pyproject.toml").write_text(_CONTRACT)
    return subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=folder,
        env={"PYTHONPATH": f"{folder}:{REPOSITORY}", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "line",
    [
        "from dagster._core.events import EngineEventData",
        "import dagster._core.events",
        "import dagster._core as core",
        "from dagster import _core",
        "def f():\n    from dagster._utils.error import SerializableErrorInfo",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import dagster._config",
    ],
)
def test_a_private_import_elsewhere_breaks_the_contract(tmp_path: Path, line: str) -> None:
    """However it is written; the report has module, line and the place where it belongs."""
    found = _lint(tmp_path, "asset", line)
    assert found.returncode == 1
    assert (
        f"planted.asset:{len(line.splitlines())}: {line.splitlines()[-1].strip()}" in found.stdout
    )
    assert "imported only by planted.internals" in found.stdout


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("asset", "import dagster as dg"),
        ("asset", "from dagster import AssetKey as _Key"),
        ("asset", "from planted.internals import InstanceRef as _core"),
        ("internals", "from dagster._core.events import EngineEventData"),
    ],
)
def test_other_imports_keep_the_contract(tmp_path: Path, module: str, line: str) -> None:
    """What is public, and what is private in the one module that may import it."""
    found = _lint(tmp_path, module, line)
    assert found.returncode == 0, found.stdout

"""What the project is made of, and under which licences."""

import re
import tomllib
from importlib.metadata import distributions

import yaml

from credit_ct_dagster_tests.platform import REPOSITORY

_DEPLOY = REPOSITORY / "deploy"
_GPL = re.compile(r"GNU (Affero )?General Public|\bA?GPL")


def test_the_project_has_a_licence() -> None:
    """The one that its package names, and the image holds."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert project["license"] == "Apache-2.0"
    assert project["license-files"] == ["LICENSE"]
    assert "Apache License" in (REPOSITORY / "LICENSE").read_text()
    assert "!LICENSE" in (REPOSITORY / ".dockerignore").read_text().splitlines()


def test_the_only_dependency_under_the_gpl_is_the_one_that_is_documented() -> None:
    """Its exception for free software is named."""
    found = set()
    for each in distributions():
        classifiers = each.metadata.get_all("Classifier") or []
        declared = " ".join(one for one in classifiers if one.startswith("License ::"))
        declared += " " + str(each.metadata.json.get("license_expression", ""))
        if _GPL.search(declared):
            found.add(each.metadata["Name"])
    assert found == {"mysql-connector-python"}
    documented = (REPOSITORY / "docs" / "security.md").read_text()
    assert "Universal FOSS Exception" in documented
    makefile = (REPOSITORY / "Makefile").read_text()
    assert "GPL_WITH_EXCEPTION := mysql-connector-python\n" in makefile


def test_dependencies_are_audited_and_listed_by_ci() -> None:
    """With tools whose versions are pinned, and the image tells what it holds."""
    workflow = yaml.safe_load((REPOSITORY / ".github" / "workflows" / "ci.yml").read_text())
    commands = [step.get("run") for step in workflow["jobs"]["dependencies"]["steps"]]
    assert {"make audit", "make licences", "make sbom"} <= set(commands)
    tools = re.findall(r"^([\w-]+)==[\d.]+$", (_DEPLOY / "tools.txt").read_text(), re.MULTILINE)
    assert tools == ["cyclonedx-bom", "pip-audit", "pip-licenses"]
    dockerfile = (_DEPLOY / "Dockerfile").read_text()
    assert "COPY --from=build /sbom.cdx.json" in dockerfile
    assert "!deploy/tools.txt" in (REPOSITORY / ".dockerignore").read_text().splitlines()

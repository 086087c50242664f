"""Links of the pages that Sphinx does not see, and what it needs to see the others."""

import re
import subprocess
from pathlib import Path

import pytest

from credit_ct_dagster_tests.platform import REPOSITORY

_OUTSIDE = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]
_LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")


def _anchors(page: Path) -> set[str]:
    """Of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("name", _OUTSIDE)
def test_links_lead_somewhere(name: str) -> None:
    """To a file of the repository, and to a heading of it."""
    page = REPOSITORY / name
    for path, anchor in _LINK.findall(page.read_text()):
        target = REPOSITORY / path if path else page
        assert target.exists(), path
        if anchor:
            assert anchor in _anchors(target), f"{path}#{anchor}"


def test_every_page_is_in_the_navigation() -> None:
    """In the table of contents of docs/index.md; decisions by their names."""
    index = (REPOSITORY / "docs" / "index.md").read_text()
    docs = REPOSITORY / "docs"
    pages = {str(page.relative_to(docs).with_suffix("")) for page in docs.rglob("*.md")}
    listed = set(re.findall(r"^([\w/-]+)$", index, re.M))
    missing = {page for page in pages - listed if not page.startswith("decisions/0")}
    assert missing == {"index"}


def test_decisions_are_listed() -> None:
    """Each page of docs/decisions is a line of its list."""
    folder = REPOSITORY / "docs" / "decisions"
    listed = set(re.findall(r"\((\d{4}-[\w-]+\.md)\)", (folder / "README.md").read_text()))
    assert listed == {page.name for page in folder.glob("0*.md")}


def test_what_commands_of_the_pages_write_is_not_committed() -> None:
    """Files of customers and answers, which lie in the folder of the clone."""
    pages = [REPOSITORY / "README.md", *(REPOSITORY / "docs").rglob("*.md")]
    written = {
        name
        for page in pages
        for line in page.read_text().splitlines()
        if line.startswith("credit-ct ")
        for name in re.findall(r"(?:> |--output )([\w.]+)", line)
    }
    assert {"customers.csv", "customer.json", "answers.parquet"} <= written
    ignored = subprocess.run(
        ["git", "check-ignore", "--no-index", *written],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert set(ignored.stdout.split()) == written, ignored.stderr


def test_every_module_is_in_the_architecture() -> None:
    """Under "Where things are": those that stand by themselves, and the packages."""
    page = (REPOSITORY / "docs" / "architecture.md").read_text()
    package = REPOSITORY / "credit_ct_dagster"
    modules = {each.name for each in package.glob("*.py")} - {"__init__.py"}
    folders = {f"{each.parent.name}/" for each in package.glob("*/__init__.py")}
    assert {each for each in modules | folders if each not in page} == set()

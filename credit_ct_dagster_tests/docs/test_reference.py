"""The pages of docs/reference are those that the code makes."""

import pytest

from credit_ct_dagster.cli.main import COMMANDS
from credit_ct_dagster.contracts import files
from credit_ct_dagster.settings import Settings
from credit_ct_dagster_docs import docstrings
from credit_ct_dagster_docs import markdown as md
from credit_ct_dagster_docs.__main__ import FOLDER
from credit_ct_dagster_docs.artifacts import FOLDERS
from credit_ct_dagster_docs.pages import PAGES
from credit_ct_dagster_docs.run_configuration import shown
from credit_ct_dagster_tests.platform import REPOSITORY


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_the_code_says(name: str) -> None:
    """A changed description, default or bound is in the page: `make reference` writes it."""
    assert (FOLDER / f"{name}.md").read_text() == PAGES[name](), "run make reference"


def test_no_page_is_left_over() -> None:
    """A page that nothing makes any more is deleted."""
    assert sorted(file.stem for file in FOLDER.glob("*.md")) == sorted(PAGES)


def test_every_file_of_the_artifacts_is_listed() -> None:
    """With its folder; the one inside of packages is none of the artifacts."""
    declared = {value for name, value in vars(files).items() if name.endswith("_FILE")}
    listed = {file for inside in FOLDERS.values() for file in inside}
    assert declared - listed == {files.GOLDEN_FILE}
    folders = {value for name, value in vars(files).items() if name.endswith("_FOLDER")}
    assert folders == set(FOLDERS)


def test_every_setting_has_words() -> None:
    """In `.env.example` every variable is named, so that it can be copied."""
    example = (REPOSITORY / ".env.example").read_text()
    named = {line[2:].partition("=")[0] for line in example.splitlines() if "=" in line}
    assert {name.upper() for name in Settings.model_fields} - named == set()


def test_cells_hold_what_would_end_them() -> None:
    """A `|`, a line break and a tag in a description do not break a table."""
    assert md.table(["a"], [["x|y\nz"]]).splitlines()[-1] == "| x\\|y z |"
    assert md.text("at <name>, `a*b` *c [d]") == "at &lt;name>, `a*b` \\*c \\[d\\]"
    assert md.text("(docs/serving.md)") == "([serving.md](../serving.md))"


def test_attributes_are_read_from_docstrings() -> None:
    """Those of a base class as well, over several lines."""

    class Base:
        """A base.

        Attributes:
            first: One
                and more.
        """

    class Derived(Base):
        """A class
        of two lines.

        Attributes:
            second: Two: with a colon.
        """

    found = docstrings.attributes(Derived)
    assert found == {"first": "One and more.", "second": "Two: with a colon."}
    assert docstrings.summary(Derived) == "A class of two lines."


@pytest.mark.parametrize(
    ("value", "yaml"),
    [(None, "null"), (True, "true"), ([1, 0.5], "[1, 0.5]"), ({"a": []}, "{a: []}"), ("x", "x")],
)
def test_defaults_are_shown_as_yaml_takes_them(value: object, yaml: str) -> None:
    """A person can copy them into a file."""
    assert shown(value) == yaml


def test_every_command_is_on_its_page() -> None:
    """Under an anchor of its own, with its options."""
    page = PAGES["commands"]()
    assert [name for name in COMMANDS if f"\n## `credit-ct {name}`\n" not in page] == []
    assert "| `--partition YYYY-MM-DD` |" in page

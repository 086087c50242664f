"""docs/runbook.md knows every sentence that the platform fails with, and no other."""

import ast
import re

from credit_ct_dagster import errors
from credit_ct_dagster.alerting.channels import Kind
from credit_ct_dagster.definitions import CHECKS
from credit_ct_dagster_tests.platform import REPOSITORY

_HOLE = "…"
_FAILURES = {name for name in vars(errors) if name.endswith("Error")} | {"Failure"}
_COLUMNS = {"What the sentences ask for": 0, "credit-ct doctor": 1}
"""Which column of the tables of a section quotes the platform."""
_HEADS = ("sentence", "what it says")
_INSIDE_ANOTHER = {
    "Base date …: …",  # another failure, told by a step of a run
    "…, line …: …… …….",  # a cell of a CSV file, with a reason of its own
}
_TOO_LITTLE = {"", "does not answer", "has no"}
"""What too many failures have in common to tell one."""


def _text(node: ast.expr) -> str | None:
    """What a literal says, its values as holes; None: something else makes the text."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) or _HOLE for part in node.values)
    return None


def _nodes() -> list[tuple[str, ast.AST]]:
    """All of the package's code, by file."""
    files = sorted((REPOSITORY / "credit_ct_dagster").rglob("*.py"))
    return [
        (str(file.relative_to(REPOSITORY)), node)
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
    ]


def _failures() -> dict[str, str]:
    """What every failure says that is made somewhere, by where."""
    found = {}
    for file, node in _nodes():
        if isinstance(node, ast.Call):
            said = [*node.args, *(each.value for each in node.keywords)]
            text = _text(said[0]) if said else None
            if ast.unparse(node.func).split(".")[-1] in _FAILURES and text:
                found[f"{file}:{node.lineno}"] = text
    return found


def _phrases() -> list[str]:
    """What the runbook quotes, without the names and remarks that it adds in brackets."""
    text = (REPOSITORY / "docs" / "runbook.md").read_text()
    found: list[str] = []
    for section, column in _COLUMNS.items():
        _, _, after = text.partition(f"\n## {section}\n")
        rows = re.findall(r"^\| .*", after.partition("\n## ")[0], re.MULTILINE)
        for cell in (row.split(" | ")[column].removeprefix("| ") for row in rows):
            if not cell.startswith(_HEADS):
                found += re.sub(r" \(`\w+`\)| \([a-z][^)]+\)$", "", cell).split("; ")
    return found


def _matches(phrase: str, text: str) -> bool:
    """Whether a text has the words of a phrase, one after the other, with anything in its holes."""
    place = 0
    for words in phrase.split(_HOLE):
        place = text.find(words, place)
        if place < 0:
            return False
    return True


def test_every_failure_has_a_row() -> None:
    """A new one needs one: what it means, and what to do."""
    phrases = _phrases()
    assert {
        where: text
        for where, text in _failures().items()
        if text not in _INSIDE_ANOTHER and not any(_matches(each, text) for each in phrases)
    } == {}


def test_every_row_is_of_something_that_is_said() -> None:
    """In these words, somewhere in the package, and in enough of them to tell it from others."""
    said = [_text(node) for _, node in _nodes() if isinstance(node, ast.expr)]
    texts = [text for text in said if text]
    phrases = _phrases()
    assert len(phrases) > 50
    assert [each for each in phrases if not any(_matches(each, text) for text in texts)] == []
    assert [each for each in phrases if each.strip(f"{_HOLE} .") in _TOO_LITTLE] == []


def test_every_check_and_every_kind_of_alert_has_a_row() -> None:
    """By its name."""
    names = {spec.name for check in CHECKS for spec in check.check_specs} | {*Kind}
    text = (REPOSITORY / "docs" / "runbook.md").read_text()
    assert [name for name in sorted(names) if f"`{name}`" not in text] == []

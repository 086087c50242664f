"""Every error has a code of its own, and `docs/runbook.md` explains every code and no other."""

import ast
import re
from collections.abc import Iterable
from functools import cache

import pytest

from credit_ct_dagster.alerting.channels import Kind
from credit_ct_dagster.definitions import CHECKS
from credit_ct_dagster.errors import base, inputs, models, operation, serving, stores, watching
from credit_ct_dagster.outages import TABLE
from credit_ct_dagster.runs.failures import check_code
from credit_ct_dagster_tests.platform import REPOSITORY

_PACKAGE = REPOSITORY / "credit_ct_dagster"
_DOCUMENTS = [REPOSITORY / "README.md", *(REPOSITORY / "docs").rglob("*.md")]
_CLASSES = [
    each
    for module in (base, inputs, models, operation, serving, stores, watching)
    for each in vars(module).values()
    if isinstance(each, type)
    and issubclass(each, base.CreditCtError)
    and each.__module__ == module.__name__
]
_CODES = {each.__name__: each.code for each in _CLASSES if "code" in vars(each)}
_WITHOUT_CODE = {each.__name__ for each in _CLASSES} - set(_CODES)
_CHECK_CODES = {check_code(spec.name) for check in CHECKS for spec in check.check_specs}


@cache
def _sections() -> dict[str, str]:
    """The text of each section of the runbook, by its anchor as GitHub makes it."""
    found: dict[str, str] = {}
    for part in re.split(r"^#+ ", (REPOSITORY / "docs" / "runbook.md").read_text(), flags=re.M):
        title, _, text = part.partition("\n")
        anchor = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        assert anchor not in found, f"{title} has two sections: links lead to the first"
        found[anchor] = text
    return found


@cache
def _nodes() -> list[ast.AST]:
    """The code of the package, without that of `errors` itself."""
    files = set(_PACKAGE.rglob("*.py")) - {*(_PACKAGE / "errors").glob("*.py")}
    return [node for file in files for node in ast.walk(ast.parse(file.read_text()))]


def _names(nodes: Iterable[ast.AST]) -> set[str]:
    """What expressions name: `X` of `X` and of `errors.X`."""
    return {
        node.attr if isinstance(node, ast.Attribute) else node.id
        for node in nodes
        if isinstance(node, ast.Attribute | ast.Name)
    }


def test_codes_are_unique_and_of_one_form() -> None:
    """A code names one kind of failure, and has the form that people and machines search for."""
    codes = list(_CODES.values())
    assert sorted(codes) == sorted(set(codes))
    assert [code for code in codes if not re.fullmatch(r"CT-[A-Z]+-\d+", code)] == []


def test_only_errors_with_a_code_are_raised() -> None:
    """The classes without a code are bases of others, not errors that a person meets."""
    made = _names(node.func for node in _nodes() if isinstance(node, ast.Call))
    assert sorted(made & _WITHOUT_CODE) == []
    becomes = {rule.becomes.__name__ for rules in TABLE.values() for rule in rules}
    assert sorted(becomes - set(_CODES)) == []


def test_errors_are_declared_in_one_file() -> None:
    """A class of its own elsewhere would have the code of another one, or none."""
    known = {each.__name__ for each in _CLASSES}
    declared = {node.name: node.bases for node in _nodes() if isinstance(node, ast.ClassDef)}
    assert [name for name, bases in declared.items() if _names(bases) & known] == []


def test_every_code_is_in_use() -> None:
    """A code that nothing reports any more is removed, with its section of the runbook."""
    assert sorted(set(_CODES) - _names(_nodes())) == []


def test_every_code_and_every_kind_of_alert_has_a_section() -> None:
    """Under the anchor that errors, alerts and checks refer to, with text in it."""
    sections = _sections()
    wanted = {code.lower() for code in {*_CODES.values(), *_CHECK_CODES}} | {*Kind}
    assert sorted(wanted - set(sections)) == []
    assert [anchor for anchor in sorted(wanted) if not sections[anchor].strip()] == []


def test_no_section_is_of_a_code_that_does_not_exist() -> None:
    """What the runbook explains can happen."""
    explained = {anchor for anchor in _sections() if anchor.startswith("ct-")}
    assert sorted(explained - {code.lower() for code in {*_CODES.values(), *_CHECK_CODES}}) == []


def test_the_runbook_tells_which_errors_are_retried() -> None:
    """By the word "Retried", in the sections of those errors and of no other."""
    sections = _sections()
    marked = {name for name, code in _CODES.items() if "Retried" in sections[code.lower()]}
    retried = {each.__name__ for each in _CLASSES if issubclass(each, base.UnavailableError)}
    assert marked == retried - _WITHOUT_CODE


def test_links_into_the_runbook_lead_to_a_section() -> None:
    """From every document."""
    broken = []
    for document in _DOCUMENTS:
        links = re.findall(r"\((?:[\w./]*runbook\.md)#([^)]+)\)", document.read_text())
        if document.name == "runbook.md":
            links += re.findall(r"\(#([^)]+)\)", document.read_text())
        broken += [f"{document.name}: #{link}" for link in links if link not in _sections()]
    assert broken == []


def test_errors_end_with_their_section(monkeypatch: pytest.MonkeyPatch) -> None:
    """The code, and the place in the repository where it is explained."""
    monkeypatch.delenv("RUNBOOK_URL", raising=False)
    error = stores.MissingTableError("Table t does not exist.")
    assert error.sentence == "Table t does not exist."
    assert str(error) == ("Table t does not exist. See CT-STORE-3: docs/runbook.md#ct-store-3")


def test_the_address_of_the_runbook_can_be_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    """RUNBOOK_URL is where people read it."""
    monkeypatch.setenv("RUNBOOK_URL", "https://wiki.example.com/credit-ct")
    expected = "https://wiki.example.com/credit-ct#ct-store-3"
    assert base.runbook_section("CT-STORE-3") == expected

"""The templates of pages."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from credit_ct_dagster.modeling.pages import rendering
from credit_ct_dagster_tests.modeling.pages import cards

_ENVIRONMENT = rendering._environment.__wrapped__


def test_templates_are_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process reads what was compiled; without the right to write, each compiles."""
    page = cards.card().html()
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(rendering, "_environment", _afresh(tmp_path / "compiled"))
    assert cards.card().html() == page
    monkeypatch.setattr(rendering, "_environment", _afresh(tmp_path / "compiled"))
    with monkeypatch.context() as patch:
        patch.setattr("jinja2.Environment.compile", None)
        assert cards.card().html() == page
    monkeypatch.setattr(rendering, "_environment", _afresh(tmp_path / "missing" / "folder"))
    assert cards.card().html() == page


def _afresh(compiled: Path) -> Callable[[], Any]:
    """The environment of a process that has loaded no template yet."""
    made = _ENVIRONMENT(compiled)
    return lambda: made


def test_every_column_has_a_header() -> None:
    """Whoever has a table read aloud hears what a figure is."""
    templates = sorted(Path(rendering.__file__).with_name("templates").rglob("*.j2"))
    assert len(templates) > 15
    assert not [each for each in templates if re.search(r"<th[^>]*></th>", each.read_text())]

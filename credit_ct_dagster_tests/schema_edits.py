"""Edits of `modeling/schema.py` for a test, as a person would make them."""

from pathlib import Path
from typing import Any

import pytest

from credit_ct_dagster.modeling import schema

_LAST_FEATURE = '    Column("monthly_balance", _NUMBER, "Balance at the end of the month"),\n'


def add_features(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    """Add features below the last one in the source of the schema, until the test ends.

    No other module is changed: whatever does not derive its lists from the schema fails.

    Args:
        monkeypatch: Takes it back.
        lines: As in the source, such as `Column("housing", _CATEGORY, "How a customer lives", 10)`.
    """
    source = Path(schema.__file__).read_text()
    assert source.count(_LAST_FEATURE) == 1
    added = "".join(f"    {line},\n" for line in lines)
    edited: dict[str, Any] = {"__name__": schema.__name__}
    exec(source.replace(_LAST_FEATURE, _LAST_FEATURE + added), edited)
    for name, value in edited.items():
        if not name.startswith("__"):
            monkeypatch.setattr(schema, name, value)

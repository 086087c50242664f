"""Edits of the declaration of the data for a test, as a person would make them."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from credit_ct_dagster.modeling import declaration, schema

SHIPPED = Path(declaration.__file__).with_name("credit_score.yaml")


def add_features(monkeypatch: pytest.MonkeyPatch, *features: str) -> None:
    """Add features below the last one of the declaration, until the test ends.

    No other module is changed: whatever does not derive its lists from the schema fails.

    Args:
        monkeypatch: Takes it back.
        features: In YAML, such as `{name: housing, kind: category, description: How they live}`.
    """
    content = yaml.safe_load(SHIPPED.read_text())
    content["features"] += [yaml.safe_load(each) for each in features]
    edited = declaration.Declaration.model_validate(content)
    monkeypatch.setattr(declaration, "declared", lambda: edited)
    found: dict[str, Any] = {"__name__": schema.__name__}
    exec(Path(schema.__file__).read_text(), found)
    for name, value in found.items():
        if not name.startswith("__"):
            monkeypatch.setattr(schema, name, value)

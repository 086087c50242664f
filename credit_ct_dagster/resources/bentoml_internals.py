"""The only place that reads and rewrites BentoML's own description of a model, `model.yaml`.

Reading it through BentoML takes a second to import BentoML and some 10 ms per package; commands
list a package per base date. And BentoML offers no way to change the labels of a stored model.
"""

from pathlib import Path
from typing import Any

import yaml

from credit_ct_dagster.errors.operation import LibraryChangedError

DESCRIPTION = "model.yaml"
_FIELDS = {"name": str, "version": str, "labels": dict, "creation_time": str}

# libyaml is an order of magnitude faster, and part of every wheel of PyYAML.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def description_of(folder: Path) -> dict[str, Any] | None:
    """The description of the model in a folder of the store; None if it has none yet.

    Raises:
        LibraryChangedError: It lacks what the platform reads of it.
    """
    file = folder / DESCRIPTION
    try:
        text = file.read_text("utf8")
    except FileNotFoundError:  # it is being written or deleted
        return None
    found = yaml.load(text, _Loader)  # noqa: S506 - both loaders are safe ones
    if not isinstance(found, dict):
        return None
    missing = [name for name, kind in _FIELDS.items() if not isinstance(found.get(name), kind)]
    if missing:
        raise LibraryChangedError(
            f"BentoML's {file} has no {' and no '.join(f'`{name}`' for name in missing)} as it had:"
            " see credit_ct_dagster/resources/bentoml_internals.py. If BentoML was upgraded,"
            " install the version that constraints.txt names until it is adapted; otherwise delete"
            " this folder, which a killed process may have left."
        )
    return found


def set_label(folder: Path, name: str, value: str | None) -> None:
    """Set a label of the model in a folder, or remove it; the file is replaced as a whole."""
    description = description_of(folder)
    assert description is not None
    labels = {key: other for key, other in description["labels"].items() if key != name}
    description["labels"] = labels | ({} if value is None else {name: value})
    file = folder / DESCRIPTION
    temporary = file.with_suffix(".tmp")
    with temporary.open("w", encoding="utf8") as stream:
        yaml.dump(description, stream, _Dumper, sort_keys=False)
    temporary.replace(file)

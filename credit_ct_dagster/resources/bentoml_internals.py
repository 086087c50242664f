"""The only place that reads and rewrites BentoML's own description of a model, `model.yaml`.

Reading it through BentoML takes a second to import BentoML and some 10 ms per package; commands
list a package per base date. And BentoML offers no way to change the labels of a stored model.
"""

from pathlib import Path
from typing import Any

import yaml

from credit_ct_dagster.disk import replace_file
from credit_ct_dagster.errors.models import BrokenPackageError
from credit_ct_dagster.errors.operation import LibraryChangedError

DESCRIPTION = "model.yaml"
PYFUNC = "mlflow_model"
"""The folder of an imported MLflow model."""
# In the order of the file: whatever a power cut takes is at the end.
_FIELDS = {"name": str, "version": str, "labels": dict, "creation_time": str}

# libyaml is an order of magnitude faster, and part of every wheel of PyYAML.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def description_of(folder: Path) -> dict[str, Any] | None:
    """The description of the model in a folder of the store; None if it has none yet.

    Raises:
        BrokenPackageError: Its end is missing, as after a power cut.
        LibraryChangedError: It lacks what the platform reads of it.
    """
    file = folder / DESCRIPTION
    try:
        content = file.read_bytes()
    except FileNotFoundError:  # it is being written or deleted
        return None
    try:
        found = yaml.load(content, _Loader)  # noqa: S506 - both loaders are safe ones
    except yaml.YAMLError:
        found = None
    if not isinstance(found, dict):
        raise broken_package(folder, f"{DESCRIPTION} has {len(content):,} bytes and is no YAML")
    missing = [name for name, kind in _FIELDS.items() if not isinstance(found.get(name), kind)]
    if (
        missing
        and missing == list(_FIELDS)[-len(missing) :]
        and all(found.get(name) is None for name in missing)
    ):
        raise broken_package(folder, f"{DESCRIPTION} ends before {missing[0]}")
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
    text = yaml.dump(description, Dumper=_Dumper, sort_keys=False)
    replace_file(file, text.encode())


def broken_package(folder: Path, problem: str) -> BrokenPackageError:
    """The error for a package that is not as it was written."""
    return BrokenPackageError(
        f"Package {folder.parent.name}:{folder.name} is damaged, as after a power cut ({problem})."
        f" Delete its folder {folder}, then materialize bentoml_model and champion_model for its"
        " base date; other packages are not affected."
    )

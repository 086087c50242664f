"""What a package contains, read without executing any of it."""

import json
from pathlib import Path
from typing import Any

from credit_ct_dagster.contracts.golden import GoldenRows
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.package import PackageRecord
from credit_ct_dagster.contracts.scorer import ScorerRecord
from credit_ct_dagster.errors.inputs import SettingsError
from credit_ct_dagster.errors.models import BrokenPackageError
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.resources.bentoml_internals import DESCRIPTION, PYFUNC, broken_package
from credit_ct_dagster.resources.bentoml_packages import PackagedModel
from credit_ct_dagster.serving.packaging import SCORER


def is_current(folder: Path) -> bool:
    """Whether this release's form of package is in a folder of the store."""
    return (folder / PYFUNC).is_dir()


def contents_of(folder: Path, identity: ModelIdentity, metadata: dict[str, Any]) -> PackagedModel:
    """The contents of a package, for the scorer of this platform.

    Args:
        folder: Of the package in the store.
        identity: The model, with the tag of the package.
        metadata: Of the package.

    Raises:
        BrokenPackageError: It is damaged.
        NewerRecordError: A later release packaged it.
        UnreadableRecordError: A record in it is not valid.
        SettingsError: It gives other classes than this process has declared.
    """
    # CatBoost takes a second to import.
    from catboost import CatBoostError

    from credit_ct_dagster.scorer.ordinal import load_model
    from credit_ct_dagster.scorer.scorer import MODEL_FILE, Scorer

    scorer = folder / PYFUNC / SCORER
    data = ScorerRecord.from_json(_json(folder, scorer / ScorerRecord.FILE), str(scorer))
    if list(data.classes) != schema.CLASSES:
        raise SettingsError(
            f"Package {identity.bentoml_tag} of base date {identity.base_dt} gives the classes"
            f" {', '.join(data.classes)}, but DATA_SCHEMA declares {', '.join(schema.CLASSES)} in"
            " this process. Give every process the DATA_SCHEMA with which its models are trained."
        )
    golden = None
    if (scorer / GoldenRows.FILE).exists():
        golden = GoldenRows.from_json(_json(folder, scorer / GoldenRows.FILE), str(scorer))
    try:
        model = load_model(scorer / MODEL_FILE)
        made = Scorer(model, data.model_dump(mode="json"))
    except (OSError, ValueError, LookupError, CatBoostError) as error:
        raise _broken(folder, scorer / MODEL_FILE, error) from error
    return PackagedModel(
        identity=identity,
        record=PackageRecord.from_metadata(metadata, str(folder / DESCRIPTION)),
        scorer=made,
        data=data,
        golden=golden,
    )


def _json(package: Path, file: Path) -> bytes:
    """The content of a file that a power cut may have damaged."""
    try:
        content = file.read_bytes()
        json.loads(content)
    except (OSError, ValueError) as error:
        raise _broken(package, file, error) from error
    return content


def _broken(package: Path, file: Path, error: Exception) -> BrokenPackageError:
    return broken_package(package, f"{file.relative_to(package)}: {type(error).__name__}")

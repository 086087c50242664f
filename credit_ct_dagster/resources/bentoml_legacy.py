"""Packages of releases before serving: a pickled model with its calibration, beside its scalers."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.package import PackageRecord
from credit_ct_dagster.contracts.scorer import ScorerRecord
from credit_ct_dagster.contracts.splits import Limits
from credit_ct_dagster.errors.models import UnusablePackageError
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.answers.reasons import sentences
from credit_ct_dagster.modeling.answers.scorer_data import calibration_data
from credit_ct_dagster.modeling.rows.row_rules import BOUNDS
from credit_ct_dagster.resources.bentoml_internals import DESCRIPTION, broken_package
from credit_ct_dagster.resources.bentoml_packages import PackagedModel
from credit_ct_dagster.scorer.class_rule import HIGHEST_SCORE

_FILE = "custom_objects.pkl"
_MODEL_FILE = "saved_model.cbm"
_MODEL = "calibrated_model"
_PROTECTED = ("age",)
"""What those releases marked as protected: 12 CFR 1002.6(b)(2) limits the use of age."""
_DIRECTIONS = ("higher", "lower", "other", "missing")


def legacy_contents_of(
    folder: Path, identity: ModelIdentity | None, metadata: dict[str, Any]
) -> PackagedModel:
    """The contents of a package of an earlier release, as a scorer that answers as it did.

    Its hash has to be compared before: this executes what was pickled into it.

    Args:
        folder: Of the package in the store.
        identity: The model, with the tag of the package; None if its labels name none.
        metadata: Of the package.

    Raises:
        BrokenPackageError: It is damaged.
        UnusablePackageError: An early release packaged it, without calibration.
        CreditCtError: Its record cannot be read.
    """
    # CatBoost and scikit-learn take seconds to import.
    from catboost import CatBoostClassifier, CatBoostError

    from credit_ct_dagster.scorer.scorer import Scorer

    contents = _unpickled(folder)
    if identity is None or _MODEL not in contents:
        raise UnusablePackageError(
            f"Package {folder.parent.name}:{folder.name} contains no model that gives calibrated"
            " probabilities: materialize bentoml_model and champion_model for base date"
            f" {identity.base_dt if identity else 'its base date'} again."
        )
    record = PackageRecord.from_metadata(metadata, str(folder / DESCRIPTION))
    data = _data_of(contents)
    try:
        model = CatBoostClassifier().load_model(str(folder / _MODEL_FILE))
    except CatBoostError as error:
        raise broken_package(folder, f"{_MODEL_FILE}: {type(error).__name__}") from error
    scorer = Scorer(model, data.model_dump(mode="json"))
    return PackagedModel(identity=identity, record=record, scorer=scorer, data=data)


def legacy_model_file(folder: Path) -> bytes:
    """CatBoost's file of a package's model.

    A model that was unpickled must not be saved: CatBoost 1.2.10 crashes the process that loads the
    file.
    """
    return (folder / _MODEL_FILE).read_bytes()


def _unpickled(folder: Path) -> dict[str, Any]:
    if not (folder / _FILE).exists():
        return {}
    try:
        contents: dict[str, Any] = pickle.loads((folder / _FILE).read_bytes())  # noqa: S301
    except (OSError, EOFError, ValueError, LookupError, pickle.UnpicklingError) as error:
        raise broken_package(folder, f"{_FILE}: {type(error).__name__}") from error
    return contents


def _data_of(contents: Mapping[str, Any]) -> ScorerRecord:
    from credit_ct_dagster.modeling.rows.preparation import record_of

    model, columns = contents[_MODEL], contents.get("feature_schema", {})
    scales = record_of(contents["robust_scalers"]).columns
    words = {
        kind: [name for name in columns.get(kind, known) if name in model.features]
        for kind, known in (("categorical", schema.CATEGORICAL), ("text", schema.TEXT))
    }
    known_sentences = sentences()
    return ScorerRecord(
        features=model.features,
        **words,
        scales=scales,
        missing_word=columns.get("missing_word", schema.MISSING_WORD),
        classes=schema.CLASSES,
        class_rule=HIGHEST_SCORE,
        calibration=calibration_data(model.calibrated),
        # Unknown, and so are reasons, which compare a customer with a typical one.
        typical={name: {} for name in schema.CLASSES},
        orders=[],
        sentences={
            name: known_sentences.get(name) or _plain_sentences(name) for name in model.features
        },
        protected=[name for name in _PROTECTED if name in model.features],
        limits={
            name: Limits(low=bounds.low, high=bounds.high)
            for name, bounds in BOUNDS.items()
            if name in model.features
        },
    )


def _plain_sentences(name: str) -> dict[str, str]:
    """Of a feature that the schema no longer has."""
    sentence = f"{name} speaks against a better score, when all details are taken together."
    return dict.fromkeys(_DIRECTIONS, sentence) | {"missing": f"{name} is not known."}

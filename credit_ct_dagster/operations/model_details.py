"""What is known of a model that serves, beside its names."""

from importlib.metadata import version
from typing import Any

from credit_ct_dagster.contracts.files import MODEL_CARD_FILE, MODEL_FOLDER
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.resources.bentoml_store import BentoMLStore
from credit_ct_dagster.serving.follower import ServedModel

_LIBRARIES = ("credit-ct-dagster", "catboost", "numpy", "scipy", "bentoml")


def model_details(
    packages: BentoMLStore, artifacts: ArtifactsIOManager, model: ServedModel
) -> dict[str, Any]:
    """Metrics, calibration, the place of the model card, and the libraries of this process.

    Args:
        packages: Holds the model's package.
        artifacts: Hold its card.
        model: The model.
    """
    identity = model.identity
    found = [
        each for each in packages.packaged(identity.base_dt) if each.tag == identity.bentoml_tag
    ]
    folder = artifacts.open(MODEL_FOLDER, identity.base_dt)
    return {
        "metrics": dict(found[0].metrics) if found else {},
        "packaged": found[0].created if found else None,
        "calibration": model.record.calibration,
        "model_card": str(folder.path / MODEL_CARD_FILE) if MODEL_CARD_FILE in folder else None,
        "libraries": {name: version(name) for name in _LIBRARIES},
    }

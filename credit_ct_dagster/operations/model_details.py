"""What is known of a model that serves, besides its names."""

import logging
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from credit_ct_dagster.contracts.assessment import AssessmentReport
from credit_ct_dagster.contracts.decision import DecisionRecord
from credit_ct_dagster.contracts.files import MODEL_CARD_FILE, MODEL_FOLDER
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.errors.base import CreditCtError
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.io_managers.decisions import DecisionRecords
from credit_ct_dagster.modeling.judging.standing import Standing, standing_since
from credit_ct_dagster.resources.bentoml_store import BentoMLStore
from credit_ct_dagster.resources.mlflow.tracking import MlflowTracking
from credit_ct_dagster.serving.follower import ServedModel

_LIBRARIES = ("credit-ct-dagster", "catboost", "numpy", "scipy", "bentoml")

logger = logging.getLogger(__name__)


def model_details(
    packages: BentoMLStore,
    artifacts: ArtifactsIOManager,
    tracking: MlflowTracking,
    model: ServedModel,
) -> dict[str, Any]:
    """Metrics, calibration, the facts of the model card, and the libraries of this process.

    Metrics are those of the classes and probabilities that the package gives; there is no card of
    a package that was calibrated anew until `model_card` is materialized.

    Args:
        packages: Holds the model's package.
        artifacts: Hold its card.
        tracking: Has the card, too, for people to open.
        model: The model.
    """
    identity = model.identity
    found = [
        each for each in packages.packaged(identity.base_dt) if each.tag == identity.bentoml_tag
    ]
    return {
        "metrics": dict(found[0].metrics) if found else {},
        "packaged": found[0].created if found else None,
        "calibration": model.data.calibration.method,
        "model_card": _card(artifacts, tracking, identity),
        "libraries": {name: version(name) for name in _LIBRARIES},
    }


def _card(
    artifacts: ArtifactsIOManager, tracking: MlflowTracking, identity: ModelIdentity
) -> dict[str, Any] | None:
    """What the card says; None if there is none, or only that of another package."""
    folder = artifacts.open(MODEL_FOLDER, identity.base_dt)
    try:
        if not {MODEL_CARD_FILE, ModelIdentity.FILE, DecisionRecord.FILE} <= set(folder.names()):
            return None
        if not _is_of(folder.read(ModelIdentity), identity):
            return None
        holdout = folder.read(AssessmentReport).holdout
        return {
            "url": _url(tracking, identity),
            "decision": _standing(artifacts, folder.read(DecisionRecord)).sentence,
            "holdout_rows": holdout.rows,
            "holdout": {
                name: estimate.model_dump(mode="json") for name, estimate in holdout.metrics.items()
            },
            "probabilities": holdout.calibrated.model_dump(mode="json"),
        }
    except CreditCtError as error:  # whoever asks for the model gets the rest
        logger.warning(str(error), extra={"code": error.code})
        return None


def _standing(artifacts: ArtifactsIOManager, record: DecisionRecord) -> Standing:
    """Where a model stands by all decisions: a person may have decided after its card was made."""
    return standing_since(record, DecisionRecords(artifacts).read().records, datetime.now(UTC))


def _is_of(card: ModelIdentity, model: ModelIdentity) -> bool:
    """Whether a card is about the package that serves.

    One that was packaged again with the same contents has another tag; one that was calibrated
    anew, of the same MLflow run, has other probabilities and classes than on its former card.
    """
    if card.package_sha256 and model.package_sha256:
        return card.package_sha256 == model.package_sha256
    return card.bentoml_tag == model.bentoml_tag


def _url(tracking: MlflowTracking, identity: ModelIdentity) -> str | None:
    """Where a person opens the card; None while MLflow does not answer."""
    try:
        return tracking.run_url(identity.mlflow_run_id, f"/artifacts/{MODEL_CARD_FILE}")
    except CreditCtError as error:
        logger.warning(str(error), extra={"code": error.code})
        return None

"""What GET /model says of a model besides its names."""

from datetime import UTC, datetime

import pytest

from credit_ct_dagster.errors.models import MlflowUnavailableError
from credit_ct_dagster.operations.model_details import model_details
from credit_ct_dagster.resources.mlflow.tracking import MlflowTracking
from credit_ct_dagster.serving.contract import RowContract
from credit_ct_dagster.serving.follower import ServedModel
from credit_ct_dagster_tests.trained import Trained


@pytest.fixture
def model(trained: Trained) -> ServedModel:
    """The champion, as a worker of the service holds it."""
    champion = trained.platform.promotions.champion()
    assert champion is not None
    package = trained.platform.promotions.load(champion)
    contract = RowContract.of(package.data)
    return ServedModel(champion, package.scorer, contract, package.data, datetime.now(UTC))


def test_the_card_is_something_that_a_caller_can_use(trained: Trained, model: ServedModel) -> None:
    """Where to open it, and its key facts; no path of the server."""
    platform = trained.platform
    found = model_details(platform.packages, platform.artifacts, platform.tracking, model)
    card = found["model_card"]
    run = model.identity.mlflow_run_id
    assert f"/runs/{run}/artifacts/model_card.html?" in card["url"]
    assert card["decision"].startswith("Promoted")
    # Beside it are the package's own figures, by the same rule.
    accuracy = card["holdout"]["accuracy"]
    assert found["metrics"]["holdout_accuracy"] == pytest.approx(accuracy["value"])
    assert found["metrics"]["holdout_log_loss"] == pytest.approx(card["probabilities"]["log_loss"])
    assert accuracy["low"] <= accuracy["value"] <= accuracy["high"]
    assert set(card["probabilities"]) == {"log_loss", "brier", "ece"}
    assert found["calibration"] in ("none", "sigmoid", "isotonic")
    assert str(platform.folder) not in str(found)


def test_the_facts_do_not_need_mlflow(
    trained: Trained, model: ServedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it is away there is no address, and all the rest."""

    def away(*_: object) -> str:
        raise MlflowUnavailableError("MLflow does not answer.")

    monkeypatch.setattr(MlflowTracking, "run_url", away)
    platform = trained.platform
    found = model_details(platform.packages, platform.artifacts, platform.tracking, model)
    assert found["model_card"]["url"] is None
    assert found["model_card"]["holdout_rows"] > 0


def test_the_card_of_another_model_is_not_shown(trained: Trained, model: ServedModel) -> None:
    """The base date may have been trained, or its model calibrated, again since."""
    platform = trained.platform
    again = {"bentoml_tag": "m:again"}
    for changes, shown in (
        ({"package_sha256": "b" * 64}, False),  # it was calibrated anew
        (again, True),  # it was packaged again with the same contents
        (again | {"package_sha256": ""}, False),
        ({"package_sha256": ""}, True),  # an earlier release recorded no hash
    ):
        identity = model.identity.model_copy(update=changes)
        other = ServedModel(identity, model.scorer, model.contract, model.data, model.since)
        found = model_details(platform.packages, platform.artifacts, platform.tracking, other)
        assert (found["model_card"] is not None) == shown, changes

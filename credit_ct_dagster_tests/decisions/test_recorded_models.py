"""Packages are loaded once they are those that decisions recorded."""

import logging

import pytest
from catboost import CatBoostClassifier

from credit_ct_dagster_tests.decisions.decided import LOSES, decide, packaged
from credit_ct_dagster_tests.platform import Platform
from credit_ct_dagster_tests.resources.packages import any_model


@pytest.fixture(scope="module")
def fitted() -> CatBoostClassifier:
    """Any fitted model."""
    return any_model()


def _warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]


def test_a_package_that_no_decision_recorded_is_loaded_with_a_warning_that_says_so(
    platform: Platform, fitted: CatBoostClassifier, caplog: pytest.LogCaptureFixture
) -> None:
    """It is new, not one of an earlier release; once there is a decision, nothing is to be said."""
    caplog.set_level(logging.WARNING, "credit_ct_dagster.decisions.recorded_models")
    packaged(platform, fitted, "2025-03-01")
    [package] = platform.packages.packaged()
    platform.promotions.load(package.identity)
    [warning] = _warnings(caplog)
    assert warning.startswith(f"Package {package.tag} of base date 2025-03-01 is loaded unverified")
    assert "no decision on its model has recorded its hash yet" in warning
    assert "Materialize champion_model" in warning
    caplog.clear()
    model = decide(platform, fitted, "2025-03-02", LOSES)
    platform.promotions.load(model.model_copy(update={"package_sha256": ""}))
    assert _warnings(caplog) == []


def test_a_package_of_an_earlier_release_is_loaded_with_a_warning(
    platform: Platform, fitted: CatBoostClassifier, caplog: pytest.LogCaptureFixture
) -> None:
    """Its decision is on record, without a hash."""
    run_id = packaged(platform, fitted, "2025-03-01")
    with platform.promotions.deciding() as deciding:
        model = deciding.register("2025-03-01", run_id)
        old = model.model_copy(update={"package_sha256": ""})
        deciding.record(old, LOSES)
    caplog.set_level(logging.WARNING, "credit_ct_dagster.decisions.recorded_models")
    platform.promotions.load(old)
    [warning] = _warnings(caplog)
    assert "an earlier release recorded it without its hash" in warning
    assert "Materialize bentoml_model and champion_model" in warning

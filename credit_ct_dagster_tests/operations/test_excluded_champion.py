"""A champion that uses features which the bank has excluded since it was trained."""

import json
from pathlib import Path

import pytest

from credit_ct_dagster.errors.models import ExcludedFeaturesError
from credit_ct_dagster_tests.platform import Platform
from credit_ct_dagster_tests.trained import Trained


def test_the_champion_is_named_with_the_features_and_the_way_out(trained: Trained) -> None:
    """Features that it does not use are no matter."""
    promotions = trained.platform.promotions
    promotions.require_allowed_features([])
    promotions.require_allowed_features(["name"])
    with pytest.raises(
        ExcludedFeaturesError, match=r"was trained on age, which .*credit-ct promote"
    ):
        promotions.require_allowed_features(["name", "age"])


def test_there_need_not_be_a_champion(platform: Platform) -> None:
    """Nothing uses anything then."""
    platform.promotions.require_allowed_features(["age"])


def test_doctor_fails_because_of_it(
    trained: Trained, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With EXCLUDED_FEATURES as the runs have it."""
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("EXCLUDED_FEATURES", "age")
    found = json.loads(trained.platform.command("doctor", "--json").output)
    [champion] = [each for each in found if each["subject"] == "champion"]
    assert (champion["state"], champion["code"]) == ("failed", "CT-CHAMPION-7")

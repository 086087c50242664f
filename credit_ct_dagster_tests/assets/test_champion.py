"""Decisions on real models, and the cards that show them."""

from typing import Any

import dagster as dg
import numpy as np
import pytest

from credit_ct_dagster.contracts.assessment import AssessmentReport
from credit_ct_dagster.contracts.decision import Decision, Estimate, Reliability
from credit_ct_dagster.contracts.drift import DriftReport
from credit_ct_dagster.contracts.files import MODEL_CARD_FILE
from credit_ct_dagster.contracts.identity import Lineage, ModelIdentity
from credit_ct_dagster.errors.models import MissingPackageError
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.resources.model_policy import ModelPolicy
from credit_ct_dagster_tests.platform import (
    BASE_DT,
    EARLIER,
    GOOD_SEARCH,
    POOR_SEARCH,
    SMALL_SEARCH,
    Platform,
    failure_of,
    metadata_of,
)
from credit_ct_dagster_tests.trained import Trained


def _decision(platform: Platform, base_dt: str = BASE_DT) -> Decision:
    return platform.decision_record(base_dt).decision


def test_the_first_model_is_promoted_and_its_card_shows_everything(trained: Trained) -> None:
    """Five names of one model, the same in every store; the card needs no other file."""
    platform, result = trained.platform, trained.result
    decision, models = _decision(platform), platform.models()
    assert (decision.promoted, decision.ground) == (True, "first")
    lineage, summary = models.read(ModelIdentity), platform.search_summary()
    [package] = platform.packages.packaged()
    champion = platform.promotions.champion()
    assert champion is not None
    assert lineage == ModelIdentity(
        base_dt=BASE_DT,
        dagster_run_id=result.run_id,
        mlflow_run_id=summary.mlflow.best_run_id,
        registered_model=platform.model_name,
        registered_version=champion.registered_version,
        bentoml_tag=package.tag,
        data_fingerprint=platform.splits_summary().data_fingerprint,
        package_sha256=platform.packages.sha256(package.tag),
    )
    card = models[MODEL_CARD_FILE]
    for value in lineage.model_dump(exclude={"version"}).values():
        assert value in card
    assert "it is the first one that meets" in card
    assert "src=" not in card
    assert "All 1,543 rows satisfy every rule." in card
    logged = platform.tracking.client.list_artifacts(lineage.mlflow_run_id)
    assert "model_card.html" in [each.path for each in logged]
    assessment = models.read(AssessmentReport).holdout
    assert np.sum(assessment.confusion) == summary.rows["holdout"]
    right = np.trace(np.array(assessment.confusion)) / summary.rows["holdout"]
    assert assessment.metrics["accuracy"].value == pytest.approx(right)


def test_materializing_again_changes_nothing(trained_copy: Trained) -> None:
    """The same decision, aliases and records; the card is rewritten as it was."""
    platform, instance = trained_copy.platform, trained_copy.instance
    decision, card = platform.decision_record(), platform.models()[MODEL_CARD_FILE]
    again = platform.materialize(
        instance,
        selection=dg.AssetSelection.assets("champion_model", "model_card"),
    )
    assert again.success
    assert platform.decision_record() == decision
    assert platform.models()[MODEL_CARD_FILE] == card
    assert len(platform.promotions.records()) == 1


def test_a_champion_that_uses_an_excluded_feature_is_named(trained_copy: Trained) -> None:
    """The decision stands; log and metadata say what to do about the champion."""
    platform, instance = trained_copy.platform, trained_copy.instance
    result = platform.materialize(
        instance,
        selection=dg.AssetSelection.assets("champion_model"),
        checks=False,
        policy=ModelPolicy(excluded_features=["occupation", "age"]),
    )
    assert result.success
    found = metadata_of(result, "champion_model")["excluded_features"]
    assert f"of base date {BASE_DT}, version 1, was trained on age, occupation, which" in found
    assert "credit-ct promote. See CT-CHAMPION-7" in found
    assert "excluded_features" not in metadata_of(trained_copy.result, "champion_model")


def test_the_same_training_again_is_no_evidence(trained_copy: Trained) -> None:
    """Trained anew on the same rows, the model is the same: the champion stays."""
    platform, instance = trained_copy.platform, trained_copy.instance
    champion, before = platform.promotions.champion(), platform.models().read(Lineage)
    assert platform.materialize(instance, search=SMALL_SEARCH | {"resume": False}).success
    after = platform.models().read(Lineage)
    assert after.mlflow_run_id != before.mlflow_run_id
    assert after.predictions_sha256 == before.predictions_sha256
    decision = _decision(platform)
    assert (decision.promoted, decision.ground) == (False, "insufficient evidence")
    assert decision.comparison
    assert decision.comparison.difference == Estimate(value=0.0, low=0.0, high=0.0)
    assert platform.promotions.champion() == champion


def test_a_clearly_better_model_is_promoted_and_a_worse_one_is_not(
    with_poor_champion: Trained,
) -> None:
    """On customers that neither saw; the drift against the champion's rows is reported."""
    platform, instance = with_poor_champion.platform, with_poor_champion.instance
    better = platform.materialize(instance, BASE_DT, GOOD_SEARCH, checks=False)
    assert better.success
    decision = _decision(platform)
    assert (decision.promoted, decision.ground) == (True, "better")
    assert decision.comparison
    assert decision.comparison.difference.low > 0
    assert decision.probabilities
    assert decision.probabilities.verdict == Reliability.champion_worse
    assert decision.probabilities.holdouts == (BASE_DT,)
    assert all(each.champion is not None for each in decision.floors)
    champion, previous = platform.promotions.champion(), platform.promotions.previous()
    assert champion is not None
    assert previous is not None
    assert (champion.base_dt, previous.base_dt) == (BASE_DT, EARLIER)
    drift = {each.column: each for each in platform.models().read(DriftReport).columns}
    assert set(drift) == {"predicted class", *schema.FEATURES}
    assert max(each.psi for each in drift.values()) < 0.25
    reasons = platform.models().read(AssessmentReport).reasons
    assert reasons
    assert reasons.shared
    assert (reasons.base_dt, 0 < reasons.shared.value < 1) == (EARLIER, True)

    worse = platform.materialize(
        instance,
        search=POOR_SEARCH | {"resume": False},
        gate={"cool_down_days": 0},
        checks=False,
        until="champion_model",
    )
    assert worse.success
    decision = _decision(platform)
    assert (decision.promoted, decision.ground) == (False, "worse")
    assert platform.promotions.champion() == champion


def test_a_missing_package_promotes_nobody(
    with_poor_champion: Trained,
) -> None:
    """Without the champion's package there is no comparison: the step fails with the remedy."""
    platform, instance = with_poor_champion.platform, with_poor_champion.instance
    import bentoml

    [package] = platform.packages.packaged()
    bentoml.models.delete(package.tag)
    result = platform.materialize(
        instance, BASE_DT, GOOD_SEARCH, checks=False, until="champion_model"
    )
    assert not result.success
    assert f"{package.tag} is not in the BentoML store" in failure_of(result)
    champion = platform.promotions.champion()
    assert champion is not None
    assert champion.base_dt == EARLIER


def test_a_missing_package_can_be_made_again(
    with_poor_champion: Trained,
) -> None:
    """As the sentence advises, the champion's as well as its predecessor's."""
    platform, instance = with_poor_champion.platform, with_poor_champion.instance
    import bentoml

    made_again = dg.AssetSelection.assets("bentoml_model", "champion_model")
    search: dict[str, Any] = {"search": GOOD_SEARCH, "checks": False, "until": "champion_model"}
    assert platform.materialize(instance, BASE_DT, **search).success
    for package in platform.packages.packaged():
        bentoml.models.delete(package.tag)
    with pytest.raises(
        MissingPackageError, match="bentoml_model and champion_model for its base date"
    ):
        platform.promotions.agreement()
    packaged = dg.AssetSelection.assets("bentoml_model")
    assert platform.materialize(instance, EARLIER, selection=packaged).success
    for base_dt in (BASE_DT, EARLIER):
        assert platform.materialize(instance, base_dt, selection=made_again).success
    assert platform.promotions.agreement().startswith("version 2 of base date")

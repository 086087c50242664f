"""Decisions on real models, and the cards that show them."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from credit_ct_dagster.contracts.assessment import AssessmentReport
from credit_ct_dagster.contracts.decision import Decision, Estimate, Reliability
from credit_ct_dagster.contracts.drift import DriftReport
from credit_ct_dagster.contracts.files import MODEL_CARD_FILE, SPLIT_FILES
from credit_ct_dagster.contracts.identity import Lineage, ModelIdentity
from credit_ct_dagster.errors.models import MissingPackageError
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.gate_rules import GateRules
from credit_ct_dagster.modeling.rows.splitting import customer_position
from credit_ct_dagster.resources.feature_store.tables import Tables
from credit_ct_dagster.resources.model_policy import ModelPolicy
from credit_ct_dagster_tests.platform import (
    BASE_DT,
    SMALL_SEARCH,
    Platform,
    Templates,
    failure_of,
    metadata_of,
)
from credit_ct_dagster_tests.trained import Trained

_POOR_SEARCH = SMALL_SEARCH | {"depth": [1], "iterations": 1}
_GOOD_SEARCH = SMALL_SEARCH | {"depth": [5], "iterations": 60}
_EARLIER = "2025-03-07"


@pytest.fixture(scope="module")
def poor_champion(
    tmp_path_factory: pytest.TempPathFactory, templates: Templates
) -> Iterator[Trained]:
    """A platform whose champion, of an earlier base date, is easily beaten."""
    folder = tmp_path_factory.mktemp("poor")
    with Trained.on(folder, templates, _EARLIER, search=_POOR_SEARCH, checks=False) as trained:
        yield trained


@pytest.fixture
def with_poor_champion(poor_champion: Trained, tmp_path: Path) -> Iterator[Trained]:
    """The same, to change."""
    with poor_champion.copied(tmp_path) as copy:
        yield copy


def _decision(platform: Platform, base_dt: str = BASE_DT) -> Decision:
    return platform.decision_record(base_dt).decision


def _compared_rows(platform: Platform) -> int:
    comparison = _decision(platform).comparison
    assert comparison is not None
    return comparison.rows


def _delete_labels(platform: Platform, low: float, high: float) -> None:
    """Delete the labels of the customers between two positions in [0, 1)."""
    with sa.create_engine(platform.url).begin() as connection:
        labels = pd.read_sql("SELECT id, customer_id FROM credit_score", connection)
        lost = labels[customer_position(labels["customer_id"]).between(low, high)]
        customer = Tables.of_schema().labels.c.customer_id
        rows = customer.in_(lost["customer_id"].unique().tolist())
        connection.execute(sa.delete(customer.table).where(rows))


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
    better = platform.materialize(instance, BASE_DT, _GOOD_SEARCH, checks=False)
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
    assert (champion.base_dt, previous.base_dt) == (BASE_DT, _EARLIER)
    drift = {each.column: each for each in platform.models().read(DriftReport).columns}
    assert set(drift) == {"predicted class", *schema.FEATURES}
    assert max(each.psi for each in drift.values()) < 0.25
    reasons = platform.models().read(AssessmentReport).reasons
    assert reasons
    assert reasons.shared
    assert (reasons.base_dt, 0 < reasons.shared.value < 1) == (_EARLIER, True)

    worse = platform.materialize(
        instance,
        search=_POOR_SEARCH | {"resume": False},
        gate={"cool_down_days": 0},
        checks=False,
    )
    assert worse.success
    decision = _decision(platform)
    assert (decision.promoted, decision.ground) == (False, "worse")
    assert platform.promotions.champion() == champion


def test_an_older_base_date_does_not_replace_a_newer_champion(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """A backfill finds the newer champion, unless it is told to replace it."""
    assert platform.materialize(instance, BASE_DT, _POOR_SEARCH, checks=False).success
    assert platform.materialize(instance, _EARLIER, _GOOD_SEARCH, checks=False).success
    assert _decision(platform, _EARLIER).ground == "older base date"
    asked = platform.materialize(
        instance, _EARLIER, _GOOD_SEARCH | {"resume": False}, gate={"replace_newer": True}
    )
    assert asked.success
    assert _decision(platform, _EARLIER).promoted


def test_both_are_scored_on_customers_that_neither_saw(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """Also when the champion was split by other shares: it saw more customers."""
    wide = {"preprocessing": {"config": {"train_share": 0.8, "val_share": 0.15}}}
    assert platform.materialize(instance, _EARLIER, _POOR_SEARCH, config=wide, checks=False).success
    assert platform.materialize(instance, BASE_DT, _GOOD_SEARCH, checks=False).success
    holdout = platform.splits()[SPLIT_FILES["holdout"]]
    unseen = customer_position(holdout[schema.CUSTOMER]) >= 0.8 + 0.15
    assert 0 < unseen.sum() < GateRules().min_rows
    assert _compared_rows(platform) == unseen.sum()
    assert _decision(platform).ground == "insufficient evidence"
    assert "neither model saw (min_rows: 100)" in _decision(platform).sentence

    _delete_labels(platform, 0.8 + 0.15, 1)
    assert platform.materialize(instance, BASE_DT, _GOOD_SEARCH, checks=False).success
    decision = _decision(platform)
    assert (decision.promoted, decision.comparison) == (False, None)
    assert "no holdout row of base date 2025-03-10 is of a customer that" in decision.sentence


def test_holdouts_of_earlier_windows_are_pooled(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """Those that exist of windows that do not overlap, and so no customer's month twice."""
    for earlier in ("2025-02-05", "2025-02-20"):
        assert platform.materialize(instance, earlier, _POOR_SEARCH, checks=False).success
    assert platform.materialize(instance).success
    assert _decision(platform).holdouts == (BASE_DT, "2025-02-05")
    holdouts = [platform.splits(day)[SPLIT_FILES["holdout"]] for day in (BASE_DT, "2025-02-05")]
    pooled = pd.concat(holdouts)
    assert not pooled.duplicated(["id", schema.CUSTOMER]).any()
    assert _compared_rows(platform) == len(pooled)
    fairness = platform.models().read(AssessmentReport).fairness
    assert fairness
    assert (fairness.base_dts, fairness.rows) == ([BASE_DT, "2025-02-05"], len(pooled))


def test_a_missing_package_promotes_nobody(
    with_poor_champion: Trained,
) -> None:
    """Without the champion's package there is no comparison: the step fails with the remedy."""
    platform, instance = with_poor_champion.platform, with_poor_champion.instance
    import bentoml

    [package] = platform.packages.packaged()
    bentoml.models.delete(package.tag)
    result = platform.materialize(instance, BASE_DT, _GOOD_SEARCH, checks=False)
    assert not result.success
    assert f"{package.tag} is not in the BentoML store" in failure_of(result)
    champion = platform.promotions.champion()
    assert champion is not None
    assert champion.base_dt == _EARLIER


def test_a_missing_package_can_be_made_again(
    with_poor_champion: Trained,
) -> None:
    """As the sentence advises, the champion's as well as its predecessor's."""
    platform, instance = with_poor_champion.platform, with_poor_champion.instance
    import bentoml

    made_again = dg.AssetSelection.assets("bentoml_model", "champion_model")
    assert platform.materialize(instance, BASE_DT, _GOOD_SEARCH, checks=False).success
    for package in platform.packages.packaged():
        bentoml.models.delete(package.tag)
    with pytest.raises(
        MissingPackageError, match="bentoml_model and champion_model for its base date"
    ):
        platform.promotions.agreement()
    packaged = dg.AssetSelection.assets("bentoml_model")
    assert platform.materialize(instance, _EARLIER, selection=packaged).success
    for base_dt in (BASE_DT, _EARLIER):
        assert platform.materialize(instance, base_dt, selection=made_again).success
    assert platform.promotions.agreement().startswith("version 2 of base date")


def test_a_challenger_of_a_tenth_of_the_rows_is_not_promoted(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """A window that lost most of its labels makes a model that does not win."""
    assert platform.materialize(instance, _EARLIER, _GOOD_SEARCH, checks=False).success
    _delete_labels(platform, 0.07, 0.7)
    small = {
        "features_target_window_has_enough_rows": {"config": {"min_share": 0.1}},
        "preprocessed_splits_splits_have_their_shares": {"config": {"max_deviation": 1.0}},
    }
    assert platform.materialize(instance, BASE_DT, _GOOD_SEARCH, config=small).success
    assert not _decision(platform).promoted

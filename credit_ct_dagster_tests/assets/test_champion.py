"""Decisions on real models, and the cards that tell of them."""

from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from credit_ct_dagster.errors import CreditCtError
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.splitting import customer_position
from credit_ct_dagster.resources.feature_store.tables import credit_score
from credit_ct_dagster_tests.platform import BASE_DT, SMALL_SEARCH, Platform, Trained, failure_of

_POOR_SEARCH = SMALL_SEARCH | {"depth": [1], "iterations": 1}
_GOOD_SEARCH = SMALL_SEARCH | {"depth": [5], "iterations": 60}
_EARLIER = "2025-03-07"


def _decision(platform: Platform, base_dt: str = BASE_DT) -> dict[str, Any]:
    return platform.models(base_dt)["decision.json"]["decision"]


def test_the_first_model_is_promoted_and_its_card_tells_all(trained: Trained) -> None:
    """Five names of one model, the same in every store; the card stands alone."""
    platform, result = trained.platform, trained.result
    decision, models = _decision(platform), platform.models()
    assert (decision["promoted"], decision["ground"]) == (True, "first")
    lineage, summary = models["lineage.json"], models["summary.json"]
    [package] = platform.packages.packages()
    champion = platform.promotions.champion()
    assert champion is not None
    assert lineage == {
        "base_dt": BASE_DT,
        "dagster_run_id": result.run_id,
        "mlflow_run_id": summary["mlflow"]["best_run_id"],
        "registered_model": platform.model_name,
        "registered_version": champion.version,
        "bentoml_tag": str(package.tag),
        "data_fingerprint": platform.splits()["summary.json"]["data_fingerprint"],
    }
    card = models["model_card.html"]
    for value in lineage.values():
        assert value in card
    assert "This is the first model that met" in card
    assert "src=" not in card
    assert "All 1,543 rows keep every rule." in card
    logged = platform.tracking.client.list_artifacts(lineage["mlflow_run_id"])
    assert "model_card.html" in [each.path for each in logged]
    assessment = models["assessment.json"]["holdout"]
    assert assessment["metrics"]["accuracy"]["value"] == pytest.approx(
        summary["best"]["holdout"]["accuracy"]
    )
    assert np.sum(assessment["confusion"]) == summary["rows"]["holdout"]


def test_materializing_again_changes_nothing(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """The same decision, aliases and records; the card is rewritten as it was."""
    platform.materialize(instance)
    decision, card = platform.models()["decision.json"], platform.models()["model_card.html"]
    again = platform.materialize(
        instance,
        selection=dg.AssetSelection.assets("champion_model", "model_card"),
    )
    assert again.success
    assert platform.models()["decision.json"] == decision
    assert platform.models()["model_card.html"] == card
    assert len(platform.promotions.records()) == 1


def test_the_same_training_again_is_no_evidence(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """Trained afresh on the same rows, the model is the same: the champion stays."""
    platform.materialize(instance)
    champion = platform.promotions.champion()
    assert platform.materialize(instance, search=SMALL_SEARCH | {"resume": False}).success
    decision = _decision(platform)
    assert (decision["promoted"], decision["ground"]) == (False, "insufficient evidence")
    assert decision["comparison"]["difference"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert platform.promotions.champion() == champion


def test_a_clearly_better_model_is_promoted_and_a_worse_one_is_not(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """On customers that neither saw; the drift against the champion's rows is reported."""
    assert platform.materialize(instance, _EARLIER, _POOR_SEARCH, checks=False).success
    better = platform.materialize(instance, BASE_DT, _GOOD_SEARCH)
    assert better.success
    decision = _decision(platform)
    assert (decision["promoted"], decision["ground"]) == (True, "better")
    assert decision["comparison"]["difference"]["low"] > 0
    champion, previous = platform.promotions.champion(), platform.promotions.previous()
    assert champion is not None
    assert previous is not None
    assert (champion.base_dt, previous.base_dt) == (BASE_DT, _EARLIER)
    drift = {each["column"]: each for each in platform.models()["drift.json"]}
    assert set(drift) == {"predicted class", *schema.FEATURES}
    assert max(each["psi"] for each in drift.values()) < 0.25

    worse = platform.materialize(
        instance,
        search=_POOR_SEARCH | {"resume": False},
        gate={"cool_down_days": 0},
        checks=False,
    )
    assert worse.success
    decision = _decision(platform)
    assert (decision["promoted"], decision["ground"]) == (False, "worse")
    assert platform.promotions.champion() == champion


def test_an_older_base_date_does_not_replace_a_newer_champion(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """A backfill finds the newer champion, unless it is told to replace it."""
    assert platform.materialize(instance, BASE_DT, _POOR_SEARCH, checks=False).success
    assert platform.materialize(instance, _EARLIER, _GOOD_SEARCH).success
    assert _decision(platform, _EARLIER)["ground"] == "older base date"
    asked = platform.materialize(
        instance, _EARLIER, _GOOD_SEARCH | {"resume": False}, gate={"replace_newer": True}
    )
    assert asked.success
    assert _decision(platform, _EARLIER)["promoted"]


def test_both_are_scored_on_customers_that_neither_saw(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """Also when the champion was split by other shares: it saw more customers."""
    wide = {"preprocessing": {"config": {"train_share": 0.8, "val_share": 0.15}}}
    assert platform.materialize(instance, _EARLIER, _POOR_SEARCH, config=wide, checks=False).success
    assert platform.materialize(instance, BASE_DT, _GOOD_SEARCH).success
    holdout = platform.splits()["{model_name}_holdout.parquet"]
    unseen = customer_position(holdout[schema.CUSTOMER]) >= 0.8 + 0.15
    assert 0 < unseen.sum() < len(holdout)
    assert _decision(platform)["comparison"]["rows"] == unseen.sum()


def test_holdouts_of_earlier_windows_can_be_pooled(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """Only windows that do not overlap, and so no customer's month twice."""
    for earlier in ("2025-02-05", "2025-02-20"):
        assert platform.materialize(instance, earlier, _POOR_SEARCH, checks=False).success
    assert platform.materialize(instance, gate={"holdout_windows": 3}).success
    holdouts = [
        platform.splits(day)["{model_name}_holdout.parquet"] for day in (BASE_DT, "2025-02-05")
    ]
    pooled = pd.concat(holdouts)
    assert not pooled.duplicated(["id", schema.CUSTOMER]).any()
    assert _decision(platform)["comparison"]["rows"] == len(pooled)


def test_a_package_that_is_gone_promotes_nobody(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """Without the champion's package there is no comparison: the step fails and says so."""
    import bentoml

    assert platform.materialize(instance, _EARLIER, _POOR_SEARCH, checks=False).success
    [package] = platform.packages.packages()
    bentoml.models.delete(package.tag)
    result = platform.materialize(instance, BASE_DT, _GOOD_SEARCH)
    assert not result.success
    assert f"{package.tag} is not in the BentoML store" in failure_of(result)
    champion = platform.promotions.champion()
    assert champion is not None
    assert champion.base_dt == _EARLIER


def test_a_package_that_is_gone_can_be_made_again(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """As the sentence says, the champion's as well as its predecessor's."""
    import bentoml

    made_again = dg.AssetSelection.assets("bentoml_model", "champion_model")
    assert platform.materialize(instance, _EARLIER, _POOR_SEARCH, checks=False).success
    assert platform.materialize(instance, BASE_DT, _GOOD_SEARCH).success
    for package in platform.packages.packages():
        bentoml.models.delete(package.tag)
    with pytest.raises(CreditCtError, match="bentoml_model and champion_model of its base date"):
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
    assert platform.materialize(instance, _EARLIER, _GOOD_SEARCH).success
    engine = sa.create_engine(platform.url)
    with engine.begin() as connection:
        labels = pd.read_sql("SELECT id, customer_id FROM credit_score", connection)
        lost = labels[customer_position(labels["customer_id"]).between(0.07, 0.7)]
        gone = credit_score.c.customer_id.in_(lost["customer_id"].unique().tolist())
        connection.execute(sa.delete(credit_score).where(gone))
    small = {"features_target_window_has_enough_rows": {"config": {"min_share": 0.1}}}
    assert platform.materialize(instance, BASE_DT, _GOOD_SEARCH, config=small).success
    assert not _decision(platform)["promoted"]

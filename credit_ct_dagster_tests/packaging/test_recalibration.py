"""A champion whose probabilities are calibrated anew on the rows of another base date."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa

from credit_ct_dagster.contracts.assessment import AssessmentReport
from credit_ct_dagster.contracts.decision import Ground
from credit_ct_dagster.contracts.identity import Lineage
from credit_ct_dagster.contracts.utility import Metric
from credit_ct_dagster.decisions.promotions import Promotions
from credit_ct_dagster.io_managers.raw_rows import raw_rows
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.assessment import quality_of
from credit_ct_dagster.modeling.rows.splitting import pooled_holdout
from credit_ct_dagster.operations.model_details import model_details
from credit_ct_dagster.resources.feature_store.tables import Tables
from credit_ct_dagster.resources.model_policy import ModelPolicy
from credit_ct_dagster.serving.contract import RowContract
from credit_ct_dagster.serving.follower import ServedModel
from credit_ct_dagster_tests.platform import BASE_DT, NO_FLOORS, Platform, failure_of, metadata_of
from credit_ct_dagster_tests.trained import Trained

pytestmark = pytest.mark.integration

_SHIFTED = "2025-03-15"
_PREPARED = dg.AssetSelection.assets("features_target", "preprocessed_splits", "robust_scalers")
_PACKAGE = dg.AssetSelection.assets("bentoml_model")
_REMEDY = dg.AssetSelection.assets("bentoml_model", "champion_model", "model_card")


@pytest.fixture
def shifted(trained_copy: Trained) -> Trained:
    """A champion, and another base date on which a third of the labels are worse than it says.

    The splits of that base date are larger: some customers of the champion's holdout are in them.
    """
    platform = trained_copy.platform
    labels = Tables.of_schema().labels
    with sa.create_engine(platform.url).begin() as connection:
        connection.execute(
            sa.update(labels)
            .where(labels.c.date <= _SHIFTED, sa.cast(labels.c.id, sa.Integer) % 3 == 0)
            .values({schema.TARGET: "Poor"})
        )
    shares = {"preprocessing": {"config": {"train_share": 0.5, "val_share": 0.4}}}
    result = platform.materialize(
        trained_copy.instance, _SHIFTED, selection=_PREPARED, config=shares, checks=False
    )
    assert result.success, failure_of(result)
    return trained_copy


def _materialized(
    trained: Trained, selection: dg.AssetSelection, config: dict[str, Any], **resources: Any
) -> dg.ExecuteInProcessResult:
    result = trained.platform.materialize(
        trained.instance,
        selection=selection,
        config={"bentoml_model": {"config": config}, "champion_model": {"config": NO_FLOORS}}
        if selection == _REMEDY
        else {"bentoml_model": {"config": config}},
        checks=False,
        **resources,
    )
    assert result.success, failure_of(result)
    return result


def _served(platform: Platform) -> ServedModel:
    """The champion, as a worker of the service holds it."""
    promotions: Promotions = platform.promotions
    champion = promotions.champion()
    assert champion is not None
    package = promotions.load(champion)
    contract = RowContract.of(package.data)
    return ServedModel(champion, package.scorer, contract, package.data, datetime.now(UTC))


def _logged(trained: Trained, result: dg.ExecuteInProcessResult) -> str:
    return "\n".join(str(each.message) for each in trained.instance.all_logs(result.run_id))


def test_a_champion_is_calibrated_anew(shifted: Trained) -> None:
    """Its package is another version, which serves, on record, with a card of its own."""
    platform, instance = shifted.platform, shifted.instance
    before = _served(platform)
    packaged = _materialized(shifted, _PACKAGE, {"calibrate_on": _SHIFTED})

    shown = metadata_of(packaged, "bentoml_model")
    package = platform.packages.load(shown["bentoml_tag"])
    assert package.record.calibrated_on == _SHIFTED
    assert package.record.seen_share == pytest.approx(0.9)
    rows = pooled_holdout([raw_rows(platform.artifacts, _SHIFTED, "holdout")], [0.9])
    for name, scorer in (("before", before.scorer), ("after", package.scorer)):
        quality = quality_of(rows[schema.TARGET], scorer.score_rows(rows).probabilities)
        assert shown[f"log_loss_{name}"] == pytest.approx(quality.log_loss, abs=5e-5)
        assert shown[f"ece_{name}"] == pytest.approx(quality.ece, abs=5e-5)
    assert shown["recalibration_rows"] == len(rows)
    assert shown["log_loss_after"] < shown["log_loss_before"]
    assert f"On {len(rows):,} holdout rows of base date {_SHIFTED}, log-loss went from" in _logged(
        shifted, packaged
    )
    # Until the decision, the one before serves; its own figures are those of its own package.
    assert _served(platform).identity == before.identity
    tags = {each.tag: each.metrics for each in platform.packages.packaged()}
    assert tags[shown["bentoml_tag"]] != tags[before.identity.bentoml_tag]

    decided = platform.materialize(
        instance,
        selection=dg.AssetSelection.assets("champion_model"),
        config={"champion_model": {"config": NO_FLOORS}},
        checks=False,
    )
    assert decided.success, failure_of(decided)
    now = _served(platform)
    version = int(before.identity.registered_version) + 1
    assert now.identity.registered_version == str(version)
    assert now.identity.bentoml_tag == shown["bentoml_tag"]
    assert now.data.calibration == package.data.calibration != before.data.calibration
    records = platform.promotions.records()
    assert [each.decision.ground for each in records] == [Ground.first, Ground.registered_again]
    assert records[-1].champion == str(version)
    assert "packaged again with other contents" in records[-1].decision.sentence

    def details() -> dict[str, Any]:
        return model_details(platform.packages, platform.artifacts, platform.tracking, now)

    # The card of the former calibration is not shown as that of this one.
    assert details()["model_card"] is None
    carded = platform.materialize(
        instance, selection=dg.AssetSelection.assets("model_card"), checks=False
    )
    assert carded.success, failure_of(carded)
    assert platform.models().read(Lineage).bentoml_tag == now.identity.bentoml_tag
    assert f"validation rows of base date {_SHIFTED}" in platform.models()["model_card.html"]
    found = details()
    card, metrics = found["model_card"], found["metrics"]
    unseen = pooled_holdout([raw_rows(platform.artifacts, BASE_DT, "holdout")], [0.9])
    whole = platform.search_summary().rows["holdout"]
    assert card["holdout_rows"] == len(unseen) < whole
    assert metrics["holdout_accuracy"] == pytest.approx(card["holdout"]["accuracy"]["value"])
    assert metrics["holdout_log_loss"] == pytest.approx(card["probabilities"]["log_loss"])


def test_a_champion_that_was_packaged_again_to_its_loss_is_refused(trained_copy: Trained) -> None:
    """The package that serves stays, nothing is registered, and the sentence says what is worse."""
    platform = trained_copy.platform
    before = _served(platform).identity
    # Whoever is not Good costs nothing: each customer is called Good.
    costs = [[0.0, 0.01, 0.01], [0.01, 0.0, 0.01], [100.0, 100.0, 0.0]]
    careless = ModelPolicy(utility=Metric.expected_cost, cost_matrix=costs)
    _materialized(trained_copy, _PACKAGE, {}, policy=careless)
    refused = platform.materialize(
        trained_copy.instance, selection=dg.AssetSelection.assets("champion_model"), checks=False
    )
    assert not refused.success
    sentence = failure_of(refused)
    assert "is worse than the one that serves" in sentence
    assert "recall of Poor 0.000" in sentence
    assert "CT-PACKAGE-7" in sentence
    assert _served(platform).identity == before
    assert len(platform.promotions.records()) == 1


def test_packaging_again_without_the_base_date_warns(shifted: Trained) -> None:
    """It restores the former calibration, and says how to have the newer one again."""
    newer = _materialized(shifted, _PACKAGE, {"calibrate_on": _SHIFTED})
    tag = metadata_of(newer, "bentoml_model")["bentoml_tag"]
    restored = _materialized(shifted, _PACKAGE, {})
    said = _logged(shifted, restored)
    assert f"Package {tag}, the one before of this model, was calibrated on base date" in said
    assert f"materialize bentoml_model with calibrate_on: {_SHIFTED}, champion_model and" in said
    assert "log_loss_before" not in metadata_of(restored, "bentoml_model")
    again = _materialized(shifted, _PACKAGE, {})
    assert "was calibrated on base date" not in _logged(shifted, again)


def test_the_card_measures_what_the_bank_declares(trained_copy: Trained) -> None:
    """A package that takes the highest score records no utility; the gate judges it by one."""
    policy = ModelPolicy(utility=Metric.expected_cost, class_rule="highest_score")
    _materialized(trained_copy, _REMEDY, {}, policy=policy)
    report = trained_copy.platform.models().read(AssessmentReport)
    assert report.holdout.metrics["expected_cost"].value > 0
    assert report.holdout.rule is not None
    assert report.holdout.rule.package.expected_cost is not None

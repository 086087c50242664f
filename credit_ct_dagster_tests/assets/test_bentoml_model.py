"""What a package of the pipeline holds, and what becomes of it when it is made again."""

from typing import Any

import dagster as dg
import numpy as np
import pytest

from credit_ct_dagster.contracts.decision import Ground
from credit_ct_dagster.contracts.files import SCALERS_FOLDER
from credit_ct_dagster.contracts.golden import GoldenRows
from credit_ct_dagster.contracts.splits import ScalersRecord
from credit_ct_dagster.contracts.utility import Metric, Utility
from credit_ct_dagster.io_managers.raw_rows import raw_rows
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.answers.calibration import calibrate
from credit_ct_dagster.modeling.answers.scorer_data import calibration_data
from credit_ct_dagster.modeling.rows.preparation import prepare, scalers_of
from credit_ct_dagster.modeling.rows.row_rules import BOUNDS
from credit_ct_dagster.resources.bentoml_packages import PackagedModel
from credit_ct_dagster.resources.model_policy import ModelPolicy
from credit_ct_dagster.serving.golden import difference_of
from credit_ct_dagster_tests.platform import BASE_DT, failure_of, metadata_of
from credit_ct_dagster_tests.trained import Trained

_AGAIN = dg.AssetSelection.assets("bentoml_model", "champion_model", "model_card")
_PACKAGE = dg.AssetSelection.assets("bentoml_model")
_OTHER = "2025-02-05"


def _packaged(trained: Trained, config: dict[str, object], **resources: Any) -> PackagedModel:
    """The model of the base date, packaged once more."""
    platform = trained.platform
    result = platform.materialize(
        trained.instance,
        selection=_PACKAGE,
        config={"bentoml_model": {"config": config}},
        checks=False,
        **resources,
    )
    assert result.success, failure_of(result)
    return platform.packages.load(metadata_of(result, "bentoml_model")["bentoml_tag"])


def test_a_package_knows_the_rules_and_the_typical_customer(trained: Trained) -> None:
    """As they were when its rows were prepared; age is protected unless it is configured."""
    packages = trained.platform.packages
    [package] = packages.packaged()
    data = packages.load(package.tag).data
    assert list(data.features) == schema.FEATURES
    assert data.protected == ["age"]
    for name, bounds in BOUNDS.items():
        assert (data.limits[name].low, data.limits[name].high) == (bounds.low, bounds.high)
    assert list(data.typical) == schema.CLASSES
    assert all(list(values) == schema.FEATURES for values in data.typical.values())
    learned = trained.platform.artifacts.open(SCALERS_FOLDER, BASE_DT).read(ScalersRecord)
    assert data.scales == learned.columns


def test_a_package_gives_the_class_that_serves_the_utility(trained: Trained) -> None:
    """The rule is data in the package, and why it was chosen is on record."""
    packages = trained.platform.packages
    package = packages.load(packages.packaged()[0].tag)
    data, record = package.data, package.record
    assert (data.class_rule, data.utility) == ("expected_utility", Utility())
    assert set(record.macro_f1_per_rule) == {"highest_score", "start", "tuned", "even"}
    assert record.macro_f1_per_rule[record.class_weights] >= record.macro_f1_per_rule["start"]
    assert record.calibrated_on == BASE_DT
    assert not record.refitted
    weights = np.diag(np.array(data.gains))
    assert (np.array(data.gains) == np.diag(weights)).all()
    rows = raw_rows(trained.platform.artifacts, BASE_DT, "holdout")
    scored = package.scorer.score_rows(rows)
    by_hand = np.array(schema.CLASSES)[(scored.probabilities * weights).argmax(axis=1)]
    assert (scored.classes == by_hand).all()
    shown = metadata_of(trained.result, "bentoml_model")
    assert shown["class_rule"] == "expected_utility for macro_f1"
    [named] = shown["class_weights"].records
    assert named.data == pytest.approx(dict(zip(schema.CLASSES, weights, strict=True)), abs=1e-4)


def test_a_bank_may_declare_another_utility_or_the_highest_score(trained_copy: Trained) -> None:
    """Once, for all packages: costs, or what the bank's first pipeline did."""
    costs = [[0.0, 1.0, 9.0], [1.0, 0.0, 1.0], [2.0, 1.0, 0.0]]
    policy = ModelPolicy(utility=Metric.expected_cost, cost_matrix=costs)
    package = _packaged(trained_copy, {}, policy=policy)
    assert (-np.array(package.data.gains) == np.array(costs)).all()
    assert package.data.utility == policy.declared
    rows = raw_rows(trained_copy.platform.artifacts, BASE_DT, "val")
    scored = package.scorer.score_rows(rows)
    cheapest = (scored.probabilities @ np.array(costs)).argmin(axis=1)
    assert (scored.classes == np.array(schema.CLASSES)[cheapest]).all()
    assert difference_of(package.scorer, package.golden or GoldenRows(rows=[])) is None
    seed = _packaged(trained_copy, {}, policy=ModelPolicy(class_rule="highest_score"))
    assert (seed.data.class_rule, seed.data.gains, seed.data.utility) == ("highest_score", [], None)
    scored = seed.scorer.score_rows(rows)
    assert (scored.classes == np.array(schema.CLASSES)[scored.scores.argmax(axis=1)]).all()


def test_a_model_is_calibrated_on_another_base_date(trained_copy: Trained) -> None:
    """On rows of customers that it was not fitted to, scaled as its own rows were."""
    platform = trained_copy.platform
    shares = {"preprocessing": {"config": {"train_share": 0.5, "val_share": 0.4}}}
    prepared = dg.AssetSelection.assets("features_target", "preprocessed_splits", "robust_scalers")
    result = platform.materialize(
        trained_copy.instance, _OTHER, selection=prepared, config=shares, checks=False
    )
    assert result.success, failure_of(result)
    package = _packaged(trained_copy, {"calibrate_on": _OTHER})
    rows = raw_rows(platform.artifacts, _OTHER, "val")
    known = raw_rows(platform.artifacts, BASE_DT, "train")[schema.CUSTOMER]
    assert rows[schema.CUSTOMER].isin(known).any()
    rows = rows[~rows[schema.CUSTOMER].isin(known)]
    scalers = scalers_of(platform.artifacts.open(SCALERS_FOLDER, BASE_DT).read(ScalersRecord))
    model = platform.models()["best.cbm"]
    expected = calibrate(model, prepare(rows.reset_index(drop=True), scalers))
    assert package.data.calibration == calibration_data(expected.model.calibrated)
    assert package.record.log_loss_per_calibration == pytest.approx(expected.log_losses)
    assert package.record.calibrated_on == _OTHER
    # Its holdout may hold nobody whom the calibration knows.
    assert package.record.seen_share == pytest.approx(0.9)
    missing = platform.materialize(
        trained_copy.instance,
        selection=_PACKAGE,
        config={"bentoml_model": {"config": {"calibrate_on": "2025-01-20"}}},
        checks=False,
    )
    assert "2025-01-20" in failure_of(missing)


def test_a_refitted_model_keeps_the_calibration_that_it_was_chosen_with(
    trained_copy: Trained,
) -> None:
    """It has seen the validation rows; what it says of them would be too sure."""
    packages = trained_copy.platform.packages
    before = packages.load(packages.packaged()[0].tag)
    package = _packaged(trained_copy, {"refit": True})
    assert package.record.refitted
    # It was fitted to the validation rows, so what it does there is no figure of it.
    shown = packages.packaged()[-1].metrics
    assert not [name for name in shown if name.startswith("val_")]
    assert shown["holdout_accuracy"] != packages.packaged()[0].metrics["holdout_accuracy"]
    assert package.data == before.data
    assert package.scorer.model.tree_count_ == before.scorer.model.tree_count_
    rows = raw_rows(trained_copy.platform.artifacts, BASE_DT, "holdout")
    refitted, first = package.scorer.score_rows(rows), before.scorer.score_rows(rows)
    assert (refitted.scores != first.scores).any()
    assert package.golden is not None
    assert difference_of(package.scorer, package.golden) is None
    assert difference_of(before.scorer, package.golden) is not None


def test_a_champion_that_is_packaged_otherwise_is_another_version(trained_copy: Trained) -> None:
    """The alias moves to it, on record, and its card names it; the same again changes nothing."""
    platform, instance = trained_copy.platform, trained_copy.instance
    first = platform.promotions.champion()
    assert first is not None
    same = platform.materialize(instance, selection=_AGAIN)
    assert same.success
    now = platform.promotions.champion()
    assert now is not None
    assert now.registered_version == first.registered_version
    assert now.bentoml_tag != first.bentoml_tag
    for _ in range(2):
        policy = ModelPolicy(protected_features=["age", "occupation"])
        other = platform.materialize(instance, selection=_AGAIN, policy=policy)
        assert other.success
    champion = platform.promotions.champion()
    assert champion is not None
    assert champion.registered_version == str(int(first.registered_version) + 1)
    assert platform.promotions.load(champion).scorer.protected == ["age", "occupation"]
    assert platform.promotions.previous() is None
    assert platform.promotions.agreement().startswith(f"version {champion.registered_version}")
    grounds = [each.decision.ground for each in platform.promotions.records()]
    assert grounds == [Ground.first, Ground.registered_again]
    assert platform.decision_record().decision.ground == Ground.first
    assert champion.bentoml_tag in platform.models()["model_card.html"]

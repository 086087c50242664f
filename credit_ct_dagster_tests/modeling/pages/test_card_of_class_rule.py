"""The model card on how a class is chosen, and by which features."""

import pytest

from credit_ct_dagster.contracts.utility import Metric, Utility
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.scorer.class_rule import EXPECTED_UTILITY, HIGHEST_SCORE
from credit_ct_dagster_tests.modeling.pages import cards
from credit_ct_dagster_tests.modeling.pages.sections import section


def test_the_class_rule_and_what_it_changed_are_shown() -> None:
    """Weights relative to Standard, both ways beside each other, and the rows that change."""
    read = section("class-rule")
    assert "1.50 for Poor, 1.00 for Standard, 2.00 for Good (from the shares of" in read
    assert "macro-F1 0.700 0.730 +0.030" in read
    assert "accuracy 0.740 0.750 +0.010" in read
    assert "recall of Good 0.430 0.650 +0.220" in read
    assert "Of 661 rows, 86 (13.0 %) get another class" in read
    assert "highest score 0.6400, start 0.6700" in read


@pytest.mark.parametrize(
    ("utility", "rule", "gains", "sentence"),
    [
        (None, HIGHEST_SCORE, [], "the highest raw score, as CatBoost decides by itself"),
        (
            Utility(metric=Metric.accuracy),
            EXPECTED_UTILITY,
            [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
            "The bank wants accuracy: the class is the most probable one",
        ),
        (
            Utility(metric=Metric.expected_cost),
            EXPECTED_UTILITY,
            [[0, -2, -5], [-1, 0, -1], [-2, -1, 0]],
            "the class is the one whose expected cost, by the calibrated probabilities,",
        ),
    ],
)
def test_each_rule_has_a_sentence(
    utility: Utility | None, rule: str, gains: list[list[float]], sentence: str
) -> None:
    """Costs are shown as they were declared."""
    scorer = cards.scorer(utility=utility, class_rule=rule, gains=gains)
    read = section("class-rule", scorer=scorer, package=cards.package(class_weights=""))
    assert sentence in read
    assert ("Poor 0 2 5 Standard 1 0 1 Good 2 1 0" in read) == (gains[:1] == [[0, -2, -5]])


def test_excluded_and_protected_features_are_named() -> None:
    """Those of the model, whatever the bank declares today."""
    features = [name for name in schema.FEATURES if name not in ("age", "occupation")]
    read = section(
        "class-rule", scorer=cards.scorer(features=features, protected=["age", "occupation"])
    )
    assert "Excluded by the bank, and not trained on: age, occupation ." in read
    assert "Protected: age, occupation . A reason that rests on one of them raises" in read
    everything = section("class-rule", scorer=cards.scorer(protected=[]))
    assert f"trained on all {len(schema.FEATURES)} features" in everything
    assert "None is marked as protected." in everything

"""The model card: every figure in words that stay true when something is not known."""

import html
import re
from pathlib import Path
from typing import Any

import pytest

from credit_ct_dagster.contracts.assessment import AssessmentReport, ReasonStability
from credit_ct_dagster.contracts.decision import Estimate, FloorVerdict, Ground
from credit_ct_dagster.contracts.utility import Metric, Utility
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.scorer.class_rule import EXPECTED_UTILITY, HIGHEST_SCORE
from credit_ct_dagster_tests.modeling.pages import cards

_WRITTEN_BY_0_1 = Path(__file__).parents[2] / "contracts" / "written_by_0_1"


def _section(name: str, **changes: Any) -> str:
    """A section of the page as a person reads it."""
    page = cards.card(**changes).html()
    [found] = re.findall(rf'<section id="{name}".*?</section>', page, flags=re.DOTALL)
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", found).split()))


def test_the_page_needs_nothing_else_and_hides_nothing() -> None:
    """It loads no file, has every section once, and its links to sections lead somewhere."""
    page = cards.card(report=cards.report(holdout=_miscalibrated())).html()
    assert "src=" not in page
    assert "@import" not in page
    ids = re.findall(r'<section id="([a-z-]+)"', page)
    assert len(ids) == len(set(ids)) == 15
    assert set(re.findall(r'href="#([a-z-]+)"', page)) <= set(ids)


def test_values_are_escaped() -> None:
    """What comes from the bank's rows cannot become a part of the page."""
    fairness = cards.report().fairness
    assert fairness is not None
    hostile = fairness.model_copy(update={"groups": [cards.group("<script>", 0.5, 0.001)]})
    page = cards.card(report=cards.report(fairness=hostile)).html()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_validation_figures_are_called_optimistic() -> None:
    """The winner of 215 was chosen there; the holdout is beside it, with the gap in points."""
    read = _section("metrics")
    assert "the model is the best of 215 there" in read
    assert "about 2 points of accuracy" in read
    assert "the accuracy on validation is 3.0 points higher than on the holdout" in read


def test_a_single_candidate_is_not_the_best_of_several() -> None:
    """What was chosen on validation is named, without a number of models."""
    read = _section("metrics", search=cards.search(completed=1, pruned=0))
    assert "best of" not in read
    assert "its trees were counted, its probabilities calibrated" in read


def test_validation_figures_of_a_refitted_model_say_nothing() -> None:
    """It was fitted to these rows."""
    read = _section("metrics", package=cards.package(refitted=True))
    assert "the figures on validation rows say nothing about new customers" in read


def test_the_class_rule_and_what_it_changed_are_shown() -> None:
    """Weights relative to Standard, both ways beside each other, and the rows that change."""
    read = _section("class-rule")
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
    read = _section("class-rule", scorer=scorer, package=cards.package(class_weights=""))
    assert sentence in read
    assert ("Poor 0 2 5 Standard 1 0 1 Good 2 1 0" in read) == (gains[:1] == [[0, -2, -5]])


def test_excluded_and_protected_features_are_named() -> None:
    """Those of the model, whatever the bank declares today."""
    features = [name for name in schema.FEATURES if name not in ("age", "occupation")]
    read = _section(
        "class-rule", scorer=cards.scorer(features=features, protected=["age", "occupation"])
    )
    assert "Excluded by the bank, and not trained on: age, occupation ." in read
    assert "Protected: age, occupation . A reason that rests on one of them raises" in read
    everything = _section("class-rule", scorer=cards.scorer(protected=[]))
    assert f"trained on all {len(schema.FEATURES)} features" in everything
    assert "None is marked as protected." in everything


def test_the_evidence_names_rows_holdouts_and_probabilities() -> None:
    """Both models beside each other, by the metric of the decision and by their log-loss."""
    read = _section("evidence")
    assert "macro-F1 0.7500 0.7000 +0.0500 +0.0100 to +0.0900" in read
    assert "661 rows of 650 customers" in read
    assert "from the holdouts of 2025-01-31, 2024-12-31" in read
    assert "The two predict different classes on 61 of them." in read
    assert "expected calibration error 0.0300 0.1300 +0.1000" in read
    assert "Probabilities: no difference beyond doubt." in read
    assert "99 % confidence" in read


def test_probabilities_that_are_worse_are_what_to_look_at() -> None:
    """Whoever's they are; without a doubt, the finding comes first."""
    worse = cards.decided(probabilities=cards.probabilities(0.1, 0.2), promoted=False)
    assert "the champion's are worse" in _section("evidence", record=worse)
    assert "calibrate the champion anew" in _section("findings", record=worse)
    # Its place was taken by this model: nothing is left to do, as the check says.
    replaced = cards.decided(probabilities=cards.probabilities(0.1, 0.2), promoted=True)
    assert "champion anew" not in _section("findings", record=replaced)
    better = cards.decided(probabilities=cards.probabilities(-0.2, -0.1))
    assert "calibrate it anew" in _section("findings", record=better)


def test_without_a_champion_nothing_is_compared() -> None:
    """Neither classes, nor probabilities, nor reasons, nor drift."""
    alone = cards.decided(comparison=None, probabilities=None, ground=Ground.first).model_copy(
        update={"before": None}
    )
    changes = {"record": alone, "report": cards.report(reasons=None)}
    assert "There was no champion to compare with." in _section("evidence", **changes)
    assert "Not compared: there was no champion before." in _section("reasons", **changes)
    assert "there was no champion to compare with" in _section("drift", **changes)


def test_a_decision_of_a_person_is_no_evidence() -> None:
    """It measured nothing."""
    person = cards.decided(
        comparison=None, probabilities=None, floors=[], ground=Ground.person, holdouts=()
    ).model_copy(update={"by": "Kim"})
    assert "A person decided" in _section("evidence", record=person)
    assert "Not measured: a person decided." in _section("floors", record=person)


def test_a_floor_has_a_verdict_and_the_champion_beside_it() -> None:
    """Below beyond doubt is told apart from too few rows; what both miss is named."""
    below, uncertain = FloorVerdict.below, FloorVerdict.uncertain
    record = cards.decided(
        floors=[
            cards.floor(
                "recall of Good",
                below,
                champion=0.3,
                champion_verdict=below,
                lower_than_champion=False,
            ),
            cards.floor("accuracy of Doctor", uncertain),
        ]
    )
    read = _section("floors", record=record)
    assert "recall of Good 0.40 0.300 0.300 80 below beyond doubt; the champion is below" in read
    assert "accuracy of Doctor 0.40 0.300 – 80 too few rows to say" in read
    found = _section("findings", record=record)
    assert found.index("Below the minimum standards: recall of Good.") < found.index(
        "Too few rows to say whether the minimum standards are met: accuracy of Doctor."
    )


def test_the_calibration_error_is_beside_that_of_a_perfect_model() -> None:
    """It may be chance, or it is more."""
    read = _section("calibration")
    assert "expected calibration error of 0.029 on average on 661 rows" in read
    assert "So that of this model, 0.030, may be chance." in read
    more = cards.report(holdout=_miscalibrated())
    assert "0.090, is higher than chance explains" in _section("calibration", report=more)
    assert "The expected calibration error is 0.090" in _section("findings", report=more)


def test_a_calibration_on_other_rows_is_named() -> None:
    """A package may be calibrated anew on a later base date."""
    anew = cards.package(calibrated_on="2025-03-31")
    assert "validation rows of base date 2025-03-31" in _section("calibration", package=anew)
    assert "of base date" not in _section("calibration")


def test_monotonicity_is_shown_per_feature() -> None:
    """With its direction, its rows, and the share between common values."""
    read = _section("monotonicity")
    assert "num_of_delayed_payment rises 19 12.3 % 8.1 %" in read
    assert "Share of 661 holdout rows" in read
    nothing = _section("monotonicity", report=cards.report(monotonicity=[]))
    assert "trained on no feature with a declared direction" in nothing


def test_the_preset_and_monotone_are_among_the_parameters() -> None:
    """With what all candidates shared; and why a monotone model is not calibrated."""
    read = _section("parameters")
    assert "preset bank monotone no text native" in read
    plain = cards.search()
    fixed = {"iterations": 900, "learning_rate": 0.05, "monotone": True, "text": "counts"}
    best = plain.best.model_copy(update={"fixed": fixed})
    monotone = plain.model_copy(update={"best": best, "preset": "quality"})
    read = _section("parameters", search=monotone)
    shared = "text counts learning_rate 0.05 iterations, at most 900"
    assert f"trees 217 preset quality monotone yes {shared}" in read
    read = _section("calibration", search=monotone, package=cards.package(calibration="none"))
    assert "none, because the model follows declared directions (monotone: true)" in read
    assert "selected by log-loss" not in read
    assert "selected by log-loss" in _section("calibration")


def test_too_little_evidence_says_no_more_than_that() -> None:
    """No rows, few rows, or no champion: the decision below says which."""
    few = cards.decided(ground=Ground.insufficient_evidence, promoted=False)
    page = cards.card(record=few).html()
    assert "there is not enough evidence to be certain that it should" in page


def test_the_stability_of_reasons_is_shown_or_why_not() -> None:
    """A figure with its rows; no row; or the reason why it is unknown."""
    read = _section("reasons")
    assert "Features that both models give 60.0 % 57.0 % – 63.0 %" in read
    assert "on 379 holdout rows for which this model and that of 2025-01-30" in read
    none = ReasonStability(base_dt="2025-01-30", rows=0)
    assert "no reasons for the same class" in _section("reasons", report=cards.report(reasons=none))
    why = cards.report(reasons=None, reasons_not_compared="The package m:before is missing.")
    assert "Not compared: The package m:before is missing." in _section("reasons", report=why)


def test_the_lineage_has_a_hash_of_the_predictions() -> None:
    """With what it covers."""
    read = _section("lineage")
    assert "e" * 64 in read
    assert "Classes and probabilities of the 661 holdout rows" in read


def test_nothing_to_look_at_is_said() -> None:
    """And what that means."""
    assert "Nothing: no floor was missed" in _section("findings")


def test_what_to_look_at_names_groups_and_rows_set_aside() -> None:
    """At most five names of a list."""
    fairness = cards.report().fairness
    assert fairness is not None
    groups = [cards.group(f"job {number}", 0.5, 0.001) for number in range(7)]
    read = _section(
        "findings",
        report=cards.report(fairness=fairness.model_copy(update={"groups": groups})),
        splits=cards.splits(rows_set_aside=12),
    )
    assert "occupation job 0, occupation job 1" in read
    assert "occupation job 4 and 2 more." in read
    assert "12 rows are set aside." in read


def test_an_assessment_of_an_earlier_release_can_be_shown() -> None:
    """It had neither a perfect model, nor the effect of the rule, nor fairness."""
    content = (_WRITTEN_BY_0_1 / "assessment.json").read_bytes()
    old = AssessmentReport.from_json(content, "assessment.json")
    page = cards.card(report=old).html()
    assert "perfect model" not in page
    assert "Not measured" in _section("groups", report=old)


def _miscalibrated() -> Any:
    quality = cards.assessment().calibrated.model_copy(update={"ece": 0.09})
    perfect = Estimate(value=0.029, low=0.014, high=0.046)
    return cards.assessment(calibrated=quality, perfect_ece=perfect)

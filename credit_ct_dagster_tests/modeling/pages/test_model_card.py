"""The model card: every figure in words that stay true when something is not known."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from credit_ct_dagster.contracts.assessment import (
    AssessmentReport,
    ProbabilityQuality,
    ReasonStability,
)
from credit_ct_dagster.contracts.decision import Estimate, FloorVerdict, Ground
from credit_ct_dagster_tests.modeling.pages import cards
from credit_ct_dagster_tests.modeling.pages.sections import section

_WRITTEN_BY_0_1 = Path(__file__).parents[2] / "contracts" / "written_by_0_1"


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
    read = section("metrics")
    assert "the model is the best of 215 there" in read
    assert "about 2 points of accuracy" in read
    assert "the accuracy on validation is 3.0 points higher than on the holdout" in read


def test_a_single_candidate_is_not_the_best_of_several() -> None:
    """What was chosen on validation is named, without a number of models."""
    read = section("metrics", search=cards.search(completed=1, pruned=0))
    assert "best of" not in read
    assert "its trees were counted, its probabilities calibrated" in read


def test_validation_figures_of_a_refitted_model_say_nothing() -> None:
    """It was fitted to these rows."""
    read = section("metrics", package=cards.package(refitted=True))
    assert "the figures on validation rows say nothing about new customers" in read


def test_the_evidence_names_rows_holdouts_and_probabilities() -> None:
    """Both models beside each other, by the metric of the decision and by their log-loss."""
    read = section("evidence")
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
    assert "the champion's are worse" in section("evidence", record=worse)
    assert "calibrate the champion anew" in section("findings", record=worse)
    # Its place was taken by this model: nothing is left to do, as the check says.
    replaced = cards.decided(probabilities=cards.probabilities(0.1, 0.2), promoted=True)
    assert "champion anew" not in section("findings", record=replaced)
    better = cards.decided(probabilities=cards.probabilities(-0.2, -0.1))
    assert "calibrate it anew" in section("findings", record=better)


def test_without_a_champion_nothing_is_compared() -> None:
    """Neither classes, nor probabilities, nor reasons, nor drift."""
    alone = cards.decided(comparison=None, probabilities=None, ground=Ground.first).model_copy(
        update={"before": None}
    )
    changes = {"record": alone, "report": cards.report(reasons=None)}
    assert "There was no champion to compare with." in section("evidence", **changes)
    assert "Not compared: there was no champion before." in section("reasons", **changes)
    assert "there was no champion to compare with" in section("drift", **changes)


def test_a_decision_of_a_person_is_no_evidence() -> None:
    """It measured nothing."""
    person = cards.decided(
        comparison=None, probabilities=None, floors=[], ground=Ground.person, holdouts=()
    ).model_copy(update={"by": "Kim"})
    assert "A person decided" in section("evidence", record=person)
    assert "Not measured: a person decided." in section("floors", record=person)


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
    read = section("floors", record=record)
    assert "recall of Good 0.40 0.300 0.300 80 below beyond doubt; the champion is below" in read
    assert "accuracy of Doctor 0.40 0.300 – 80 too few rows to say" in read
    found = section("findings", record=record)
    assert found.index("Below the minimum standards: recall of Good.") < found.index(
        "Too few rows to say whether the minimum standards are met: accuracy of Doctor."
    )


def test_the_calibration_error_is_beside_that_of_a_perfect_model() -> None:
    """It may be chance, or it is more."""
    read = section("calibration")
    assert "expected calibration error of 0.029 on average on 661 rows" in read
    assert "So that of this model, 0.030, may be chance." in read
    more = cards.report(holdout=_miscalibrated())
    assert "0.090, is higher than chance explains" in section("calibration", report=more)
    assert "The expected calibration error is 0.090" in section("findings", report=more)
    holdout = cards.assessment(calibrated=ProbabilityQuality(log_loss=0.51, brier=0.31, ece=0.0462))
    read = section("findings", report=cards.report(holdout=holdout))
    assert "error is 0.0462; a perfect model has more than 0.0460" in read


def test_a_calibration_on_other_rows_is_named() -> None:
    """A package may be calibrated anew on a later base date."""
    anew = cards.package(calibrated_on="2025-03-31")
    assert "validation rows of base date 2025-03-31" in section("calibration", package=anew)
    assert "of base date" not in section("calibration")


def test_monotonicity_is_shown_per_feature() -> None:
    """With its direction, its rows, and the share between common values."""
    read = section("monotonicity")
    assert "num_of_delayed_payment rises 19 12.3 % 8.1 %" in read
    assert "Share of 661 holdout rows" in read
    nothing = section("monotonicity", report=cards.report(monotonicity=[]))
    assert "trained on no feature with a declared direction" in nothing


def test_the_preset_and_monotone_are_among_the_parameters() -> None:
    """With what all candidates shared; and why a monotone model is not calibrated."""
    read = section("parameters")
    assert "preset bank monotone no text native" in read
    plain = cards.search()
    fixed = {"iterations": 900, "learning_rate": 0.05, "monotone": True, "text": "counts"}
    best = plain.best.model_copy(update={"fixed": fixed})
    monotone = plain.model_copy(update={"best": best, "preset": "quality"})
    read = section("parameters", search=monotone)
    shared = "text counts learning_rate 0.05 iterations, at most 900"
    assert f"trees 217 preset quality monotone yes {shared}" in read
    read = section("calibration", search=monotone, package=cards.package(calibration="none"))
    assert "not recalibrated, because the model follows declared directions" in read
    assert "had the lowest log-loss" not in read
    assert "had the lowest log-loss" in section("calibration")


def test_too_little_evidence_says_no_more_than_that() -> None:
    """No rows, few rows, or no champion: the decision below says which."""
    few = cards.decided(ground=Ground.insufficient_evidence, promoted=False)
    page = cards.card(record=few).html()
    assert "there is not enough evidence to be certain that it should" in page


def test_the_stability_of_reasons_is_shown_or_why_not() -> None:
    """A figure with its rows; no row; or the reason why it is unknown."""
    read = section("reasons")
    assert "Features that both models give 60.0 % 57.0 % – 63.0 %" in read
    assert "on 379 holdout rows for which this model and that of 2025-01-30" in read
    none = ReasonStability(base_dt="2025-01-30", rows=0)
    assert "no reasons for the same class" in section("reasons", report=cards.report(reasons=none))
    why = cards.report(reasons=None, reasons_not_compared="The package m:before is missing.")
    assert "Not compared: The package m:before is missing." in section("reasons", report=why)


def test_the_lineage_has_a_hash_of_the_predictions() -> None:
    """With what it covers."""
    read = section("lineage")
    assert "e" * 64 in read
    assert "Classes and probabilities of the 661 holdout rows" in read


def test_nothing_to_look_at_is_said() -> None:
    """And what that means."""
    assert "Nothing: no floor was missed" in section("findings")


def test_what_to_look_at_names_groups_and_rows_set_aside() -> None:
    """At most five names of a list."""
    fairness = cards.report().fairness
    assert fairness is not None
    groups = [cards.group(f"job {number}", 0.5, 0.001) for number in range(7)]
    read = section(
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
    assert "Not measured" in section("groups", report=old)


def _miscalibrated() -> Any:
    quality = cards.assessment().calibrated.model_copy(update={"ece": 0.09})
    perfect = Estimate(value=0.029, low=0.014, high=0.046)
    return cards.assessment(calibrated=quality, perfect_ece=perfect)


def test_a_link_that_needs_a_server_says_how_to_start_it() -> None:
    """That of the embedded default; in a stack it is no news."""
    assert "while MLflow is served" not in section("lineage")
    links = replace(cards.card().links, mlflow_served_by="make mlflow")
    assert "while MLflow is served: make mlflow" in section("lineage", links=links)

"""What a person who opens a model card should look at first."""

from credit_ct_dagster.contracts.decision import FloorVerdict
from credit_ct_dagster_tests.modeling.pages import cards


def test_a_class_that_often_gets_better_as_risk_rises_is_named() -> None:
    """From a tenth of the rows on, between common values; it is no failure, so it comes last."""
    [one] = cards.report().monotonicity
    often = cards.report(monotonicity=[one.model_copy(update={"between": 0.21})])
    record = cards.decided(floors=[cards.floor("recall of Good", FloorVerdict.below)])
    failure, information = cards.card(report=often, record=record).findings
    assert failure.sentence.startswith("Below the minimum")
    assert "num_of_delayed_payment (21% of the rows)" in information.sentence
    assert (information.section, information.is_beyond_doubt) == ("monotonicity", False)


def test_reasons_that_have_changed_are_named() -> None:
    """When fewer than half of them are shared, beyond doubt."""
    reasons = cards.report().reasons
    assert reasons is not None
    for share, named in ((0.3, True), (0.49, False), (0.6, False)):
        changed = reasons.model_copy(update={"shared": cards.estimate(share)})
        found = cards.card(report=cards.report(reasons=changed)).findings
        assert ["30% of them" in each.sentence for each in found] == [True] * named

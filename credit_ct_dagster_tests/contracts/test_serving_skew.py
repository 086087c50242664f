"""What a record on skew says to a person."""

from credit_ct_dagster.contracts.decision import Estimate
from credit_ct_dagster.contracts.serving_skew import (
    Agreement,
    FeatureSkew,
    Pattern,
    PatternFound,
    ServingSkew,
)

_SKEW = FeatureSkew(
    feature="credit_history_age",
    rows=1_200,
    disagreeing=396,
    share=Estimate(value=0.33, low=0.295, high=0.366),
    customers=390,
    p_value=1e-9,
    verdict=Agreement.disagrees,
    patterns=[
        PatternFound(kind=Pattern.unit, rows=380, share=380 / 396, detail="/ 12", factor=1 / 12),
        PatternFound(kind=Pattern.other, rows=16, share=16 / 396),
    ],
)
_FEW = _SKEW.model_copy(update={"feature": "age", "verdict": Agreement.uncertain})
_FINE = FeatureSkew(
    feature="occupation",
    rows=1_200,
    disagreeing=2,
    share=Estimate(value=2 / 1_200, low=0.0, high=0.005),
    customers=2,
    p_value=1.0,
    verdict=Agreement.agrees,
)


def _day(*features: FeatureSkew, **figures: int) -> ServingSkew:
    given = {"requests": 1_250, "compared": 1_200, "customers": 1_100} | figures
    return ServingSkew(
        base_dt="2025-03-10", limit=0.01, confidence=0.99, features=features, **given
    )


def test_the_sentence_names_share_and_pattern() -> None:
    """And, beside a feature that disagrees, those of which too few rows say anything."""
    day = _day(_SKEW, _FEW, _FINE)
    assert day.sentence == (
        "features of 1,200 requests of 1,100 customers disagree with the feature store in more than"
        " 1.0% of the values. credit_history_age: 33.0% of 1,200 values disagree (29.5% to 36.6%):"
        " another unit (/ 12), 96% of them; other, 4% of them. Too few rows to say whether these"
        " disagree: age."
    )
    assert [each.feature for each in day.skewed] == ["credit_history_age"]
    assert [each.feature for each in day.uncertain] == ["age"]
    assert _FINE.sentence() == "occupation: 0.2% of 1,200 values disagree (0.0% to 0.5%)"
    assert _day(_FINE, _FINE).sentence == (
        "2 features of 1,200 requests of 1,100 customers were compared with the feature store: at"
        " most 0.17% of the values of one disagree."
    )


def test_a_day_without_a_comparison_says_why() -> None:
    """No request, none with a customer, or none of a customer of the store."""
    nothing = {"compared": 0, "customers": 0}
    assert _day(requests=0, **nothing).sentence == "no request was answered on this day."
    assert "none of 9 requests names a customer" in (
        _day(requests=9, without_customer=9, **nothing).sentence
    )
    assert "none of 9 requests is of a customer who has a row" in (
        _day(requests=9, without_customer=4, not_in_store=5, **nothing).sentence
    )


def test_requests_whose_rows_came_later_are_counted() -> None:
    """Beside what was compared, and where they are all there is."""
    assert _day(_FINE, not_known_then=1_050).sentence.endswith(
        " disagree. 1,050 more were not compared: their rows came, or were changed, after the"
        " answer."
    )
    assert _day(requests=9, not_known_then=3, compared=0).sentence == (
        "none of 9 requests could be compared with the feature store: of 3, the customer's row"
        " came, or was changed, after the answer; the others name no customer, or one without a"
        " row in the month before."
    )


def test_a_record_is_read_back() -> None:
    """As it was written, with what is computed from it."""
    day = _day(_SKEW, _FINE)
    again = ServingSkew.from_json(day.to_json(), "here")
    assert again.to_json() == day.to_json()
    assert again.sentence == day.sentence

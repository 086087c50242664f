"""Sentences on skew, drift, estimates and labels, from the records of the day."""

from typing import Any

from credit_ct_dagster.contracts.decision import Estimate, Floor, FloorVerdict
from credit_ct_dagster.contracts.drift import ColumnDrift, Verdict
from credit_ct_dagster.contracts.health import HealthSentence, Severity
from credit_ct_dagster.contracts.served_performance import (
    EstimatedMetrics,
    EstimatedPerformance,
    Metrics,
    ServedPerformance,
    TagEstimate,
    TagPerformance,
)
from credit_ct_dagster.contracts.serving_skew import (
    Agreement,
    FeatureSkew,
    Pattern,
    PatternFound,
    ServedDrift,
    ServingSkew,
)
from credit_ct_dagster.contracts.triggers import Watch
from credit_ct_dagster.modeling.watching.quality_health import (
    estimated_sentences,
    performance_sentences,
    skew_sentences,
)
from credit_ct_dagster_tests.modeling.watching.healths import DAY, NOW, before

_ESTIMATE = Estimate(value=0.71, low=0.67, high=0.75)
_METRICS = Metrics(
    accuracy=_ESTIMATE,
    macro_f1=_ESTIMATE,
    recall={},
    log_loss=_ESTIMATE,
    ece=_ESTIMATE,
    ece_by_chance=0.01,
)


def _skew(**changes: Any) -> ServingSkew:
    return ServingSkew(base_dt=DAY, limit=0.01, confidence=0.99, **changes)


def _feature(verdict: Agreement) -> FeatureSkew:
    return FeatureSkew(
        feature="credit_history_age",
        rows=100,
        disagreeing=98,
        share=Estimate(value=0.98, low=0.93, high=1.0),
        customers=90,
        p_value=1e-9,
        verdict=verdict,
        patterns=[PatternFound(kind=Pattern.unit, rows=98, share=1.0, detail="/ 12")],
    )


def _said(skew: ServingSkew | None) -> list[HealthSentence]:
    return list(skew_sentences(DAY, skew, Watch()))


def test_features_that_agree_are_told_and_skew_is_a_warning_at_least() -> None:
    """With the feature and the kind of disagreement; the rules may find more urgent words."""
    [fine] = _said(
        _skew(requests=100, compared=100, customers=90, features=[_feature(Agreement.agrees)])
    )
    assert fine.severity == Severity.ok
    [wrong] = _said(
        _skew(requests=100, compared=100, customers=90, features=[_feature(Agreement.disagrees)])
    )
    assert (wrong.severity, wrong.code) == (
        Severity.warning,
        "CT-CHECK-SERVED-FEATURES-AGREE-WITH-THE-STORE",
    )
    assert "credit_history_age: 98.0% of 100 values disagree" in wrong.text
    assert "another unit (/ 12)" in wrong.text
    [none] = _said(_skew(requests=0))
    assert none.severity == Severity.notice
    assert _said(None) == []


def test_drift_of_a_single_day_is_worth_knowing_only() -> None:
    """Other customers may ask than on the next day; what did not drift is told, too."""

    def drift(psi: float) -> dict[str, ServedDrift]:
        column = ColumnDrift(column="age", psi=psi, p_value=1e-9, verdict=Verdict.of(psi, 1e-9))
        return {"request": ServedDrift(rows=100, columns=[column], significance=0.001)}

    _, drifted = _said(
        _skew(requests=100, compared=100, customers=90, drift=drift(0.4), trained_on="2025-02-19")
    )
    assert drifted.severity == Severity.notice
    assert "base date 2025-02-19 (request: age)" in drifted.text
    _, none = _said(
        _skew(requests=100, compared=100, customers=90, drift=drift(0.05), trained_on="2025-02-19")
    )
    assert none.severity == Severity.ok
    _, unknown = _said(
        _skew(requests=100, compared=100, customers=90, drift_not_computed="its rows are gone.")
    )
    assert unknown.text == "Drift from the training rows was not computed: its rows are gone."


def _tag(**changes: Any) -> TagPerformance:
    fields: dict[str, Any] = {
        "model_tag": "m:2",
        "answers": 230,
        "customers": 200,
        "labelled": 210,
        "labelled_customers": 190,
        "coverage": Estimate(value=0.91, low=0.87, high=0.94),
        "sources": {"request": 230},
        "predicted": {},
        "confusion": [],
        "metrics": _METRICS,
    }
    return TagPerformance(**fields | changes)


def _performance(day: str, *models: TagPerformance) -> dict[str, ServedPerformance]:
    record = ServedPerformance(
        base_dt=day, known_at=NOW, label_days=31, labels_until=day, answers=230, labelled=2,
        models=models,
    )  # fmt: skip
    return {day: record}


def test_the_newest_day_with_enough_labels_stands_for_the_real_performance() -> None:
    """The champion's, where it has one; the day itself has no labels yet."""
    old, older = before(DAY, 30), before(DAY, 31)
    performance = {
        **_performance(older, _tag(model_tag="m:2")),
        **_performance(old, _tag(model_tag="m:1")),
        **_performance(DAY, _tag(metrics=None, labelled=0)),
    }
    [found] = performance_sentences(DAY, "m:2", performance, Watch())
    assert found.severity == Severity.ok
    assert found.text == (
        f"The newest day with enough labels is {older}: 210 of 230 answers of m:2 have one;"
        " accuracy 0.710 (0.670 to 0.750), macro-F1 0.710 (0.670 to 0.750)."
    )
    [other] = performance_sentences(DAY, "m:3", performance, Watch())
    assert f"{old}: 210 of 230 answers of m:1" in other.text


def test_a_floor_missed_on_one_day_is_worth_knowing_only() -> None:
    """An alert needs several days."""
    floor = Floor(what="recall of Poor", value=0.3, least=0.5, rows=90, verdict=FloorVerdict.below)
    performance = _performance(before(DAY, 30), _tag(floors=[floor]))
    [found] = performance_sentences(DAY, "m:2", performance, Watch())
    assert found.severity == Severity.notice
    assert "below a floor beyond doubt on this day (recall of Poor)" in found.text


def test_without_labels_nothing_is_known_of_the_real_performance() -> None:
    """How many labels there are is."""
    performance = _performance(DAY, _tag(metrics=None))
    [found] = performance_sentences(DAY, "m:2", performance, Watch())
    assert (found.severity, found.text) == (
        Severity.notice,
        f"Of 230 answers on {DAY}, 2 have a label yet; no day has enough of them to say how right"
        " the answers were.",
    )
    learned = performance[DAY].model_copy(update={"labelled": 0, "learned": 80})
    [found] = performance_sentences(DAY, "m:2", {DAY: learned}, Watch())
    assert found.text.startswith(
        f"Of 230 answers on {DAY}, none have a label yet (80 have one that their model may have"
        " learned from);"
    )


def test_an_estimate_is_told_in_its_own_words() -> None:
    """Of the package that the day is about; with too few customers there is none."""
    metrics = EstimatedMetrics(answers=9, customers=9, accuracy=_ESTIMATE, macro_f1=_ESTIMATE)
    record = EstimatedPerformance(
        base_dt=DAY,
        known_at=NOW,
        answers=230,
        without_label=230,
        models=[TagEstimate(model_tag="m:2", answers=metrics, sentence="About 0.71.")],
        sentence="230 answers.",
    )
    [found] = estimated_sentences("m:2", record, Watch())
    assert (found.severity, found.text) == (Severity.ok, "About 0.71.")
    [other] = estimated_sentences("m:1", record, Watch())
    assert (other.severity, other.text) == (Severity.notice, "230 answers.")

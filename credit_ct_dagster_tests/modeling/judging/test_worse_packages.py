"""When a package must not replace an earlier one of the same model; records of empty evidence."""

from credit_ct_dagster.contracts.decision import (
    Comparison,
    Decision,
    Estimate,
    Floor,
    FloorVerdict,
    ProbabilityComparison,
)
from credit_ct_dagster.contracts.utility import Metric
from credit_ct_dagster.modeling.judging.evidence import Evidence
from credit_ct_dagster.modeling.judging.gate import decide, why_worse
from credit_ct_dagster.modeling.judging.gate_rules import GateRules

_MET = Floor(what="recall of Poor", value=0.8, least=0.4, rows=100, verdict=FloorVerdict.met)


def _compared(low: float, high: float) -> Comparison:
    difference = Estimate(value=(low + high) / 2, low=low, high=high)
    return Comparison(
        metric=Metric.macro_f1,
        challenger=0.7,
        champion=0.7,
        difference=difference,
        rows=400,
        customers=400,
    )


def _probabilities(low: float, high: float) -> ProbabilityComparison:
    return ProbabilityComparison(
        challenger=0.9,
        champion=0.8,
        challenger_ece=0.1,
        champion_ece=0.03,
        difference=Estimate(value=-0.1, low=low, high=high),
        confidence=0.99,
        rows=400,
    )


def test_a_package_is_worse_by_a_floor_its_utility_or_its_probabilities() -> None:
    """Beyond doubt, each by itself; a difference that may be chance does not count."""
    fine = Evidence(400, (), [_MET], _compared(-0.02, 0.03), _probabilities(-0.2, 0.01))
    assert not why_worse(fine)
    below = _MET.model_copy(update={"value": 0.1, "verdict": FloorVerdict.below})
    assert "recall of Poor 0.100" in why_worse(Evidence(400, floors=[below]))
    assert "macro_f1" in why_worse(Evidence(400, comparison=_compared(-0.05, -0.001)))
    worse = Evidence(400, probabilities=_probabilities(-0.2, -0.01))
    assert "log-loss 0.9000" in why_worse(worse)


def test_a_decision_without_rows_is_recognised_when_it_is_read_again() -> None:
    """A retry compares what it decides with what is on record: both must be equal."""
    decision = decide("2025-03-10", None, Evidence(rows=0), [], GateRules())
    assert Decision.model_validate_json(decision.model_dump_json()) == decision

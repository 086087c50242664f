"""The gate after a rollback: the model that went does not come back at once."""

from typing import Any

import pytest

from credit_ct_dagster.contracts.decision import Comparison, Estimate, Ground
from credit_ct_dagster.contracts.utility import Metric
from credit_ct_dagster.modeling.judging.evidence import Evidence
from credit_ct_dagster.modeling.judging.gate import decide
from credit_ct_dagster.modeling.judging.gate_rules import GateRules
from credit_ct_dagster_tests.modeling.watching.shadowed import identity


@pytest.mark.parametrize(
    ("base_dt", "low", "rules", "ground"),
    [
        ("2025-04-05", 0.1, {}, Ground.cooling_down),
        ("2025-04-17", 0.1, {}, Ground.cooling_down),
        ("2025-04-18", 0.1, {}, Ground.better),
        ("2025-04-11", 0.1, {"rollback_cool_down_days": 0}, Ground.better),
        # A champion that comes back is old; one that is only not inferior is not called better.
        ("2025-04-17", -0.01, {}, Ground.insufficient_evidence),
        ("2025-04-18", -0.01, {}, Ground.aged),
    ],
)
def test_nobody_is_promoted_soon_after_a_rollback(
    base_dt: str, low: float, rules: dict[str, Any], ground: Ground
) -> None:
    """The model that went stays out, and so do others for a week: better ones and fresh ones."""
    comparison = Comparison(
        metric=Metric.macro_f1,
        challenger=0.8,
        champion=0.7,
        difference=Estimate(value=0.1, low=low, high=0.2),
        rows=400,
        customers=300,
        differing=80,
    )
    evidence = Evidence(rows=400, comparison=comparison)
    decision = decide(
        base_dt, identity("2025-03-01"), evidence, [], GateRules(**rules), came_back_on="2025-04-10"
    )
    assert decision.ground == ground
    assert ("came back by a rollback on 2025-04-10" in decision.sentence) == (not decision.promoted)

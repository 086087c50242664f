"""The rules of the gate: which values are refused."""

from typing import Any

import pytest
from pydantic import ValidationError

from credit_ct_dagster.modeling.judging.gate_rules import GateRules


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"agreeing": 3, "agreeing_of": 2}, "must not exceed"),
        ({"margin": -0.1}, "greater than or equal to 0"),
        ({"confidence": 1.0}, "less than 1"),
        ({"floor_confidence": 0.5}, "greater than 0.5"),
        ({"probability_confidence": 1.0}, "less than 1"),
        ({"min_rows": 0}, "greater than or equal to 1"),
    ],
)
def test_rules_that_make_no_sense_are_refused(rules: dict[str, Any], message: str) -> None:
    """With the reason, when the configuration is read."""
    with pytest.raises(ValidationError, match=message):
        GateRules(**rules)

"""The holdouts that the gate had, for a challenger in the shadow."""

import logging

import pytest

from credit_ct_dagster.evidence.judged_models import Judge
from credit_ct_dagster.evidence.shadow_evidence import ShadowEvidence
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.judging.gate_rules import GateRules
from credit_ct_dagster.resources.feature_store.served.answers import ServedAnswers
from credit_ct_dagster_tests.platform import BASE_DT
from credit_ct_dagster_tests.trained import Trained

_LOG = logging.getLogger(__name__)


def test_the_holdouts_of_the_gate_are_pooled_as_long_as_they_exist(
    trained: Trained, caplog: pytest.LogCaptureFixture
) -> None:
    """With both models' answers; where they were deleted, the shadow is by itself."""
    platform, promotions = trained.platform, trained.platform.promotions
    model = promotions.champion()
    assert model is not None
    served = ServedAnswers(platform.store.database, platform.model_name)
    evidence = ShadowEvidence(served, platform.artifacts, promotions, _LOG)
    judge = Judge(promotions, platform.artifacts, platform.wiring.policy, GateRules(), _LOG)
    found = evidence.holdouts(judge, model, model)
    assert found is not None
    assert list(found.base_dates) == [BASE_DT]
    assert len(found.rows) == platform.search_summary().rows["holdout"]
    assert {schema.TARGET, schema.CUSTOMER, "age", "occupation"} <= set(found.rows)
    challenger, champion = found.answers
    assert (challenger.classes == champion.classes).all()
    assert challenger.probabilities.shape == (len(found.rows), 3)
    older = model.model_copy(update={"base_dt": "2025-02-01"})
    assert evidence.holdouts(judge, older, model) is None
    assert "The challenger of base date 2025-02-01 is judged without holdouts" in caplog.text

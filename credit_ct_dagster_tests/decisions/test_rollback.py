"""A rollback takes a model out of service until somebody decides otherwise."""

import dagster as dg
import pytest
from catboost import CatBoostClassifier

from credit_ct_dagster_tests.decisions.decided import WINS, decide, searched
from credit_ct_dagster_tests.platform import Platform
from credit_ct_dagster_tests.resources.packages import any_model


@pytest.fixture
def fitted() -> CatBoostClassifier:
    """Any model."""
    return any_model()


def test_a_second_rollback_does_not_undo_the_first(
    platform: Platform, fitted: CatBoostClassifier, history: dg.DagsterInstance
) -> None:
    """Two people are called at the same hour; who wants the model back all the same says so."""
    first = decide(platform, fitted, "2025-03-01", WINS)
    second = decide(platform, fitted, "2025-03-03", WINS)
    searched(platform, "2025-03-03", second.mlflow_run_id)
    assert platform.command("rollback", "--by", "Ann", "--reason", "wrong").exit_code == 0
    again = platform.command("rollback", "--by", "Bob", "--reason", "it fell")
    assert again.exit_code == 1
    by_ann = "Ann has rolled it back (decision 3): wrong"
    assert "is the champion again already. The one before it, of 2025-03-03" in again.output
    assert by_ann in again.output
    assert platform.promotions.champion() == first
    promote = ("promote", "--partition", "2025-03-03", "--by", "Bob", "--reason", "it was right")
    refused = platform.command(*promote)
    assert refused.exit_code == 1
    assert by_ann in refused.output
    assert platform.command(*promote, "--despite-floors").exit_code == 0
    assert platform.promotions.champion() == second
    assert platform.promotions.records()[-1].decision.despite == (by_ann,)
    # What Bob let serve goes by a rollback again: nobody has taken the first one out.
    assert platform.command("rollback", "--by", "Ann", "--reason", "wrong").exit_code == 0
    assert platform.promotions.champion() == first

"""What commands say before there is a model that they could use."""

from credit_ct_dagster.contracts.approval import ApprovalPolicy
from credit_ct_dagster.decisions.approvals import with_approval
from credit_ct_dagster.modeling.judging.gate_rules import GateRules
from credit_ct_dagster_tests.decisions.decided import WINS, packaged
from credit_ct_dagster_tests.platform import Platform
from credit_ct_dagster_tests.resources.packages import any_model

_DAY = "2025-03-01"
_KIM = ("--by", "Kim", "--reason", "audit")


def test_a_base_date_without_a_model_is_run_first(platform: Platform) -> None:
    """Whoever promotes it is told so, as whoever predicts with it."""
    done = platform.command("promote", "--partition", _DAY, *_KIM)
    assert done.exit_code == 1
    said = " ".join(done.output.split())
    assert f"Base date {_DAY} has no package: run it (credit-ct run --partition {_DAY})." in said
    assert "summary.json" not in said


def test_without_a_champion_what_awaits_approval_is_named(platform: Platform) -> None:
    """With the command that lets it serve."""
    run_id = packaged(platform, any_model(), _DAY)
    with platform.promotions.deciding() as deciding:
        model = deciding.register(_DAY, run_id)
        rules = GateRules(approval=ApprovalPolicy.required)
        deciding.record(model, with_approval(deciding, model, WINS, rules))
    approve = "credit-ct approve --decision 1 --by NAME --reason TEXT"
    predicted = platform.command("predict", "-")
    said = " ".join(predicted.output.split())
    assert "There is no champion model. Awaiting approval" in said
    assert approve in said
    assert approve in platform.promotions.agreement()
    status = platform.command("status").stdout
    assert approve in " ".join(status.split())

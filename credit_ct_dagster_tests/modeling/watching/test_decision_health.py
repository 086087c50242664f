"""What people have decided, and what waits for them, on the page of a prediction day."""

from datetime import timedelta

from credit_ct_dagster.contracts.approval import Approval
from credit_ct_dagster.contracts.decision import Ground
from credit_ct_dagster.contracts.health import Severity, Topic
from credit_ct_dagster.modeling.watching.health import (
    HealthRules,
    open_decisions_of,
    sentences_of,
)
from credit_ct_dagster_tests.decisions.decisions_in_memory import NOW, DecisionsInMemory
from credit_ct_dagster_tests.modeling.watching import healths


def _world(waits: bool) -> tuple[list[str], list[str | None]]:
    """The sentences on decisions, and the commands of open decisions, of 10 March in Seoul."""
    made = DecisionsInMemory()
    made.add("2025-03-01", Ground.first, promoted=True)
    made.add("2025-03-02", Ground.person, promoted=True, by="Kim", sentence="Promoted by Kim: x")
    if waits:
        approval = Approval(expires=NOW + timedelta(days=7))
        made.add("2025-03-03", Ground.awaiting_approval, approval=approval, sentence="Awaiting.")
    service = healths.service(asked_at=NOW + timedelta(hours=1))
    measured = healths.measured(day="2025-03-10", decisions=made.records, service=service)
    found = [
        each for each in sentences_of(measured, HealthRules()) if each.topic == Topic.decisions
    ]
    assert {each.severity for each in found} == {Severity.notice}
    return (
        [f"{each.text} {each.action or ''}".strip() for each in found],
        [each.command for each in open_decisions_of(measured)],
    )


def test_a_decision_by_a_person_is_a_sentence() -> None:
    """On the page of the day on which it was taken; those of the gate are no news there."""
    assert _world(waits=False) == (
        [
            "Decision 2 on the model of base date 2025-03-02, by Kim at 2025-03-10 10:00"
            " Asia/Seoul: Promoted by Kim: x"
        ],
        [],
    )


def test_a_model_that_awaits_approval_is_a_sentence_and_an_open_decision() -> None:
    """With the command that answers: a notice, since the champion is as healthy as before."""
    sentences, commands = _world(waits=True)
    assert sentences[0] == (
        "The model of base date 2025-03-03 waits for a person (decision 3). Awaiting. Answer by"
        " credit-ct approve --decision 3 --by NAME --reason TEXT, or by credit-ct reject."
    )
    assert commands == ["credit-ct approve --decision 3 --by NAME --reason TEXT"]

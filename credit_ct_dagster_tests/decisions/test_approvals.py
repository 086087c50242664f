"""Promotions that wait for a person: what is asked, and when it is not asked (again)."""

from datetime import timedelta
from typing import Any

import pytest

from credit_ct_dagster.contracts.approval import ApprovalPolicy
from credit_ct_dagster.contracts.decision import GATE, PROBATION, Decision, Ground
from credit_ct_dagster.decisions.approvals import record_expired, reject, request_of, with_approval
from credit_ct_dagster.errors.models import NotAwaitingApprovalError
from credit_ct_dagster.modeling.judging.gate_rules import GateRules
from credit_ct_dagster_tests.decisions.decided import LOSES, WINS
from credit_ct_dagster_tests.decisions.decisions_in_memory import DecisionsInMemory, model_of

_FIRST, _SECOND, _THIRD = "2025-03-01", "2025-03-03", "2025-03-05"
_REQUIRED = GateRules(approval=ApprovalPolicy.required)


@pytest.fixture
def decisions() -> DecisionsInMemory:
    """One champion, by the gate."""
    made = DecisionsInMemory()
    made.add(_FIRST, Ground.first, promoted=True)
    return made


def _decided(decisions: DecisionsInMemory, base_dt: str, run: str = "", **rules: Any) -> Decision:
    """As the gate decides on a better model: a retry finds its own record."""
    model = model_of(base_dt, run)
    made = with_approval(decisions, model, WINS, _REQUIRED.model_copy(update=rules))
    newest = decisions.records[-1]
    if (newest.by, newest.model, newest.decision) != (GATE, model, made):
        decisions.record(model, made)
    return made


def test_without_the_rule_the_gate_promotes(decisions: DecisionsInMemory) -> None:
    """It is off by default; and where it is on, whom the gate keeps out is asked about by none."""
    model = model_of(_SECOND)
    assert GateRules().approval == ApprovalPolicy.off
    assert with_approval(decisions, model, WINS, GateRules()) == WINS
    assert with_approval(decisions, model, LOSES, _REQUIRED) == LOSES


def test_a_model_that_would_be_promoted_waits(decisions: DecisionsInMemory) -> None:
    """With the evidence and the ground, until a day; asking again changes nothing."""
    found = _decided(decisions, _SECOND, approval_days=3)
    assert not found.promoted
    assert (found.ground, found.by_evidence) == (Ground.awaiting_approval, Ground.better)
    assert found.comparison == WINS.comparison
    assert found.sentence.startswith("Awaiting approval until ")
    assert found.sentence.endswith(" Asia/Seoul: better.")
    assert found.approval is not None
    assert found.approval.expires is not None
    assert _decided(decisions, _SECOND, approval_days=3) == found
    assert len(decisions.records) == 2


def test_a_newer_challenger_takes_the_place_of_one_that_waits(
    decisions: DecisionsInMemory,
) -> None:
    """On record; an older one does not, unless older ones may win."""
    _decided(decisions, _SECOND)
    newer = _decided(decisions, _THIRD)
    assert newer.approval is not None
    assert newer.approval.supersedes == 2
    with pytest.raises(NotAwaitingApprovalError, match=r"decision 2 any more.* newer.* decision 3"):
        request_of(decisions, 2)
    older = _decided(decisions, "2025-03-04")
    assert older.ground == Ground.older
    assert older.sentence == (
        f"Not promoted: the model of {_THIRD}, a newer base date, awaits approval (decision 3)."
    )
    assert request_of(decisions, 3).model.base_dt == _THIRD
    assert _decided(decisions, "2025-03-04", replace_newer=True).ground == Ground.awaiting_approval


def test_the_same_base_date_trained_again_is_another_request(
    decisions: DecisionsInMemory,
) -> None:
    """An approval is for a package."""
    _decided(decisions, _SECOND)
    again = _decided(decisions, _SECOND, run="another")
    assert again.approval is not None
    assert again.approval.supersedes == 2


def test_a_rejected_package_is_not_asked_about_again(decisions: DecisionsInMemory) -> None:
    """Not in the place of the same champion, however often its base date is decided again."""
    _decided(decisions, _SECOND)
    reject(decisions, 2, by="Lee", reason="audit is open")
    for _ in range(2):
        found = _decided(decisions, _SECOND)
        assert (found.ground, found.promoted) == (Ground.rejected, False)
        assert found.sentence == "Not promoted: Lee has rejected it (decision 3): audit is open"
    assert len(decisions.records) == 4
    for by, ground in ((GATE, Ground.no_agreement), (PROBATION, Ground.worse)):
        decisions.add(_SECOND, ground, by=by)
        found = _decided(decisions, _SECOND)
        assert found.sentence == "Not promoted: Lee has rejected it (decision 3): audit is open"
    decisions.record(model_of(_SECOND), found, by=PROBATION)
    assert _decided(decisions, _SECOND) == found
    decisions.add("2025-03-02", Ground.person, promoted=True, by="Kim")
    assert _decided(decisions, _SECOND).ground == Ground.awaiting_approval


def test_only_a_request_can_be_answered(decisions: DecisionsInMemory) -> None:
    """Another decision, one that does not exist, and one that was answered are named."""
    for number in (1, 9):
        with pytest.raises(NotAwaitingApprovalError, match="Nothing awaits approval"):
            request_of(decisions, number)
    _decided(decisions, _SECOND)
    with pytest.raises(NotAwaitingApprovalError, match=f"is decision 2, .*base date {_SECOND}"):
        request_of(decisions, 1)
    reject(decisions, 2, by="Lee", reason="no")
    with pytest.raises(NotAwaitingApprovalError, match=r"any more. Rejected by Lee: no"):
        reject(decisions, 2, by="Kim", reason="no")


def test_an_expired_request_is_recorded_once(decisions: DecisionsInMemory) -> None:
    """By whoever decides next; the model may be asked about again."""
    found = _decided(decisions, _SECOND)
    record_expired(decisions)
    assert len(decisions.records) == 2
    approval = found.approval
    assert approval is not None
    assert approval.expires is not None
    passed = approval.model_copy(update={"expires": approval.expires - timedelta(days=8)})
    decisions.records.pop()
    decisions.record(model_of(_SECOND), found.model_copy(update={"approval": passed}))
    for _ in range(2):
        record_expired(decisions)
    [*_, newest] = decisions.records
    assert (newest.number, newest.decision.ground, newest.by) == (3, Ground.expired, GATE)
    assert newest.decision.sentence == "Not promoted: nobody has approved it in time (decision 2)."
    assert _decided(decisions, _SECOND).ground == Ground.awaiting_approval

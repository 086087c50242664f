"""Where a model stands: by the decisions on it, and on others since."""

from datetime import timedelta
from typing import Any

import pytest

from credit_ct_dagster.contracts.approval import Approval
from credit_ct_dagster.contracts.decision import PROBATION, Ground
from credit_ct_dagster.modeling.judging.standing import (
    State,
    awaiting,
    expired_request,
    question_of,
    serves_already,
    standing_of,
    standings,
)
from credit_ct_dagster.partitions import day_of
from credit_ct_dagster_tests.decisions.decisions_in_memory import NOW, DecisionsInMemory, model_of

_FIRST, _SECOND, _THIRD = "2025-03-01", "2025-03-03", "2025-03-05"


@pytest.fixture
def decisions() -> DecisionsInMemory:
    """One champion, by the gate."""
    made = DecisionsInMemory()
    made.add(_FIRST, Ground.first, promoted=True)
    return made


def _asked(supersedes: int | None = None) -> dict[str, Any]:
    approval = Approval(expires=NOW + timedelta(days=7), supersedes=supersedes)
    return {"ground": Ground.awaiting_approval, "approval": approval}


def _summaries(decisions: DecisionsInMemory, days: int = 0) -> dict[str, str]:
    found = standings(decisions.records, NOW + timedelta(days=days))
    return {base_dt: standing.summary for base_dt, standing in found.items()}


def test_a_person_who_promotes_is_named_on_both_models(decisions: DecisionsInMemory) -> None:
    """Whoever lost its place does not look promoted any more."""
    decisions.add(_SECOND, Ground.below_floor)
    assert _summaries(decisions) == {
        _FIRST: "promoted: first",
        _SECOND: "not promoted: below floor",
    }
    decisions.add(_SECOND, Ground.person, promoted=True, by="Kim", sentence="Promoted by Kim: x.")
    assert _summaries(decisions) == {
        _FIRST: f"replaced by {_SECOND} (Kim)",
        _SECOND: "promoted: a person (Kim)",
    }
    replaced = standings(decisions.records, NOW)[_FIRST]
    assert replaced.sentence == (
        f"The model of base date {_SECOND} (decision 3) took its place. Promoted by Kim: x."
    )


def test_a_champion_is_so_by_a_decision(decisions: DecisionsInMemory) -> None:
    """That a run which packages it again did not take."""
    assert serves_already(decisions.records[0]) == (
        f"The champion already, by decision 1 of {day_of(NOW.timestamp())} (first)"
    )


def test_a_model_that_comes_back_serves_and_the_other_is_replaced(
    decisions: DecisionsInMemory,
) -> None:
    """By probation, which is no person."""
    decisions.add(_SECOND, Ground.better, promoted=True)
    decisions.add(_FIRST, Ground.rolled_back, promoted=True, by=PROBATION)
    assert _summaries(decisions) == {
        _FIRST: "in service again by rollback",
        _SECOND: f"replaced by {_FIRST}",
    }


def test_a_confirmed_champion_serves(decisions: DecisionsInMemory) -> None:
    """Although that decision promoted nobody; nor does a version that was registered again."""
    decisions.add(_FIRST, Ground.confirmed, by=PROBATION)
    decisions.add(_FIRST, Ground.registered_again)
    assert _summaries(decisions) == {_FIRST: "promoted: first; confirmed"}


def test_whoever_keeps_a_champion_has_not_promoted_it(decisions: DecisionsInMemory) -> None:
    """The gate did, or a rollback; a person let it stay."""
    kept = decisions.add(_FIRST, Ground.person, promoted=True, by="Kim")
    assert _summaries(decisions) == {_FIRST: "promoted: first; kept (Kim)"}
    assert serves_already(kept).endswith("(kept by a person)")
    decisions.add(_SECOND, Ground.better, promoted=True)
    decisions.add(_FIRST, Ground.rolled_back, promoted=True, by="Bob")
    assert _summaries(decisions)[_FIRST] == "in service again by rollback (Bob)"
    decisions.add(_FIRST, Ground.person, promoted=True, by="Kim")
    assert _summaries(decisions)[_FIRST] == "in service again by rollback (Bob); kept (Kim)"


def test_a_request_waits_until_it_expires(decisions: DecisionsInMemory) -> None:
    """Then nobody can approve it, recorded or not."""
    request = decisions.add(_SECOND, **_asked())
    assert awaiting(decisions.records, NOW) == request
    assert _summaries(decisions)[_SECOND] == "awaiting approval until 2025-03-17"
    assert "credit-ct approve --decision 2 --by NAME --reason TEXT" in question_of(request)
    later = NOW + timedelta(days=7)
    assert awaiting(decisions.records, later) is None
    assert expired_request(decisions.records, later) == request
    assert _summaries(decisions, days=7)[_SECOND] == "not promoted: approval expired"
    decisions.add(_SECOND, Ground.expired, approval=Approval(request=2))
    assert expired_request(decisions.records, later) is None
    assert _summaries(decisions)[_SECOND] == "not promoted: approval expired"


def test_a_newer_request_supersedes_the_one_before(decisions: DecisionsInMemory) -> None:
    """One waits at a time."""
    decisions.add(_SECOND, **_asked())
    newer = decisions.add(_THIRD, **_asked(supersedes=2))
    assert awaiting(decisions.records, NOW) == newer
    assert _summaries(decisions)[_SECOND] == f"superseded by {_THIRD}"


def test_a_request_ends_when_another_model_becomes_the_champion(
    decisions: DecisionsInMemory,
) -> None:
    """It was compared with one that no longer serves; that the champion is kept ends nothing."""
    request = decisions.add(_THIRD, **_asked())
    decisions.add(_FIRST, Ground.person, promoted=True, by="Kim")  # kept
    assert awaiting(decisions.records, NOW) == request
    decisions.add(_SECOND, Ground.person, promoted=True, by="Kim")
    assert awaiting(decisions.records, NOW) is None
    standing = standing_of(decisions.records, model_of(_THIRD).mlflow_run_id, NOW)
    assert standing is not None
    assert (standing.state, standing.newest.number) == (State.overtaken, 4)
    assert standing.summary == f"not promoted: {_SECOND} became the champion (Kim)"


def test_an_answered_request_waits_no_more(decisions: DecisionsInMemory) -> None:
    """Rejected, by whom."""
    decisions.add(_SECOND, **_asked())
    decisions.add(_SECOND, Ground.rejected, by="Lee", approval=Approval(request=2))
    assert awaiting(decisions.records, NOW) is None
    assert _summaries(decisions)[_SECOND] == "not promoted: rejected (Lee)"


def test_nothing_is_known_of_a_model_without_a_decision(decisions: DecisionsInMemory) -> None:
    """Whatever was decided on others."""
    assert standing_of(decisions.records, "another run", NOW) is None

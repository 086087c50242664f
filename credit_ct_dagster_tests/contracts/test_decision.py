"""The evidence in records of decisions, of this release and of earlier ones."""

import json
from pathlib import Path

import pytest

from credit_ct_dagster.contracts.decision import (
    Decision,
    DecisionRecord,
    Estimate,
    Floor,
    FloorVerdict,
    Ground,
    ProbabilityComparison,
    Reliability,
)
from credit_ct_dagster.contracts.window_contrast import WindowContrast
from credit_ct_dagster_tests.decisions.decisions_in_memory import DecisionsInMemory

_CONTRAST = WindowContrast(
    newest=1 / 7, older=-0.1, pooled=-0.02, low=0.2, high=0.3, confidence=0.95
)
_OLD = Path(__file__).parent / "written_by_0_1" / "decision.json"


def _compared(low: float, high: float) -> ProbabilityComparison:
    return ProbabilityComparison(
        challenger=0.8,
        champion=0.9,
        challenger_ece=0.03,
        champion_ece=0.1,
        difference=Estimate(value=(low + high) / 2, low=low, high=high),
        confidence=0.99,
        rows=390,
    )


def test_floors_of_earlier_releases_are_read_without_a_claim_about_chance() -> None:
    """They had a value and a floor: what lies below is called that, not "beyond doubt"."""
    decision = DecisionRecord.from_json(_OLD.read_bytes(), "decision.json").decision
    verdicts = {each.what: each.verdict for each in decision.floors}
    assert verdicts["recall of Poor"] == FloorVerdict.met
    assert verdicts["recall of Good"] == FloorVerdict.missed
    assert {each.p_value for each in decision.floors} == {None}
    assert not any(each.shared for each in decision.floors)
    assert (decision.holdouts, decision.probabilities, decision.windows) == ((), None, None)
    assert decision.comparison
    assert (decision.comparison.differing, decision.comparison.confidence) == (None, None)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.001, 0.2, Reliability.champion_worse),
        (0.0, 0.2, Reliability.alike),
        (-0.2, 0.0, Reliability.alike),
        (-0.2, -0.001, Reliability.challenger_worse),
    ],
)
def test_probabilities_are_worse_only_if_the_interval_excludes_0(
    low: float, high: float, verdict: Reliability
) -> None:
    """Touching it is not enough; above 0 it is the champion's that are worse."""
    assert _compared(low, high).verdict == verdict


@pytest.mark.parametrize(
    ("low", "high", "contradict"),
    [(0.001, 0.2, True), (0.0, 0.2, False), (-0.2, 0.0, False), (-0.2, -0.001, True)],
)
def test_windows_contradict_only_if_the_interval_excludes_0(
    low: float, high: float, contradict: bool
) -> None:
    """In either direction; only then is there something to say."""
    found = _CONTRAST.model_copy(update={"low": low, "high": high})
    assert found.contradict is contradict
    assert bool(found.sentence) is contradict


def test_a_decision_that_is_read_equals_the_one_that_was_taken() -> None:
    """So a retried step recognises its own record."""
    below = FloorVerdict.below
    floor = Floor(
        what="recall of Good", value=0.2, least=0.4, rows=50, verdict=below, p_value=1 / 3,
        champion=0.1, champion_verdict=below, paired_p_value=0.5, lower_than_champion=False,
    )  # fmt: skip
    assert floor.shared
    decision = Decision(
        promoted=False,
        ground=Ground.below_floor,
        sentence="Not promoted.",
        floors=[floor],
        probabilities=_compared(0.1, 0.2),
        holdouts=("2025-03-10", "2025-02-05"),
        windows=_CONTRAST,
    )
    old = DecisionRecord.from_json(_OLD.read_bytes(), "decision.json")
    record = old.model_copy(update={"decision": decision})
    read = DecisionRecord.from_json(record.to_json(), "decision.json")
    assert read == record
    assert read.decision.floors[0].shared


@pytest.mark.parametrize(
    ("ground", "version"),
    [(Ground.better, 1), (Ground.awaiting_approval, 2), (Ground.rejected, 2), (Ground.expired, 2)],
)
def test_releases_without_approvals_take_their_decisions_for_newer_ones(
    ground: Ground, version: int
) -> None:
    """And not for damaged ones; all others they read."""
    made = DecisionsInMemory()
    made.add("2025-03-01", ground)
    assert json.loads(made.records[0].to_json())["version"] == version

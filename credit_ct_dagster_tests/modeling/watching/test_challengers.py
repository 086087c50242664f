"""A challenger in the shadow is judged by the gate's rules, and the evidence is named."""

import pandas as pd
import pytest

from credit_ct_dagster.contracts.decision import Decision, Ground
from credit_ct_dagster.contracts.utility import Metric, Utility
from credit_ct_dagster.modeling.judging.gate_rules import PastVerdict
from credit_ct_dagster.modeling.watching.challengers import HoldoutAnswers, judge_challenger
from credit_ct_dagster.modeling.watching.columns import PREDICTED, PROBABILITIES
from credit_ct_dagster.modeling.watching.paired import IN_SHADOW
from credit_ct_dagster.modeling.watching.probation_rules import ProbationRules
from credit_ct_dagster.scorer.scorer import Scored
from credit_ct_dagster_tests.modeling.watching.shadowed import identity, pairs

_CHAMPION = identity("2025-03-01")
_BETTER = pairs(900, served=0.55, shadow=0.75)
_SLIGHTLY = pairs(300, served=0.66, shadow=0.75, seed=3)


def _holdouts(rows: pd.DataFrame) -> HoldoutAnswers:
    scored = []
    for suffix in (IN_SHADOW, ""):
        probabilities = rows[[f"{name}{suffix}" for name in PROBABILITIES]].to_numpy()
        classes = rows[f"{PREDICTED}{suffix}"].to_numpy(str)
        scored.append(Scored(classes, probabilities, probabilities))
    return HoldoutAnswers(rows, scored, ["2025-03-08", "2025-02-07"])


def _judged(
    rows: pd.DataFrame,
    holdouts: pd.DataFrame | None = None,
    day: str = "2025-04-01",
    history: list[PastVerdict] | None = None,
    back: str | None = None,
    **rules: object,
) -> Decision:
    return judge_challenger(
        rows,
        None if holdouts is None else _holdouts(holdouts),
        day,
        _CHAMPION,
        history or [],
        Utility(metric=Metric.accuracy),
        ProbationRules(draws=400, min_recall=0, min_slice_accuracy=0).model_copy(update=rules),
        back,
    )


def test_the_shadow_alone_decides_where_it_suffices() -> None:
    """Whether or not holdouts are at hand; the decision names the days, and no holdout."""
    for holdouts in (None, pairs(200, 0.6, 0.7, seed=5)):
        decision = _judged(_BETTER, holdouts)
        assert decision.promoted
        assert decision.ground == Ground.better
        assert decision.prediction_days == ("2025-03-05", "2025-03-06")
        assert decision.holdouts == ()
        assert decision.comparison is not None
        assert decision.comparison.rows == 900
        assert "Evidence of the shadow: 900 labelled answers" in decision.sentence


def test_shadow_and_holdouts_decide_together_where_neither_suffices() -> None:
    """Pooled, and both are named."""
    more = pairs(700, served=0.66, shadow=0.75, seed=4)
    assert _judged(_SLIGHTLY).ground == Ground.insufficient_evidence
    decision = _judged(_SLIGHTLY, more)
    assert decision.promoted
    assert decision.holdouts == ("2025-03-08", "2025-02-07")
    assert decision.comparison is not None
    assert decision.comparison.rows == 1_000
    assert "Evidence of shadow and holdouts, pooled: 300 labelled answers" in decision.sentence
    assert "700 rows of the holdouts of 2025-03-08, 2025-02-07" in decision.sentence


def test_where_holdouts_contradict_the_shadow_only_the_shadow_decides() -> None:
    """It is the newer evidence, in either direction; it decides at a higher level, on record."""
    better = _judged(_BETTER, pairs(2_000, 0.75, 0.55, seed=6))
    assert (better.promoted, better.holdouts) == (True, ())
    assert better.windows
    assert better.windows.contradict
    assert better.comparison
    assert (better.comparison.rows, better.comparison.confidence) == (900, 0.9975)
    assert "The windows contradict each other: better by +0.1" in better.sentence
    assert "Evidence of the shadow, the newest window: 900 labelled" in better.sentence
    worse = _judged(pairs(900, served=0.75, shadow=0.55), pairs(2_000, 0.55, 0.75, seed=6))
    assert worse.ground == Ground.worse


def test_a_shadow_of_few_labels_waits_where_holdouts_contradict_it() -> None:
    """Neither is pooled with the other; the sentence says why the holdouts do not count."""
    few = _judged(pairs(90, served=0.35, shadow=0.85), pairs(2_000, 0.75, 0.55, seed=6))
    assert few.ground == Ground.insufficient_evidence
    assert "only 90 labels are known (min_rows: 100). The windows contradict" in few.sentence


@pytest.mark.parametrize(
    ("given", "ground"),
    [
        ({"margin": 0.5}, Ground.worse),
        ({"day": "2025-03-02"}, Ground.cooling_down),
        ({"back": "2025-03-28"}, Ground.cooling_down),
        ({"agreeing": 2, "agreeing_of": 3}, Ground.no_agreement),
        ({"min_recall": 0.95, "excuse_shared_floors": False}, Ground.below_floor),
        ({"min_rows": 1_000}, Ground.insufficient_evidence),
    ],
)
def test_the_rules_of_the_gate_hold(given: dict, ground: Ground) -> None:
    """Margin, floors, cool-down, agreement and the least evidence, as of the newest day."""
    decision = _judged(_BETTER, **given)
    assert not decision.promoted
    assert decision.ground == ground


def test_base_dates_since_then_may_agree() -> None:
    """The last base dates count up to now, not up to that of the challenger."""
    history = [PastVerdict("2025-03-30", "7", better=True)]
    decision = _judged(_BETTER, history=history, agreeing=2, agreeing_of=3)
    assert decision.promoted


def test_an_old_champion_is_no_ground_to_promote_from_the_shadow() -> None:
    """A challenger that waited for its labels is old as well."""
    even = pairs(30_000, 0.7, 0.7)
    decision = _judged(even, day="2025-06-30", draws=200, margin=0.0)
    assert not decision.promoted


def test_a_challenger_without_labels_waits() -> None:
    """Nothing is compared, not even with holdouts: the gate has judged these already."""
    decision = _judged(_BETTER.iloc[:0], pairs(900, 0.5, 0.8))
    assert decision.ground == Ground.insufficient_evidence
    assert decision.comparison is None

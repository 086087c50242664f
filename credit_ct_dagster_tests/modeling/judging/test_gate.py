"""The gate: which model is promoted, which is not, and why."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credit_ct_dagster.contracts.decision import (
    Comparison,
    Decision,
    Estimate,
    Floor,
    FloorVerdict,
    Ground,
)
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.utility import Metric
from credit_ct_dagster.modeling.judging.evidence import Evidence
from credit_ct_dagster.modeling.judging.gate import decide
from credit_ct_dagster.modeling.judging.gate_rules import GateRules, PastVerdict

_CHAMPION = ModelIdentity(
    base_dt="2025-03-01",
    mlflow_run_id="m",
    dagster_run_id="d",
    data_fingerprint="f",
    registered_version="7",
)
_MET = [Floor(what="recall of Poor", value=0.8, least=0.4, rows=100, verdict=FloorVerdict.met)]
_OLD: dict[str, Any] = {"base_dt": "2025-04-15", "max_champion_age_days": 31}


def _missed(
    verdict: FloorVerdict,
    champion: FloorVerdict | None = FloorVerdict.met,
    value: float = 0.2,
    reached: float = 0.45,
    lower: bool | None = None,
) -> list[Floor]:
    """All floors met but one."""
    missed = Floor(
        what="recall of Good",
        value=value,
        least=0.4,
        rows=50,
        verdict=verdict,
        p_value=0.01,
        champion=reached if champion else None,
        champion_verdict=champion,
        lower_than_champion=lower,
    )
    return [*_MET, missed]


def _found(low: float, high: float, rows: int = 400, differing: int | None = 80) -> Comparison:
    middle = (low + high) / 2
    return Comparison(
        metric=Metric.macro_f1,
        challenger=0.7 + middle,
        champion=0.7,
        difference=Estimate(value=middle, low=low, high=high),
        rows=rows,
        customers=300,
        differing=differing,
    )


def _decided(
    low: float,
    high: float,
    base_dt: str = "2025-03-10",
    history: list[PastVerdict] | None = None,
    floors: list[Floor] = _MET,
    **rules: Any,
) -> Decision:
    evidence = Evidence(rows=400, comparison=_found(low, high), floors=floors)
    return decide(base_dt, _CHAMPION, evidence, history or [], GateRules(**rules))


def _first(floors: list[Floor], rows: int = 400) -> Decision:
    evidence = Evidence(rows=rows, holdouts=["2025-03-10"], floors=floors)
    return decide("2025-03-10", None, evidence, [], GateRules())


@pytest.mark.parametrize(
    ("low", "high", "ground"),
    [
        (0.001, 0.05, Ground.better),
        (0.0, 0.05, Ground.insufficient_evidence),
        (-0.02, 0.04, Ground.insufficient_evidence),
        (-0.05, 0.0, Ground.insufficient_evidence),
        (-0.05, -0.001, Ground.worse),
    ],
)
def test_only_what_is_better_beyond_doubt_is_promoted(
    low: float, high: float, ground: Ground
) -> None:
    """The lower end of the interval must lie above 0; touching it is not enough."""
    decision = _decided(low, high)
    assert (decision.promoted, decision.ground) == (ground == Ground.better, ground)


def test_rows_of_a_few_customers_are_no_evidence() -> None:
    """Whatever the interval: the bootstrap draws customers, and of five it has nothing to draw."""
    for customers, ground in ((29, Ground.insufficient_evidence), (30, Ground.better)):
        found = _found(0.01, 0.05).model_copy(update={"customers": customers})
        decision = decide("2025-03-10", _CHAMPION, Evidence(400, comparison=found), [], GateRules())
        assert decision.ground == ground
        assert ("29 customers only" in decision.sentence) == (customers == 29)


def test_a_margin_requires_more() -> None:
    """The whole interval is compared with the margin instead of 0."""
    assert _decided(0.02, 0.05, margin=0.01).promoted
    assert _decided(0.005, 0.05, margin=0.01).ground == Ground.insufficient_evidence
    assert _decided(-0.03, 0.009, margin=0.01).ground == Ground.worse


def test_an_old_champion_gives_way_to_one_that_is_not_inferior() -> None:
    """Beyond the age limit, by at most the non-inferiority margin, and never to a worse one."""
    assert _decided(-0.019, 0.05, **_OLD).ground == Ground.aged
    assert _decided(-0.021, 0.05, **_OLD).ground == Ground.insufficient_evidence
    assert _decided(-0.019, 0.05, base_dt="2025-04-01").ground == Ground.insufficient_evidence
    assert not _decided(-0.019, -0.001, **_OLD).promoted


def test_the_first_model_is_promoted_unless_a_floor_is_missed_beyond_doubt() -> None:
    """It needs no evidence; what too few rows say nothing about is named, and does not block."""
    first = _first(_MET)
    assert (first.promoted, first.ground) == (True, Ground.first)
    assert first.sentence == "Promoted: there was no champion, and every floor is met on 400 rows."
    assert first.holdouts == ("2025-03-10",)
    unknown = _first(_missed(FloorVerdict.uncertain, None, value=0.39))
    assert (unknown.promoted, unknown.ground) == (True, Ground.first)
    assert unknown.sentence == (
        "Promoted: there was no champion, and no floor is missed beyond doubt on 400 rows (too few"
        " rows to say: recall of Good 0.390 on 50 rows (at least 0.4))."
    )
    refused = _first(_missed(FloorVerdict.below, None))
    assert (refused.promoted, refused.ground) == (False, Ground.below_floor)
    assert refused.sentence == (
        "Not promoted: below a floor beyond doubt: recall of Good 0.200 on 50 rows (at least 0.4)."
    )


@pytest.mark.parametrize(
    ("verdict", "reached", "lower"),
    [(FloorVerdict.met, 0.45, None), (FloorVerdict.below, 0.35, True)],
)
def test_a_better_model_below_a_floor_where_it_loses_stays_out(
    verdict: FloorVerdict, reached: float, lower: bool | None
) -> None:
    """No evidence outweighs a group that the model fails and the champion serves better."""
    missed = _missed(FloorVerdict.below, verdict, reached=reached, lower=lower)
    decision = _decided(0.1, 0.2, floors=missed)
    assert (decision.promoted, decision.ground) == (False, Ground.below_floor)
    expected = f"recall of Good 0.200 on 50 rows (at least 0.4, the champion {reached:.3f})"
    assert expected in decision.sentence


def test_figures_that_differ_look_different() -> None:
    """A value just below its floor, and an interval that nearly ends at 0."""
    refused = _first(_missed(FloorVerdict.below, None, value=0.3999))
    assert "recall of Good 0.3999 on 50 rows (at least 0.4)" in refused.sentence
    assert "interval -0.00002 to +0.0500" in _decided(-0.00002, 0.05).sentence


def test_a_floor_that_may_be_missed_by_chance_keeps_nobody_out() -> None:
    """Neither a better challenger nor one that replaces an old champion."""
    uncertain = _missed(FloorVerdict.uncertain, value=0.39)
    assert _decided(0.1, 0.2, floors=uncertain).ground == Ground.better
    assert _decided(-0.01, 0.05, floors=uncertain, **_OLD).ground == Ground.aged


@pytest.mark.parametrize("verdict", [FloorVerdict.below, FloorVerdict.uncertain])
def test_a_floor_that_the_champion_misses_too_keeps_only_better_models_in(
    verdict: FloorVerdict,
) -> None:
    """Both are below it: a better one is a gain, one that is merely not inferior is none."""
    shared = _missed(FloorVerdict.below, verdict, reached=0.25, lower=False)
    better = _decided(0.1, 0.2, floors=shared)
    assert (better.promoted, better.ground) == (True, Ground.better)
    assert better.sentence.endswith(
        "It lies below a floor beyond doubt where the champion is below as well, and is not lower"
        " beyond doubt: recall of Good 0.200 on 50 rows (at least 0.4, the champion 0.250)."
    )
    aged = _decided(-0.01, 0.05, floors=shared, **_OLD)
    assert (aged.promoted, aged.ground) == (False, Ground.below_floor)
    assert _decided(-0.2, -0.1, floors=shared).ground == Ground.worse
    assert _decided(-0.1, 0.1, floors=shared).ground == Ground.insufficient_evidence
    strict = _decided(0.1, 0.2, floors=shared, excuse_shared_floors=False)
    assert strict.ground == Ground.below_floor


@pytest.mark.parametrize(
    ("rows", "differing", "reason"),
    [
        (99, 80, "only 99 holdout rows are of customers that neither model saw (min_rows: 100)"),
        (400, 9, "different classes on 9 of 400 rows only (min_differing_rows: 10)"),
    ],
)
def test_little_evidence_is_insufficient_whatever_its_interval(
    rows: int, differing: int, reason: str
) -> None:
    """Neither better, worse nor aged; the sentence has the number and the setting."""
    for low, high, base_dt in ((0.1, 0.2, "2025-03-10"), (-0.2, -0.1, "2025-03-10"),
                               (0.0, 0.0, "2025-05-10")):  # fmt: skip
        found = _found(low, high, rows, differing)
        evidence = Evidence(rows=rows, comparison=found, floors=_MET)
        decision = decide(base_dt, _CHAMPION, evidence, [], GateRules())
        assert (decision.promoted, decision.ground) == (False, Ground.insufficient_evidence)
        assert reason in decision.sentence
    lenient = GateRules(min_rows=rows, min_differing_rows=differing)
    evidence = Evidence(rows=rows, comparison=_found(0.1, 0.2, rows, differing), floors=_MET)
    assert decide("2025-03-10", _CHAMPION, evidence, [], lenient).promoted


def test_no_holdout_row_promotes_nobody() -> None:
    """Nothing is known, with a champion and without; the sentence says what to do."""
    for champion, what_to_do in (
        (None, "base date 2025-03-10 has no holdout rows, so nothing is known of the model. Load"),
        (_CHAMPION, "the champion of 2025-03-01 saw. Train with the champion's train_share and"),
    ):
        decision = decide("2025-03-10", champion, Evidence(rows=0), [], GateRules())
        assert (decision.promoted, decision.ground) == (False, Ground.insufficient_evidence)
        assert what_to_do in decision.sentence


def test_an_older_base_date_replaces_a_newer_champion_only_when_allowed() -> None:
    """A backfill does not bring back old models unless `replace_newer` allows it."""
    assert _decided(0.1, 0.2, base_dt="2025-02-20").ground == Ground.older
    assert _decided(0.1, 0.2, base_dt="2025-02-20", replace_newer=True).promoted


def test_a_promotion_is_followed_by_a_cool_down() -> None:
    """Counted in base dates, both for the default and for other numbers of days."""
    assert _decided(0.1, 0.2, base_dt="2025-03-02").ground == Ground.cooling_down
    assert _decided(0.1, 0.2, base_dt="2025-03-03").promoted
    assert _decided(0.1, 0.2, base_dt="2025-03-02", cool_down_days=0).promoted
    assert _decided(0.1, 0.2, base_dt="2025-03-04", cool_down_days=3).ground == Ground.cooling_down


def test_several_base_dates_can_be_required_to_agree() -> None:
    """N of the last M, against the same champion, and only earlier ones."""
    two_of_three: dict[str, Any] = {"agreeing": 2, "agreeing_of": 3}
    better, not_better = (
        [PastVerdict("2025-03-09", "7", found), PastVerdict("2025-03-08", "7", False)]
        for found in (True, False)
    )
    assert _decided(0.1, 0.2, history=better, **two_of_three).promoted
    assert _decided(0.1, 0.2, history=not_better, **two_of_three).ground == Ground.no_agreement
    of_another_champion = [PastVerdict("2025-03-09", "6", True)]
    assert not _decided(0.1, 0.2, history=of_another_champion, **two_of_three).promoted
    too_long_ago = [PastVerdict(f"2025-03-0{day}", "7", day == 5) for day in (5, 8, 9)]
    assert not _decided(0.1, 0.2, history=too_long_ago, **two_of_three).promoted
    later = [PastVerdict("2025-03-11", "7", True)]
    assert not _decided(0.1, 0.2, history=later, **two_of_three).promoted


def test_the_newest_verdict_of_a_base_date_counts() -> None:
    """A base date that was judged again does not count twice."""
    history = [PastVerdict("2025-03-09", "7", True), PastVerdict("2025-03-09", "7", False)]
    assert not _decided(0.1, 0.2, history=history, agreeing=2, agreeing_of=2).promoted


@given(low=st.floats(-0.3, 0.3), width=st.floats(0, 0.3), days=st.integers(2, 400))
def test_no_challenger_that_may_be_much_worse_is_ever_promoted(
    low: float, width: float, days: int
) -> None:
    """Whatever the champion's age: a lower bound below minus the margin keeps it."""
    base_dt = (date(2025, 3, 1) + timedelta(days=days)).isoformat()
    decision = _decided(low, low + width, base_dt=base_dt)
    assert not (decision.promoted and low <= -GateRules().non_inferiority_margin)
    assert decision.promoted or low <= 0

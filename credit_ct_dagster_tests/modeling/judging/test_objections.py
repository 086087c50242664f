"""What speaks against a model that a person wants to promote."""

import pytest

from credit_ct_dagster.contracts.decision import (
    PROBATION,
    Comparison,
    Estimate,
    Floor,
    FloorVerdict,
    Ground,
)
from credit_ct_dagster.contracts.utility import Metric
from credit_ct_dagster.modeling.judging.objections import objections_to
from credit_ct_dagster_tests.decisions.decisions_in_memory import DecisionsInMemory, model_of

_CHAMPION, _NEWER, _OLDER = "2025-03-03", "2025-03-05", "2025-03-01"


def _floor(verdict: FloorVerdict, value: float = 0.31) -> Floor:
    return Floor(what="recall of Poor", value=value, least=0.4, rows=120, verdict=verdict)


def _comparison(low: float, high: float) -> Comparison:
    return Comparison(
        metric=Metric.macro_f1,
        challenger=0.70,
        champion=0.75,
        difference=Estimate(value=(low + high) / 2, low=low, high=high),
        rows=660,
        customers=650,
    )


@pytest.fixture
def decisions() -> DecisionsInMemory:
    """One champion."""
    made = DecisionsInMemory()
    made.add(_CHAMPION, Ground.first, promoted=True, floors=(_floor(FloorVerdict.met, 0.6),))
    return made


def _against(decisions: DecisionsInMemory, base_dt: str) -> tuple[str, ...]:
    run = model_of(base_dt).mlflow_run_id
    return objections_to(base_dt, run, decisions.champion(), decisions.records)


def test_a_model_that_nobody_judged_is_named(decisions: DecisionsInMemory) -> None:
    """Its floors are unknown, and not met."""
    assert _against(decisions, _NEWER) == (
        f"the gate has not judged it (materialize champion_model for {_NEWER})",
    )


def test_everything_that_is_certain_is_named(decisions: DecisionsInMemory) -> None:
    """A floor, the age of the base date, and a comparison, each with its figures."""
    decisions.add(
        _OLDER,
        Ground.below_floor,
        floors=(_floor(FloorVerdict.below), _floor(FloorVerdict.uncertain)),
        comparison=_comparison(-0.09, -0.01),
    )
    assert _against(decisions, _OLDER) == (
        "recall of Poor is 0.310 on 120 rows, below the floor of 0.4",
        f"its base date, {_OLDER}, is older than the champion's, {_CHAMPION}",
        f"it is worse than the champion of {_CHAMPION}, beyond doubt (macro_f1 0.7000 against"
        " 0.7500; difference -0.0500, -0.0900 to -0.0100, on 660 rows)",
    )


def test_what_may_be_chance_is_for_the_person(decisions: DecisionsInMemory) -> None:
    """That is what a promotion by a person is for."""
    decisions.add(
        _NEWER,
        Ground.insufficient_evidence,
        floors=(_floor(FloorVerdict.uncertain),),
        comparison=_comparison(-0.09, 0.01),
    )
    assert _against(decisions, _NEWER) == ()


def test_a_rejection_is_named(decisions: DecisionsInMemory) -> None:
    """Two people should know of each other."""
    decisions.add(_NEWER, Ground.awaiting_approval, floors=(_floor(FloorVerdict.met, 0.6),))
    decisions.add(_NEWER, Ground.rejected, by="Lee")
    decisions.add(_NEWER, Ground.rejected, by=PROBATION)
    assert _against(decisions, _NEWER) == ("Lee has rejected it (decision 3): because",)


@pytest.mark.parametrize(
    ("by", "ground", "sentence", "said"),
    [
        ("Ann", Ground.rolled_back, "Rolled back by Ann: because", "Ann has rolled it back"),
        ("Ann", Ground.person, "Rolled back by Ann: because", "Ann has rolled it back"),
        (PROBATION, Ground.rolled_back, "Rolled back: because.", "probation has rolled it back"),
        ("Ann", Ground.person, "Promoted by Ann: because", None),
    ],
)
def test_a_model_that_was_rolled_back_is_named(
    decisions: DecisionsInMemory, by: str, ground: Ground, sentence: str, said: str | None
) -> None:
    """By whomever, by this release or an earlier one; until it serves again, and goes otherwise."""
    floors = (_floor(FloorVerdict.met, 0.6),)
    decisions.add(_NEWER, Ground.better, promoted=True, floors=floors)
    decisions.add(_CHAMPION, ground, promoted=True, by=by, sentence=sentence)
    assert _against(decisions, _NEWER) == ((f"{said} (decision 3): because",) if said else ())
    decisions.add(_NEWER, Ground.person, promoted=True, by="Bob")
    decisions.add("2025-03-07", Ground.better, promoted=True, floors=floors)
    older = f"its base date, {_NEWER}, is older than the champion's, 2025-03-07"
    assert _against(decisions, _NEWER) == (older,)

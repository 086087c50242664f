"""What a health record says of the day before, and what has not been decided."""

from datetime import timedelta
from typing import Any

import pytest

from credit_ct_dagster.contracts.decision import Decision, DecisionRecord, Ground
from credit_ct_dagster.contracts.health import HealthRecord, ServiceInstance, Severity, Topic
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.probation import (
    ProbationPolicy,
    ProbationRecord,
    ShadowChallenger,
    Verdict,
)
from credit_ct_dagster.modeling.watching.health import Measured, open_decisions_of
from credit_ct_dagster.modeling.watching.health_changes import changes_of
from credit_ct_dagster_tests.modeling.watching import healths
from credit_ct_dagster_tests.modeling.watching.healths import (
    CHAMPION,
    DAY,
    NOW,
    figures,
    measured,
    sentence,
    service,
    volume,
)

_BEFORE = healths.before(DAY, 1)


def _model(number: int) -> ModelIdentity:
    return ModelIdentity(
        base_dt=f"2025-02-{number:02}",
        mlflow_run_id=f"run-{number}",
        dagster_run_id="run",
        data_fingerprint="f" * 32,
        bentoml_tag=f"m:{number}",
        registered_version=str(number),
    )


def _decision(ground: Ground, **changes: Any) -> DecisionRecord:
    fields: dict[str, Any] = {
        "number": 7,
        "time": NOW - timedelta(hours=2),
        "by": "gate",
        "reason": None,
        "dagster_run_id": "run",
        "model": _model(3),
        "before": _model(2),
        "decision": Decision(promoted=False, ground=ground, sentence="Not promoted: so it is."),
        "champion": "2",
        "previous": "1",
    }
    return DecisionRecord(**fields | changes)


def _before(**changes: Any) -> HealthRecord:
    """The record of the day before, on which nothing was wrong."""
    fields: dict[str, Any] = {
        "base_dt": _BEFORE,
        "made_at": NOW - timedelta(days=1),
        "sentences": (sentence(Severity.ok),),
        "days": tuple(figures())[:-1],
    }
    return healths.record(**fields | changes)


def _probation(**changes: Any) -> ProbationRecord:
    fields: dict[str, Any] = {
        "base_dt": DAY,
        "evaluated_at": NOW,
        "policy": ProbationPolicy.alert,
        "may_decide": True,
        "champion": _model(2),
        "previous": _model(1),
        "promotion": 5,
        "since": "2025-02-20",
        "until": "2025-03-20",
        "verdict": Verdict.undecided,
        "sentence": "On 90 answers with a label, m:2 is neither better nor worse.",
    }
    return ProbationRecord(**fields | changes)


def test_a_day_like_the_one_before_has_no_news() -> None:
    """And the first record has nothing to be compared with."""
    same = measured()
    assert changes_of(same, [], _before()) == (f"Nothing: all is as it was on {_BEFORE}.",)
    assert changes_of(same, [], None) == (
        "There is no health record of the day before to compare with.",
    )


def test_problems_that_came_and_went_are_named() -> None:
    """By topic and code: one that stays is no news, whatever its figures are."""
    stays = sentence(Severity.critical, Topic.volume, "100 fewer", code="CT-1")
    before = _before(
        sentences=(
            sentence(Severity.critical, Topic.volume, "90 fewer", code="CT-1"),
            sentence(Severity.warning, Topic.latency, code="CT-2"),
        )
    )
    now = [stays, sentence(Severity.warning, Topic.skew, code="CT-3"), sentence(Severity.notice)]
    assert changes_of(measured(), now, before) == (
        "New: skew (warning, CT-3).",
        "Solved: latency (CT-2).",
    )


def test_another_champion_and_the_decision_on_it_are_named() -> None:
    """Decisions since the record of the day before, whoever took them."""
    old = _decision(Ground.worse, number=6, time=NOW - timedelta(days=3))
    new = _decision(Ground.person, by="Ada", decision=Decision(
        promoted=True, ground=Ground.person, sentence="m:2 serves."
    ))  # fmt: skip
    former = CHAMPION.model_copy(update={"bentoml_tag": "m:1"})
    found = changes_of(measured(decisions=[old, new]), [], _before(champion=former))
    assert found == (
        "m:2 of base date 2025-02-19 is the champion, in place of m:1.",
        "Decision 7 (Ada, 2025-03-05 07:31 Asia/Seoul): m:2 serves.",
    )
    assert changes_of(measured(), [], _before(champion=None)) == (
        "m:2 of base date 2025-02-19 is the champion.",
    )


@pytest.mark.parametrize(
    ("then", "said"),
    [
        ({"status": "degraded"}, ("The service is ready; it was degraded.",)),
        ({"tag": "m:1"}, ("The service answers with m:2; it was m:1.",)),
        (
            {"instances": (ServiceInstance(tag="m:2", since=NOW - timedelta(days=9)),)},
            ("The service was started again at 2025-03-03 09:31 Asia/Seoul.",),
        ),
        ({"status": "not asked", "tag": "m:1"}, (f"Nothing: all is as it was on {_BEFORE}.",)),
    ],
    ids=["status", "tag", "restart", "not asked"],
)
def test_what_the_service_does_otherwise_is_named(
    then: dict[str, Any], said: tuple[str, ...]
) -> None:
    """Its state, its model, and that it was started again."""
    assert changes_of(measured(), [], _before(service=service(**then))) == said


def test_more_or_fewer_and_slower_answers_are_named() -> None:
    """By a fifth or more; the latency by half or more."""
    days = figures(volumes=(volume({"Poor": 30, "Standard": 20, "Good": 20}, p95=30.0),))
    assert changes_of(measured(days=days), [], _before()) == (
        "70 answers over HTTP; the day before 100 (-30%).",
        "95 % of the answers took 30 ms or less; the day before 12 ms.",
    )


def test_labels_that_came_are_counted() -> None:
    """Of days that both records know."""
    known = [each.model_copy(update={"labelled": 10}) for each in figures()]
    then = [each.model_copy(update={"labelled": 4}) for each in figures()][:-1]
    found = changes_of(measured(days=known), [], _before(days=tuple(then)))
    first = known[0].day
    assert found == (f"114 labels came for answers of {first} to {_BEFORE}.",)


def test_a_rollback_that_waits_for_a_person_has_its_command() -> None:
    """It comes before what only waits for labels, and ends when it is decided."""
    challenger = ShadowChallenger(
        model=_model(3), since="2025-03-01", until="2025-03-15", sentence="9 labels so far."
    )
    worse = _probation(verdict=Verdict.worse, in_a_row=1, challengers=(challenger,))
    found = open_decisions_of(measured(probation=worse))
    assert [(each.waits_for, each.command) for each in found] == [
        ("a person", "credit-ct rollback --by NAME --reason TEXT"),
        ("labels", None),
    ]
    assert found[0].what.startswith("m:2 is worse than m:1 beyond doubt, and serves on (policy")
    assert found[1].what == "m:3 of base date 2025-02-03 is in the shadow until 2025-03-15: 9" + (
        " labels so far."
    )
    decided = worse.model_copy(update={"decision": 8, "challengers": ()})
    assert open_decisions_of(measured(probation=decided)) == ()


def test_an_undecided_probation_waits_for_labels() -> None:
    """Since when, and until when at the longest."""
    [found] = open_decisions_of(measured(probation=_probation()))
    assert (found.waits_for, found.command) == ("labels", None)
    assert "m:2 is on probation since 2025-02-20, at the longest until 2025-03-20" in found.what


def _open(ground: Ground, **changes: Any) -> list[str]:
    made: Measured = measured(decisions=[_decision(ground)], **changes)
    return [each.waits_for for each in open_decisions_of(made)]


def test_a_challenger_without_enough_evidence_is_open_until_the_next_decision() -> None:
    """Unless it is in the shadow, which has a line of its own."""
    assert _open(Ground.insufficient_evidence) == ["more holdouts"]
    assert _open(Ground.package_does_not_serve) == ["a person"]
    assert _open(Ground.worse) == []
    shadowed = ShadowChallenger(model=_model(3), since=DAY, until=DAY, sentence="So it is.")
    record = _probation(verdict=None, champion=None, challengers=(shadowed,))
    assert _open(Ground.insufficient_evidence, probation=record) == ["labels"]

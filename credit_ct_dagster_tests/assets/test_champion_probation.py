"""A champion on probation: real decisions, packages and answers, and labels that come later."""

import dagster as dg
import pytest

from credit_ct_dagster.contracts.decision import Ground
from credit_ct_dagster.contracts.probation import Verdict
from credit_ct_dagster.modeling.watching.paired import SHADOW_COLUMNS
from credit_ct_dagster.runs.purposes import AWAITING_APPROVAL, PROMOTED_FROM_SHADOW, ROLLED_BACK
from credit_ct_dagster_tests import served_rows
from credit_ct_dagster_tests.decisions.decided import COMPARISON
from credit_ct_dagster_tests.evidence.shadow_world import ShadowWorld
from credit_ct_dagster_tests.platform import Platform, metadata_of

pytestmark = pytest.mark.integration

_DAYS = ["2025-03-06", "2025-03-07", "2025-03-08", "2025-03-09"]


@pytest.fixture
def world(
    platform: Platform, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> ShadowWorld:
    """A champion of 1 March that is right, and one of 5 March that took its place."""
    world = ShadowWorld(platform, instance, monkeypatch)
    world.decide("2025-03-01", "2025-03-02", Ground.first, promoted=True)
    return world


def _numbers(world: ShadowWorld) -> list[int]:
    return [each.number for each in world.platform.promotions.records()]


def test_a_worse_champion_is_reported_and_rolled_back_by_policy(world: ShadowWorld) -> None:
    """Three evaluations in a row, each with more labels; once; and never by an older day."""
    promotions = world.platform.promotions
    champion = world.decide("2025-03-05", "2025-03-06", Ground.better, promoted=True, right=False)
    found = []
    for day in _DAYS:
        world.serve(day, champion, share_right=0.5)
        world.label(day)
        found.append(world.evaluate(day))
    assert [each.verdict for each in found] == [Verdict.undecided, *[Verdict.worse] * 3]
    assert "only 60 labels are known (min_rows: 100)" in found[0].sentence
    assert [each.in_a_row for each in found] == [1, 1, 2, 3]
    assert "seems worse than the model before (2 of 3 evaluations in a row)" in found[2].sentence
    reported = found[3]
    assert reported.is_worse
    assert reported.sentence.startswith(
        f"Version {champion.registered_version} of base date 2025-03-05 is worse than the model"
    )
    assert "credit-ct rollback --by NAME" in reported.sentence
    assert reported.comparison is not None
    assert reported.comparison.rows == 240
    assert reported.comparison.champion == 1.0  # the model before, by macro-F1
    assert (reported.decision, _numbers(world)) == (None, [1, 2])

    # An older day only reports, whatever the policy; what it found then still counts.
    older = world.evaluate(_DAYS[2], newest=_DAYS[3], probation="rollback")
    assert (older.may_decide, older.in_a_row, older.decision) == (False, 2, None)
    assert _numbers(world) == [1, 2]

    result = world.materialize(_DAYS[3], probation="rollback")
    assert result.success
    rolled_back = world.record(_DAYS[3])
    assert rolled_back.decision == 3
    assert metadata_of(result, "champion_probation")[ROLLED_BACK] == rolled_back.sentence
    [check] = result.get_asset_check_evaluations()
    assert (check.check_name, check.passed) == ("champion_passes_probation", False)
    assert "CT-CHECK-CHAMPION-PASSES-PROBATION" in str(check.description)
    record = promotions.records()[-1]
    assert (record.by, record.decision.ground) == ("probation", Ground.rolled_back)
    assert (record.decision.promoted, record.decision.golden_rows) == (True, 3)
    assert record.decision.sentence.startswith("Rolled back: macro_f1 0.")
    assert "3 evaluations in a row said so" in record.decision.sentence
    assert record.decision.prediction_days == (_DAYS[0], _DAYS[3])
    assert record.decision.comparison is not None
    assert record.decision.comparison.challenger == 1.0
    assert record.decision.comparison.difference.low > 0
    serving, previous = promotions.champion(), promotions.previous()
    assert serving is not None
    assert previous is not None
    assert (serving.base_dt, previous.base_dt) == ("2025-03-01", "2025-03-05")
    assert promotions.agreement().startswith("version 1 of base date 2025-03-01")

    again = world.evaluate(_DAYS[3], probation="rollback")
    assert again.model_copy(update={"evaluated_at": rolled_back.evaluated_at}) == (
        rolled_back.model_copy(update={"dagster_run_id": again.dagster_run_id})
    )
    later = world.evaluate("2025-03-10", probation="rollback")
    assert "came back by decision 3" in later.sentence
    assert later.verdict is None
    assert _numbers(world) == [1, 2, 3]


def test_a_champion_that_is_not_worse_is_confirmed(world: ShadowWorld) -> None:
    """On record, by whom and with which evidence; the model before leaves the shadow."""
    world.decide("2025-03-03", "2025-03-04", Ground.better, promoted=True, right=False)
    champion = world.decide("2025-03-05", "2025-03-06", Ground.better, promoted=True)
    for day in _DAYS[:2]:
        world.serve(day, champion, share_right=0.95, count=100)
        world.label(day)
        record = world.evaluate(day, in_a_row=2)
    assert (record.verdict, record.decision, record.in_a_row) == (Verdict.confirmed, 4, 2)
    decided = world.platform.promotions.records()[-1]
    assert (decided.by, decided.model) == ("probation", champion)
    assert (decided.decision.ground, decided.decision.promoted) == (Ground.confirmed, False)
    assert decided.decision.sentence.startswith("Confirmed: macro_f1 0.9")
    assert world.platform.promotions.champion() == champion
    again = world.evaluate(_DAYS[1], in_a_row=2)
    assert (again.decision, _numbers(world)) == (4, [1, 2, 3, 4])
    world.serve(_DAYS[2], champion, share_right=0.95)
    later = world.evaluate(_DAYS[2])
    assert "ended with decision 4: Confirmed" in later.sentence
    assert world.shadow(_DAYS[2]).empty


def test_a_challenger_in_the_shadow_takes_the_place_of_a_worse_champion(
    world: ShadowWorld,
) -> None:
    """By labels alone where no holdout exists; its package is validated like any other's."""
    [champion] = [each.model for each in world.platform.promotions.records()]
    challenger = world.decide(
        "2025-03-05", "2025-03-06", Ground.no_agreement, promoted=False, comparison=COMPARISON
    )
    for day in _DAYS[:2]:
        world.serve(day, champion, share_right=0.5, count=150)
        world.label(day)
        # What the gate found of its own base date is no other one that agrees.
        [alone] = world.evaluate(day, in_a_row=1, agreeing=2, agreeing_of=2).challengers
        assert (alone.ground, alone.decision) == (Ground.no_agreement, None)
        record = world.evaluate(day, in_a_row=2, promote_from_shadow=day != _DAYS[0])
    [waiting], [promoted] = world.record(_DAYS[0]).challengers, record.challengers
    assert waiting.sentence.startswith(
        "Better, but not promoted (1 of 2 evaluations in a row, and promote_from_shadow is off"
    )
    assert (waiting.decision, promoted.decision) == (None, 3)
    decided = world.platform.promotions.records()[-1]
    assert (decided.by, decided.decision.ground) == ("probation", Ground.better)
    assert decided.decision.golden_rows == 3
    assert "Evidence of the shadow: 300 labelled answers" in decided.decision.sentence
    assert "2 evaluations in a row said so" in decided.decision.sentence
    assert world.platform.promotions.champion() == challenger
    assert world.platform.promotions.previous() == champion
    result = world.materialize(_DAYS[1], in_a_row=2)
    assert [each.decision for each in world.record(_DAYS[1]).challengers] == [3]
    assert _numbers(world) == [1, 2, 3]
    # The run before may have been interrupted, and have told nobody.
    metadata = metadata_of(result, "champion_probation")
    assert metadata[PROMOTED_FROM_SHADOW] == (
        f"The challenger of base date 2025-03-05 is the champion, by decision 3:"
        f" {promoted.sentence}"
    )
    assert ROLLED_BACK not in metadata


def test_a_challenger_in_the_shadow_waits_for_a_person_who_must_approve_it(
    world: ShadowWorld,
) -> None:
    """It leaves the shadow, on record, and the run asks; the champion serves on."""
    [champion] = [each.model for each in world.platform.promotions.records()]
    challenger = world.decide(
        "2025-03-05", "2025-03-06", Ground.no_agreement, promoted=False, comparison=COMPARISON
    )
    world.serve(_DAYS[0], champion, share_right=0.5, count=150)
    world.label(_DAYS[0])
    result = world.materialize(_DAYS[0], in_a_row=1, approval="required")
    decided = world.platform.promotions.records()[-1]
    assert (decided.by, decided.decision.ground) == ("probation", Ground.awaiting_approval)
    assert (decided.model, decided.decision.by_evidence) == (challenger, Ground.better)
    assert world.platform.promotions.champion() == champion
    asked = metadata_of(result, "champion_probation")[AWAITING_APPROVAL]
    assert asked.startswith(decided.decision.sentence)
    assert "credit-ct approve --decision 3 " in asked
    world.evaluate(_DAYS[0], in_a_row=1, approval="required")
    assert _numbers(world) == [1, 2, 3]


def test_of_two_challengers_a_person_is_asked_about_the_better_one(world: ShadowWorld) -> None:
    """Though the other one is newer; it stays in the shadow meanwhile."""
    [champion] = [each.model for each in world.platform.promotions.records()]
    better = world.decide(
        "2025-03-04", "2025-03-06", Ground.no_agreement, promoted=False, comparison=COMPARISON
    )
    world.decide(
        "2025-03-05", "2025-03-06", Ground.no_agreement, promoted=False, comparison=COMPARISON
    )
    world.serve(_DAYS[0], champion, share_right=0.5, count=150)
    world.label(_DAYS[0])
    result = world.materialize(_DAYS[0], in_a_row=1, approval="required")
    [*_, asked] = world.platform.promotions.records()
    assert (_numbers(world), asked.model) == ([1, 2, 3, 4], better)
    assert "--decision 4 " in metadata_of(result, "champion_probation")[AWAITING_APPROVAL]
    found = {each.model.base_dt: each.decision for each in world.record(_DAYS[0]).challengers}
    assert found == {"2025-03-04": 4, "2025-03-05": None}


def test_looks_against_a_former_champion_do_not_count(world: ShadowWorld) -> None:
    """A challenger that the gate compares with a new one begins anew."""
    [champion] = [each.model for each in world.platform.promotions.records()]
    challenger = world.decide(
        "2025-03-04", "2025-03-05", Ground.insufficient_evidence, promoted=False
    )
    world.serve(_DAYS[0], champion, share_right=0.5, count=150)
    world.label(_DAYS[0])
    [found] = world.evaluate(_DAYS[0]).challengers
    assert ([each.day for each in found.looks], found.gate_decision) == ([_DAYS[0]], 2)
    successor = world.decide("2025-03-06", _DAYS[1], Ground.better, promoted=True)
    world.decide_again(challenger, _DAYS[1], Ground.insufficient_evidence)
    world.serve(_DAYS[1], successor, share_right=0.5, count=150)
    world.label(_DAYS[1])
    [found] = world.evaluate(_DAYS[1]).challengers
    assert ([each.day for each in found.looks], found.gate_decision) == ([_DAYS[1]], 4)


def test_a_batch_is_scored_in_the_shadow_as_well(world: ShadowWorld) -> None:
    """From the rows of the feature store; a label that a model may have learned counts for none."""
    champion = world.decide("2025-03-05", "2025-03-06", Ground.better, promoted=True, right=False)
    store = world.platform.store
    dates = {"B1": "2025-03-05", "B2": "2025-03-06", "B3": "2025-03-06"}
    served_rows.describe(store, *((each, each, day, {"age": 20.0}) for each, day in dates.items()))
    served_rows.label(store, *((each, each, day, "Poor") for each, day in dates.items()))
    served_rows.score(
        store, _DAYS[0], *((each, each, day, "Good") for each, day in dates.items()),
        model_name=world.platform.model_name, model_tag=champion.bentoml_tag,
    )  # fmt: skip
    record = world.evaluate(_DAYS[0], min_rows=1, min_customers=1, min_differing_rows=1)
    scored = world.shadow(_DAYS[0]).set_index("customer_id")["predicted"]
    assert scored.to_dict() == dict.fromkeys(dates, "Poor")
    assert record.comparison is not None
    assert (record.comparison.rows, record.comparison.differing) == (2, 2)
    assert record.comparison.challenger == 0.0


def test_a_persons_rollback_ends_a_probation(world: ShadowWorld) -> None:
    """What labels say of the day before is reported, and decides nothing any more."""
    champion = world.decide("2025-03-05", "2025-03-06", Ground.better, promoted=True, right=False)
    world.serve(_DAYS[0], champion, share_right=0.4, count=200)
    world.label(_DAYS[0])
    world.set_clock(_DAYS[1])
    done = world.platform.command("rollback", "--by", "Kim", "--reason", "complaints")
    assert done.exit_code == 0, done.output
    record = world.evaluate(_DAYS[0], probation="rollback", in_a_row=1)
    assert (record.verdict, record.decision) == (Verdict.worse, 3)
    assert "until decision 3: Rolled back by Kim: complaints" in record.sentence
    assert _numbers(world) == [1, 2, 3]


def test_a_model_that_cannot_be_loaded_does_not_score(world: ShadowWorld) -> None:
    """The others do; without its answers, nothing is known. With `off`, nobody looks."""
    champion = world.decide("2025-03-05", "2025-03-06", Ground.better, promoted=True)
    world.decide("2025-03-04", "2025-03-06", Ground.no_agreement, promoted=False)
    world.serve(_DAYS[0], champion, share_right=0.9)
    before = world.platform.promotions.previous()
    assert before is not None
    world.platform.packages.remove([before.bentoml_tag])
    record = world.evaluate(_DAYS[0])
    assert set(world.shadow(_DAYS[0])["role"]) == {"challenger"}
    assert list(world.shadow(_DAYS[0]).columns) == SHADOW_COLUMNS
    assert "undecided so far: no label of any answer is known yet" in record.sentence
    off = world.evaluate(_DAYS[0], probation="off")
    assert "switched off" in off.sentence
    assert off.challengers == ()
    assert world.shadow(_DAYS[0]).empty

"""Who is on probation, and who is in the shadow: by the records of decisions alone."""

from datetime import UTC, datetime, timedelta
from typing import Any

from credit_ct_dagster.contracts.decision import GATE, PROBATION, Decision, DecisionRecord, Ground
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.probation import ProbationPolicy
from credit_ct_dagster.decisions.tenures import (
    came_back_on,
    challengers_on,
    history_of,
    probation_on,
    tags_of,
    tenure_on,
)
from credit_ct_dagster.modeling.watching.probation_rules import ShadowRules
from credit_ct_dagster_tests.decisions.decided import COMPARISON
from credit_ct_dagster_tests.modeling.watching.shadowed import identity

_RULES = ShadowRules()


class _Decisions:
    """Records as `Deciding.record` writes them."""

    def __init__(self) -> None:
        self.records: list[DecisionRecord] = []

    def add(
        self, day: str, base_dt: str, ground: Ground, promoted: bool = False, by: str = GATE
    ) -> DecisionRecord:
        """Decide on the model of a base date, at 09:00 in Seoul of a day."""
        last = self.records[-1] if self.records else None
        version = base_dt[-2:]
        champion = last.champion if last else None
        known: dict[str, ModelIdentity] = {
            each.model.registered_version: each.model for each in self.records
        }
        replaced = promoted and champion != version
        record = DecisionRecord(
            number=len(self.records) + 1,
            time=datetime.fromisoformat(f"{day}T00:00:00").replace(tzinfo=UTC),
            by=by,
            reason=None,
            dagster_run_id=None,
            model=identity(base_dt, version=version),
            before=known.get(champion or ""),
            decision=Decision(
                promoted=promoted, ground=ground, sentence=f"{ground}.", comparison=COMPARISON
            ),
            champion=version if promoted else champion,
            previous=champion if replaced else (last.previous if last else None),
        )
        self.records.append(record)
        return record


def _two_champions() -> _Decisions:
    made = _Decisions()
    made.add("2025-03-02", "2025-03-01", Ground.first, promoted=True)
    made.add("2025-03-11", "2025-03-10", Ground.better, promoted=True)
    return made


def _on(made: _Decisions, day: str, **rules: Any) -> tuple[str | None, str]:
    """The base date of the model before, and the sentence."""
    found, why = probation_on(made.records, day, ShadowRules(**rules))
    return (found.previous.base_dt if found else None), why


def test_a_promoted_model_is_on_probation_from_its_first_day() -> None:
    """The day of the decision in Seoul; before, its predecessor served alone."""
    made = _two_champions()
    assert _on(made, "2025-03-10")[0] is None
    assert "took no other model's place" in _on(made, "2025-03-10")[1]
    assert _on(made, "2025-03-01") == (
        None,
        "No model had been promoted by 2025-03-01, so none was on probation.",
    )
    found, why = probation_on(made.records, "2025-03-11", _RULES)
    assert found is not None
    assert why == ""
    assert (found.champion.base_dt, found.previous.base_dt) == ("2025-03-10", "2025-03-01")
    assert (found.since, found.until, found.ended) == ("2025-03-11", "2025-05-11", None)


def test_a_probation_ends_undecided() -> None:
    """After as many prediction days as configured."""
    made = _two_champions()
    assert _on(made, "2025-03-20", probation_days=10)[0] == "2025-03-01"
    before, why = _on(made, "2025-03-21", probation_days=10)
    assert before is None
    assert "of base date 2025-03-10 ended on 2025-03-20, undecided" in why


def test_a_champion_that_was_confirmed_is_not_on_probation_any_more() -> None:
    """The day before the decision still is, so that a repeated run finds what it has decided."""
    made = _two_champions()
    confirmed = made.add("2025-04-20", "2025-03-10", Ground.confirmed, by=PROBATION)
    found, _ = probation_on(made.records, "2025-04-19", _RULES)
    assert found is not None
    assert found.ended == confirmed
    before, why = _on(made, "2025-04-20")
    assert before is None
    assert why.endswith("ended with decision 3: confirmed.")


def test_a_model_that_came_back_is_on_no_probation() -> None:
    """By probation or by a person: it has served before."""
    for by, ground in ((PROBATION, Ground.rolled_back), ("Kim", Ground.person)):
        made = _two_champions()
        made.add("2025-04-20", "2025-03-01", ground, promoted=True, by=by)
        found, _ = probation_on(made.records, "2025-04-19", _RULES)
        assert found is not None
        assert found.ended == made.records[-1]
        before, why = _on(made, "2025-04-20")
        assert before is None
        assert "came back by decision 3" in why
        assert came_back_on(made.records) == "2025-04-20"
        tenure = tenure_on(made.records, "2025-04-21")
        assert tenure is not None
        assert tenure.is_return


def test_whom_a_person_promotes_is_the_next_on_probation() -> None:
    """It ends the probation before, and the model in service until then goes to the shadow."""
    made = _two_champions()
    made.add("2025-04-20", "2025-03-05", Ground.person, promoted=True, by="Kim")
    assert _on(made, "2025-04-20")[0] == "2025-03-10"
    assert came_back_on(made.records) is None


def test_challengers_without_enough_evidence_are_in_the_shadow() -> None:
    """From the day of the decision on, for 14 days; labels are waited for until day 62."""
    made = _two_champions()
    made.add("2025-03-13", "2025-03-12", Ground.insufficient_evidence)
    made.add("2025-03-14", "2025-03-13", Ground.worse)
    made.add("2025-03-15", "2025-03-14", Ground.no_agreement)
    found = challengers_on(made.records, "2025-03-20", _RULES)
    assert [each.model.base_dt for each in found] == ["2025-03-12", "2025-03-14"]
    assert (found[0].since, found[0].until) == ("2025-03-13", "2025-03-26")
    assert found[0].open_until == "2025-05-13"
    assert [each.model.base_dt for each in challengers_on(made.records, "2025-03-14", _RULES)] == [
        "2025-03-12"
    ]
    assert challengers_on(made.records, "2025-05-14", _RULES)[0].model.base_dt == "2025-03-14"
    assert challengers_on(made.records, "2025-03-12", _RULES) == []


def test_nobody_is_in_the_shadow_where_probation_is_off() -> None:
    """Neither the model before, nor a challenger that could be promoted."""
    made = _two_champions()
    made.add("2025-03-13", "2025-03-12", Ground.insufficient_evidence)
    off = ShadowRules(probation=ProbationPolicy.off)
    assert challengers_on(made.records, "2025-03-20", off) == []


def test_a_challenger_of_an_old_base_date_gets_all_of_its_days() -> None:
    """Only days to come can be scored: a place is held for 14 of them, and not for none."""
    made = _two_champions()
    made.add("2025-04-20", "2025-03-12", Ground.insufficient_evidence)
    [found] = challengers_on(made.records, "2025-04-20", _RULES)
    assert (found.since, found.until) == ("2025-04-20", "2025-05-03")
    assert challengers_on(made.records, "2025-04-19", _RULES) == []


def test_places_in_the_shadow_are_given_in_order() -> None:
    """A later challenger gets one that is free on its first day, or none; none is driven out."""
    made = _two_champions()
    days = [datetime(2025, 3, 12, tzinfo=UTC) + timedelta(days=n) for n in range(20)]
    for day in days:
        base_dt = day.date().isoformat()
        decided_on = (day + timedelta(days=1)).date().isoformat()
        made.add(decided_on, base_dt, Ground.insufficient_evidence)
    rules = ShadowRules(most_challengers=2, shadow_days=5)
    found = challengers_on(made.records, "2025-03-31", rules)
    assert [each.model.base_dt[-2:] for each in found] == [
        "12", "13", "17", "18", "22", "23", "27", "28",
    ]  # fmt: skip
    assert [each.since[-2:] for each in found[:3]] == ["13", "14", "18"]
    assert challengers_on(made.records, "2025-03-31", ShadowRules(most_challengers=0)) == []


def test_challengers_are_judged_against_the_champion_of_now() -> None:
    """Those of a former one leave the shadow when it goes."""
    made = _two_champions()
    made.add("2025-03-13", "2025-03-12", Ground.insufficient_evidence)
    made.add("2025-03-20", "2025-03-19", Ground.better, promoted=True)
    assert challengers_on(made.records, "2025-03-20", _RULES) == []
    assert len(challengers_on(made.records, "2025-03-19", _RULES)) == 1


def test_a_decision_ends_the_time_in_the_shadow() -> None:
    """A repeated run of the day before finds it; the place is free from then on."""
    made = _two_champions()
    made.add("2025-03-13", "2025-03-12", Ground.insufficient_evidence)
    made.add("2025-03-14", "2025-03-13", Ground.insufficient_evidence)
    worse = made.add("2025-03-20", "2025-03-12", Ground.worse, by=PROBATION)
    rules = ShadowRules(most_challengers=1)
    [found] = challengers_on(made.records, "2025-03-19", rules)
    assert found.ended == worse
    assert challengers_on(made.records, "2025-03-20", rules) == []
    made.add("2025-03-22", "2025-03-21", Ground.insufficient_evidence)
    assert challengers_on(made.records, "2025-03-22", rules)[0].model.base_dt == "2025-03-21"


def test_what_ended_the_time_in_the_shadow_holds_when_the_gate_is_asked_again() -> None:
    """On the same model and champion, whatever it says then; looks and days go on as they were."""
    made = _two_champions()
    first = made.add("2025-03-13", "2025-03-12", Ground.insufficient_evidence)
    made.add("2025-03-15", "2025-03-12", Ground.no_agreement)
    [found] = challengers_on(made.records, "2025-03-20", _RULES)
    assert (found.record, found.since) == (first, "2025-03-13")
    worse = made.add("2025-03-20", "2025-03-12", Ground.worse, by=PROBATION)
    made.add("2025-03-21", "2025-03-12", Ground.insufficient_evidence)
    assert challengers_on(made.records, "2025-03-21", _RULES) == []
    [found] = challengers_on(made.records, "2025-03-19", _RULES)
    assert found.ended == worse
    made.add("2025-03-22", "2025-03-12", Ground.worse)
    made.add("2025-03-23", "2025-03-12", Ground.insufficient_evidence)
    assert challengers_on(made.records, "2025-03-23", _RULES) == []


def test_a_challenger_that_is_judged_against_another_champion_begins_anew() -> None:
    """What ended its time against the former one says nothing."""
    made = _two_champions()
    made.add("2025-03-13", "2025-03-12", Ground.insufficient_evidence)
    made.add("2025-03-20", "2025-03-12", Ground.worse, by=PROBATION)
    made.add("2025-03-22", "2025-03-21", Ground.better, promoted=True)
    anew = made.add("2025-03-23", "2025-03-12", Ground.insufficient_evidence)
    [found] = challengers_on(made.records, "2025-03-23", _RULES)
    assert (found.record, found.since, found.ended) == (anew, "2025-03-23", None)


def test_a_base_date_that_is_decided_again_leaves_the_shadow() -> None:
    """The gate's newest word on it counts."""
    made = _two_champions()
    made.add("2025-03-13", "2025-03-12", Ground.insufficient_evidence)
    made.add("2025-03-15", "2025-03-12", Ground.worse)
    assert challengers_on(made.records, "2025-03-15", _RULES) == []


def test_the_model_that_was_rolled_back_does_not_come_back_through_the_shadow() -> None:
    """Even if the gate, asked again, cannot decide between it and the model before."""
    made = _two_champions()
    made.add("2025-04-20", "2025-03-01", Ground.rolled_back, promoted=True, by=PROBATION)
    made.add("2025-04-21", "2025-03-10", Ground.insufficient_evidence)
    made.add("2025-04-22", "2025-04-21", Ground.insufficient_evidence)
    found = challengers_on(made.records, "2025-04-22", _RULES)
    assert [each.model.base_dt for each in found] == ["2025-04-21"]


def test_what_probation_found_is_no_verdict_of_the_gate() -> None:
    """Agreement counts base dates whose holdout judged a challenger."""
    made = _two_champions()
    made.add("2025-03-13", "2025-03-12", Ground.worse)
    made.add("2025-04-20", "2025-03-10", Ground.confirmed, by=PROBATION)
    found = history_of(made.records, made.records[1].model)
    assert [(each.base_dt, each.better) for each in found] == [
        ("2025-03-10", True),
        ("2025-03-12", False),
    ]
    assert [each.champion_version for each in found] == ["01", "10"]


def test_a_challengers_own_verdict_is_no_agreement_with_it() -> None:
    """Its holdout is evidence already."""
    made = _two_champions()
    made.add("2025-03-13", "2025-03-12", Ground.no_agreement)
    made.add("2025-03-14", "2025-03-13", Ground.worse)
    found = history_of(made.records, made.records[1].model, without="2025-03-12")
    assert [each.base_dt for each in found] == ["2025-03-10", "2025-03-13"]


def test_answers_of_a_model_that_was_packaged_again_are_its_own() -> None:
    """By every tag that decisions know."""
    made = _two_champions()
    again = made.records[1].model.model_copy(update={"bentoml_tag": "m:again"})
    assert tags_of(made.records, again) == {"m:2025-03-10", "m:again"}

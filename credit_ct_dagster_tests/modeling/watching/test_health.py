"""The sentences on how the champion does: what is wrong first, with its code and what to do."""

from typing import Any

import pytest

from credit_ct_dagster.contracts.decision import Estimate
from credit_ct_dagster.contracts.health import HealthSentence, ServiceInstance, Severity, Topic
from credit_ct_dagster.contracts.triggers import Trigger, TriggerKind, Watch
from credit_ct_dagster.modeling.watching.finding import CODES
from credit_ct_dagster.modeling.watching.health import (
    HealthRules,
    Measured,
    open_decisions_of,
    sentences_of,
)
from credit_ct_dagster.modeling.watching.health_figures import (
    days_until,
    figures_of,
    volumes_per_source,
)
from credit_ct_dagster_tests.modeling.watching import healths
from credit_ct_dagster_tests.modeling.watching.healths import (
    DAY,
    figures,
    measured,
    service,
    volume,
)


def _sentences(made: Measured, topic: Topic) -> list[HealthSentence]:
    return [each for each in sentences_of(made, HealthRules()) if each.topic == topic]


def _only(made: Measured, topic: Topic) -> HealthSentence:
    [found] = _sentences(made, topic)
    return found


def test_a_healthy_champion_calls_for_nobody() -> None:
    """Which model serves since when, in how many processes; how much and how fast it answers."""
    found = sentences_of(measured(), HealthRules())
    assert {each.severity for each in found} <= {Severity.ok, Severity.notice}
    assert [each.text for each in found][:4] == [
        "m:2 of base date 2025-02-19 serves over HTTP since 2025-03-03 09:31 Asia/Seoul, in 2"
        " processes. It has been the champion since 2025-02-20 10:00 Asia/Seoul (by gate).",
        f"Answers on {DAY}: 100 over HTTP (median of the 14 days before: 100).",
        "Half of the answers over HTTP took 5.0 ms or less, 95 % 12 ms, 99 % 24 ms.",
        "Classes over HTTP: Poor 30%, Standard 50%, Good 20%; on the 14 days before, Poor 30%,"
        " Standard 50%, Good 20%.",
    ]


@pytest.mark.parametrize(
    ("changes", "severity", "code", "said"),
    [
        (
            {"status": "not running"},
            Severity.critical,
            "CT-SERVE-7",
            "Nothing listens at http://serving:8000: whoever asks over HTTP gets no answer.",
        ),
        (
            {"status": "silent", "problems": ("It hangs. See CT-SERVE-7: docs/x.md#y",)},
            Severity.critical,
            "CT-SERVE-7",
            "It hangs.",
        ),
        ({"status": "not ready", "is_known": False}, Severity.critical, "CT-SERVE-6", "(503)"),
        (
            {"tag": "m:1", "instances": (ServiceInstance(tag="m:1"),) * 2},
            Severity.critical,
            "CT-SERVE-6",
            "2 of 2 processes at http://serving:8000 serve m:1 and not the champion, m:2.",
        ),
        (
            {"instances": (ServiceInstance(tag="m:2"), ServiceInstance(tag=None))},
            Severity.critical,
            "CT-SERVE-6",
            "1 of 2 processes at http://serving:8000 serve no model",
        ),
        (
            {"status": "degraded", "problems": ("The log is away. See CT-LOG-1: docs/x.md#y",)},
            Severity.warning,
            "CT-LOG-1",
            "m:2 serves at http://serving:8000, but the service is degraded. The log is away.",
        ),
        ({"is_known": False}, Severity.notice, None, "only with one of its SERVING_API_KEYS"),
        ({"status": "not asked"}, Severity.notice, None, "m:2 of base date 2025-02-19 was the"),
        ({"champion": "m:3", "tag": "m:3", "instances": ()}, Severity.ok, None, "m:3 serves over"),
    ],
)
def test_what_keeps_the_champion_from_answering_comes_first(
    changes: dict[str, Any], severity: Severity, code: str | None, said: str
) -> None:
    """Whatever the service answers, in the words of the one who has to act."""
    found = _only(measured(service=service(**changes)), Topic.serving)
    assert (found.severity, found.code) == (severity, code)
    assert said in found.text
    assert "See CT-" not in found.text
    assert bool(found.action) == bool(found.code)


def test_a_service_that_nobody_uses_need_not_run() -> None:
    """Unless its address was configured, or somebody was answered over HTTP lately."""
    stopped = service(status="not running", is_expected=False)
    asked = _only(measured(service=stopped), Topic.serving)
    batch = [each.model_copy(update={"volumes": (volume(p95=0),)}) for each in figures()]
    unused = _only(measured(service=stopped, days=batch), Topic.serving)
    assert (asked.severity, unused.severity) == (Severity.critical, Severity.notice)


def test_without_a_champion_nobody_is_called_before_there_were_answers() -> None:
    """A fresh install has none yet; where somebody was answered, also in the batch, it was lost."""
    none_yet = [each.model_copy(update={"volumes": ()}) for each in figures()]
    batch = [each.model_copy(update={"volumes": (volume(p95=0),)}) for each in figures()]
    fresh = measured(champion=None, days=none_yet)
    assert {each.severity for each in sentences_of(fresh, HealthRules())} == {Severity.notice}
    for days, severity in (
        (none_yet, Severity.notice),
        (batch, Severity.warning),
        (figures(), Severity.warning),
    ):
        found = _only(measured(champion=None, days=days), Topic.serving)
        assert (found.severity, found.code) == (severity, "CT-SERVE-1")


def test_slow_answers_are_a_warning() -> None:
    """By the limit for 95 % of them."""
    slow = figures(volumes=(volume(p95=251.0),))
    found = _only(measured(days=slow), Topic.latency)
    assert (found.severity, found.code) == (Severity.warning, "CT-HEALTH-4")
    assert "95 % 251 ms" in found.text
    assert "slow_ms" in found.text


@pytest.mark.parametrize(
    ("classes", "is_changed"),
    [
        ({"Poor": 70, "Standard": 25, "Good": 5}, True),
        ({"Poor": 35, "Standard": 50, "Good": 15}, False),
        ({"Poor": 3, "Standard": 1, "Good": 0}, False),
    ],
    ids=["other classes", "chance", "few answers"],
)
def test_other_classes_than_usual_are_a_warning(classes: dict[str, int], is_changed: bool) -> None:
    """Beyond chance, of the same package."""
    found = _only(measured(days=figures(volumes=(volume(classes),))), Topic.classes)
    assert (found.code == "CT-HEALTH-5") == is_changed
    new = _only(measured(days=figures(volumes=(volume(classes, tag="m:3"),))), Topic.classes)
    assert new.severity == Severity.ok
    assert "m:3 has not answered on enough days before" in new.text


def test_answers_of_several_packages_are_named() -> None:
    """As on the day of a promotion."""
    days = figures(volumes=(volume(), volume({"Poor": 1, "Standard": 2, "Good": 1}, tag="m:1")))
    assert "By package: m:2 100, m:1 4." in _only(measured(days=days), Topic.volume).text


def test_what_the_rules_found_has_their_words_and_codes() -> None:
    """One sentence per kind, in place of that of the record; the most urgent first."""
    triggers = tuple(
        Trigger(
            kind=kind,
            code=CODES[kind],
            sentence=f"{kind} is wrong.",
            action=f"Correct {kind}.",
            champion="m:2",
            days=(DAY,),
            fingerprint="f",
        )
        for kind in TriggerKind
    )
    found = sentences_of(measured(watch=Watch(triggers=triggers)), HealthRules())
    wrong = [each for each in found if each.code]
    assert found[: len(wrong)] == tuple(wrong)
    assert {each.code for each in wrong} == set(CODES.values())
    assert [each.topic for each in wrong] == [
        Topic.volume, Topic.skew, Topic.performance, Topic.probation, Topic.drift, Topic.estimated,
    ]  # fmt: skip
    assert {each.severity for each in wrong[:4]} == {Severity.critical}
    assert {each.severity for each in wrong[4:]} == {Severity.warning}


def test_a_record_that_is_missing_is_named_with_what_makes_it() -> None:
    """What is not known is no good news."""
    found = _only(measured(missing={"serving_skew": "it was not made."}), Topic.skew)
    assert (found.severity, found.code) == (Severity.warning, "CT-HEALTH-3")
    assert found.text == f"The record of serving_skew on {DAY} cannot be used: it was not made."
    assert found.action == (
        "Materialize serving_skew, then champion_health, for this prediction day."
    )


def test_a_day_without_answers_is_told() -> None:
    """It is no failure by itself: the rule on volume says when it is one."""
    found = _only(measured(days=figures(volumes=())), Topic.volume)
    assert (found.severity, found.text) == (Severity.notice, f"No answer was given on {DAY}.")


def test_nothing_is_open_without_a_probation_or_a_challenger() -> None:
    """A list that is always full would not be read."""
    assert open_decisions_of(measured()) == ()


def test_days_have_no_gap_and_begin_with_what_is_known() -> None:
    """A day without answers is a day; days before the first answer are none."""
    known = [healths.before(DAY, 3), DAY]
    assert days_until(DAY, known, 62) == [healths.before(DAY, each) for each in (3, 2, 1, 0)]
    assert days_until(DAY, [healths.before(DAY, 90)], 2) == [healths.before(DAY, 1), DAY]
    assert days_until(DAY, [], 62) == [DAY]
    days = figures_of(days_until(DAY, known, 62), {known[0]: (volume(),)}, {}, {}, {})
    none = dict.fromkeys([each.day for each in days[1:]], 0)
    assert volumes_per_source(days) == {"request": {known[0]: 100, **none}}


def test_coverage_is_known_only_where_performance_was_measured() -> None:
    """No answers and no measurement are no share of 0."""
    [day] = figures(1, answers=200, labelled=50, accuracy=Estimate(value=0.7, low=0.6, high=0.8))
    assert day.coverage == 0.25
    assert figures(1)[0].coverage is None
    assert figures(1, answers=0, labelled=0)[0].coverage is None

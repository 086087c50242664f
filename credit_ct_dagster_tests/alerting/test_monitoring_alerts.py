"""What is reported of a run that looked at what was served."""

from collections.abc import Callable

import dagster as dg
import pytest

from credit_ct_dagster.alerting.channels import Kind
from credit_ct_dagster.checks.results import result
from credit_ct_dagster.runs.purposes import (
    MATURING_LABELS,
    MONITORING,
    PROMOTED_FROM_SHADOW,
    ROLLED_BACK,
)
from credit_ct_dagster_tests.alerting.daemon import UI, Daemon
from credit_ct_dagster_tests.alerting.observed_runs import (
    BASE_DT,
    DAYS,
    SENTENCE,
    champion_health,
    model_card,
    sentence_of,
)
from credit_ct_dagster_tests.servers import Receiver

_HEALTH_PAGE = f"{UI}/champion-health/{BASE_DT}"


@dg.asset(partitions_def=DAYS, name="champion_health")
def failing_champion_health() -> None:
    """Fails."""
    raise dg.Failure(SENTENCE, allow_retries=False)


@dg.asset(partitions_def=DAYS)
def champion_probation() -> dg.MaterializeResult[None]:
    """Lets the champion before serve again."""
    return dg.MaterializeResult(metadata={ROLLED_BACK: "m:1 is the champion again."})


@dg.asset(partitions_def=DAYS, name="champion_probation")
def promoting_champion_probation() -> dg.MaterializeResult[None]:
    """Promotes a challenger from the shadow."""
    return dg.MaterializeResult(metadata={PROMOTED_FROM_SHADOW: "m:2 is the champion."})


@dg.asset_check(asset=champion_health)
def volume_is_as_usual(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Warns."""
    return result(
        context,
        passed=False,
        observed=1,
        limit=0,
        sentence="0 answers.",
        severity=dg.AssetCheckSeverity.WARN,
    )


def test_a_run_that_found_nothing_is_no_news(
    daemon: Daemon, receiver: Receiver, run: Callable[..., str], monitor: Callable[..., str]
) -> None:
    """Unlike one that trained."""
    monitor(champion_health)
    daemon.tick()
    assert receiver.received == []
    run(champion_health, model_card)
    daemon.tick()
    assert [each["kind"] for each in receiver.received] == ["run_succeeded"]


def test_what_is_wrong_with_the_champion_is_reported_with_its_page(
    daemon: Daemon, receiver: Receiver, monitor: Callable[..., str]
) -> None:
    """With the sentence and the code of the check, once."""
    run_id = monitor(champion_health, volume_is_as_usual)
    daemon.tick()
    daemon.tick()
    assert receiver.received == [
        {
            "kind": "champion_unhealthy",
            "base_dt": BASE_DT,
            "subject": f"The champion needs attention (volume_is_as_usual): {BASE_DT}",
            "text": sentence_of("volume_is_as_usual", "0 answers."),
            "links": {
                "run": f"{UI}/runs/{run_id}",
                "asset": f"{UI}/assets/champion_health?view=checks&checkDetail=volume_is_as_usual",
                "health": _HEALTH_PAGE,
            },
            "run_id": run_id,
            "code": "CT-CHECK-VOLUME-IS-AS-USUAL",
        }
    ]


@pytest.mark.parametrize(
    ("others", "kind"),
    [
        ([champion_health], Kind.champion_rolled_back),
        ([champion_health, volume_is_as_usual], Kind.champion_rolled_back),
        ([failing_champion_health], Kind.run_failed),
    ],
)
def test_a_rollback_is_reported_whatever_else_happened_in_its_run(
    daemon: Daemon,
    receiver: Receiver,
    monitor: Callable[..., str],
    others: list[object],
    kind: Kind,
) -> None:
    """Also when the page could not be made after it."""
    monitor(champion_probation, *others)
    daemon.tick()
    [alert] = receiver.received
    assert alert["kind"] == kind
    assert "m:1 is the champion again." in alert["text"].splitlines()
    assert alert["links"]["health"] == _HEALTH_PAGE


@pytest.mark.parametrize(
    ("others", "kind"),
    [
        ([champion_health], Kind.champion_promoted),
        ([champion_health, volume_is_as_usual], Kind.champion_unhealthy),
        ([failing_champion_health], Kind.run_failed),
    ],
)
def test_a_promotion_from_the_shadow_is_reported_as_well(
    daemon: Daemon,
    receiver: Receiver,
    monitor: Callable[..., str],
    others: list[object],
    kind: Kind,
) -> None:
    """Another model answers from now on; what is wrong besides comes first."""
    monitor(promoting_champion_probation, *others)
    daemon.tick()
    [alert] = receiver.received
    assert alert["kind"] == kind
    assert "m:2 is the champion." in alert["text"].splitlines()
    if kind == Kind.champion_promoted:
        assert alert["subject"] == f"A challenger from the shadow is the champion: {BASE_DT}"
        assert alert["links"]["health"] == _HEALTH_PAGE


def test_a_failed_run_is_reported_as_any_other(
    daemon: Daemon, receiver: Receiver, monitor: Callable[..., str]
) -> None:
    """With the sentence of the error."""
    monitor(failing_champion_health)
    daemon.tick()
    [alert] = receiver.received
    assert (alert["kind"], alert["code"]) == ("run_failed", "CT-ROWS-1")


def test_days_that_cannot_be_measured_again_are_one_alert(
    daemon: Daemon, receiver: Receiver, instance: dg.DagsterInstance
) -> None:
    """Up to 62 runs a day fail for one reason; runs of other jobs are reported each."""
    for name in (MATURING_LABELS, MATURING_LABELS, MONITORING, MONITORING):
        job = dg.GraphDefinition(name).to_job()
        instance.report_run_failed(instance.create_run_for_job(job), "It was killed.")
    daemon.tick()
    subjects = [each["subject"] for each in receiver.received]
    assert [each.split()[0] for each in subjects] == [MATURING_LABELS, MONITORING, MONITORING]

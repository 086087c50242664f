"""What is reported of a run that looked at what was served, and of a day that nobody looked at."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from credit_ct_dagster.alerting.channels import Kind
from credit_ct_dagster.alerting.events import (
    AlertCursor,
    BaseDateDue,
    HealthDue,
    ReportedEvent,
    pending_events,
)
from credit_ct_dagster.checks.results import result
from credit_ct_dagster.partitions import Calendar
from credit_ct_dagster.resources.trained_model import TrainedModel
from credit_ct_dagster.runs.purposes import (
    MATURING_LABELS,
    MONITORING,
    PROMOTED_FROM_SHADOW,
    ROLLED_BACK,
    TRIGGER_TAG,
)
from credit_ct_dagster_tests.alerting.daemon import UI, Daemon
from credit_ct_dagster_tests.alerting.observed_runs import (
    BASE_DT,
    DAYS,
    SENTENCE,
    model_card,
    sentence_of,
)
from credit_ct_dagster_tests.dagster_internals import freeze_time
from credit_ct_dagster_tests.servers import Receiver

_HEALTH_PAGE = f"{UI}/champion-health/{BASE_DT}"


@dg.asset(partitions_def=DAYS)
def champion_health() -> None:
    """Succeeds."""


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


@pytest.fixture
def monitor(instance: dg.DagsterInstance) -> Callable[..., str]:
    """Runs the job with assets and checks of its own for `BASE_DT`; returns the run's id."""

    def execute(*made: Any) -> str:
        checks = [each for each in made if isinstance(each, dg.AssetChecksDefinition)]
        definitions = dg.Definitions(
            assets=[each for each in made if each not in checks],
            asset_checks=checks,
            jobs=[dg.define_asset_job(MONITORING, selection=dg.AssetSelection.all())],
        )
        job = definitions.resolve_job_def(MONITORING)
        return job.execute_in_process(
            partition_key=BASE_DT, instance=instance, raise_on_error=False
        ).run_id

    return execute


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


def test_a_day_that_nobody_looked_at_is_reported_at_eleven(
    daemon: Daemon, receiver: Receiver, run: Callable[..., str]
) -> None:
    """Not a minute earlier, once, and each day again."""
    run(model_card)
    daemon.tick("10:59")
    receiver.received.clear()
    for at in ("11:00", "11:01", "23:59"):
        daemon.tick(at)
    [alert] = receiver.received
    assert (alert["kind"], alert["base_dt"]) == ("health_missing", BASE_DT)
    assert alert["code"] == "CT-HEALTH-1"
    assert "daily_monitoring_schedule" in alert["text"]
    daemon.now += timedelta(days=1)
    daemon.tick("11:00")
    missing = [each for each in receiver.received if each["kind"] == "health_missing"]
    assert [each["base_dt"] for each in missing] == [BASE_DT, "2025-02-03"]


def test_a_day_that_was_looked_at_is_not_missing(
    daemon: Daemon, receiver: Receiver, monitor: Callable[..., str]
) -> None:
    """And its run is not taken for a training of the base date of that day."""
    run_id = monitor(champion_health)
    daemon.tick("11:00")
    [alert] = receiver.received
    assert alert["kind"] == "base_date_missing"
    assert "No run was started for it" in alert["text"]
    assert run_id not in str(alert)


def test_a_missing_day_is_reported_with_its_run(
    daemon: Daemon, receiver: Receiver, instance: dg.DagsterInstance
) -> None:
    """One that has not ended, in this case."""
    job = dg.GraphDefinition(MONITORING).to_job()
    run = instance.create_run_for_job(job, tags={"dagster/partition": BASE_DT})
    daemon.tick("11:00")
    [missing] = [each for each in receiver.received if each["kind"] == "health_missing"]
    assert "Its run has not ended (NOT_STARTED)" in missing["text"]
    assert missing["links"]["run"].endswith(run.run_id)


def test_a_position_of_an_earlier_release_reports_no_day_before_it(
    instance: dg.DagsterInstance,
) -> None:
    """Nobody had looked at any day then."""
    before = AlertCursor(failed=ReportedEvent(), succeeded=ReportedEvent(), due=BASE_DT)
    stored = before.model_dump_json(exclude={"health_due"})
    cursor, found = AlertCursor.from_json(stored.encode(), "The cursor"), []
    runs = TrainedModel(name="m").runs_on(instance)
    for day in (3, 4):
        with freeze_time(datetime(2025, 2, day, 12, 0, tzinfo=ZoneInfo("Asia/Seoul"))):
            for event, moved in pending_events(runs, Calendar(), cursor):
                found.append(event)
                cursor = moved
    assert found == [None, BaseDateDue("2025-02-03"), HealthDue("2025-02-03")]


def test_a_training_says_which_trigger_started_it(
    daemon: Daemon, receiver: Receiver, instance: dg.DagsterInstance
) -> None:
    """When it has succeeded."""
    tags = {TRIGGER_TAG: "below_floor of m:1, 2025-01-01 to 2025-01-05"}
    dg.materialize([model_card], partition_key=BASE_DT, instance=instance, tags=tags)
    daemon.tick()
    [alert] = receiver.received
    assert alert["kind"] == "run_succeeded"
    assert alert["text"] == (
        "retraining_sensor started it: below_floor of m:1, 2025-01-01 to 2025-01-05"
    )

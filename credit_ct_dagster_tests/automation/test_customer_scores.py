"""When customers are scored: every day, and after another model became the champion."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from credit_ct_dagster.automation.base_date_runs import failed_runs
from credit_ct_dagster.automation.customer_scores import (
    champion_scores_sensor,
    daily_customer_scores_schedule,
)
from credit_ct_dagster.contracts.customer_scores import CustomerScoresSummary
from credit_ct_dagster.contracts.decision import Decision, DecisionRecord, Ground
from credit_ct_dagster.contracts.files import DECISION_FILE, MODEL_FOLDER, SCORES_FOLDER
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.splits import Quarantine
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.io_managers.decisions import DecisionRecords
from credit_ct_dagster.resources.trained_model import TrainedModel
from credit_ct_dagster.runs.hours import Hours
from credit_ct_dagster_tests.automation.base_dates import DEFINITIONS, NEWEST, FixedCalendar

_TICK = datetime(2025, 3, 11, 8, 0, tzinfo=ZoneInfo("Asia/Seoul"))
_EARLIER = "2025-03-09"


def _decide(artifacts: ArtifactsIOManager, champion: str, base_dt: str = NEWEST) -> None:
    """Put a decision on record, by which a version is the champion."""
    decisions = DecisionRecords(artifacts)
    model = ModelIdentity(
        base_dt=base_dt,
        mlflow_run_id="m",
        dagster_run_id="d",
        data_fingerprint="f",
        registered_version=champion,
    )
    record = DecisionRecord(
        number=decisions.read().next_number,
        time=datetime.now(UTC),
        by="gate",
        reason=None,
        dagster_run_id=None,
        model=model,
        before=None,
        decision=Decision(promoted=True, ground=Ground.better, sentence="It is better."),
        champion=champion,
        previous=None,
    )
    decisions.append(record)
    artifacts.write(MODEL_FOLDER, base_dt, {DECISION_FILE: record})


def _scored(
    artifacts: ArtifactsIOManager, version: str, base_dt: str = NEWEST, refused: float = 0.0
) -> None:
    """Let a version have scored a base date."""
    summary = CustomerScoresSummary(
        base_dt=base_dt,
        customers="of_base_date",
        model=ModelIdentity(
            base_dt=base_dt,
            mlflow_run_id="m",
            dagster_run_id="d",
            data_fingerprint="f",
            registered_version=version,
        ),
        dagster_run_id="d",
        scored_at=datetime.now(UTC),
        rows=1,
        classes={"Poor": 1},
        not_most_probable=0,
        flagged=None,
        quarantine=Quarantine(rows=0, share=refused, max_share=0.02, per_rule={}, sentence=""),
        training=None,
        seconds=1.0,
    )
    artifacts.write(SCORES_FOLDER, base_dt, {summary.FILE: summary})


def _schedule(artifacts: ArtifactsIOManager) -> str:
    """Why the schedule skips, or the base date that it scores."""
    with dg.build_schedule_context(
        scheduled_execution_time=_TICK,
        repository_def=DEFINITIONS.get_repository_def(),
        resources={"calendar": FixedCalendar(), "artifacts": artifacts},
    ) as context:
        tick = daily_customer_scores_schedule(Hours()).evaluate_tick(context)
    requested = [request.partition_key or "" for request in tick.run_requests or []]
    return tick.skip_message or requested[0]


def _sensor(
    instance: dg.DagsterInstance, artifacts: ArtifactsIOManager, cursor: str | None
) -> tuple[str, str | None]:
    """Why the sensor skips, or the key of the run that it starts; and its cursor."""
    with dg.build_sensor_context(
        instance=instance,
        cursor=cursor,
        resources={"artifacts": artifacts},
        repository_def=DEFINITIONS.get_repository_def(),
    ) as context:
        tick = champion_scores_sensor.evaluate_tick(context)
    requested = [request.run_key or "" for request in tick.run_requests or []]
    return tick.skip_message or requested[0], tick.cursor


def test_the_schedule_scores_yesterday_once_there_is_a_champion(
    artifacts: ArtifactsIOManager,
) -> None:
    """And not again with the same one, unless too many rows were refused."""
    assert _schedule(artifacts) == "No model was promoted yet"
    _decide(artifacts, "1")
    assert _schedule(artifacts) == NEWEST
    _scored(artifacts, "1", refused=0.5)
    assert _schedule(artifacts) == NEWEST
    _scored(artifacts, "1")
    assert _schedule(artifacts) == f"Version 1 has scored base date {NEWEST} already"
    _decide(artifacts, "2")
    assert _schedule(artifacts) == NEWEST


def test_the_schedule_is_after_training(artifacts: ArtifactsIOManager) -> None:
    """At 08:00 in Seoul."""
    schedule = daily_customer_scores_schedule(Hours())
    assert schedule.cron_schedule == "0 8 * * *"
    assert schedule.execution_timezone == "Asia/Seoul"


def test_a_promotion_scores_the_newest_trained_base_date(
    instance: dg.DagsterInstance, artifacts: ArtifactsIOManager
) -> None:
    """Once per promotion, also when an earlier champion returns; a decision to stay does not."""
    answer, cursor = _sensor(instance, artifacts, None)
    assert answer == "No model was promoted yet"
    _decide(artifacts, "1", _EARLIER)
    answer, cursor = _sensor(instance, artifacts, cursor)
    assert answer == f"{_EARLIER}/000001.json"
    assert _sensor(instance, artifacts, cursor)[0] == "No decision since the last tick"
    _decide(artifacts, "1")
    answer, cursor = _sensor(instance, artifacts, cursor)
    assert answer == "Version 1 is still the champion"
    _decide(artifacts, "2")
    answer, cursor = _sensor(instance, artifacts, cursor)
    assert answer == f"{NEWEST}/000003.json"
    _decide(artifacts, "1", _EARLIER)
    answer, cursor = _sensor(instance, artifacts, cursor)
    assert answer == f"{NEWEST}/000004.json"
    _decide(artifacts, "2", _EARLIER)
    _scored(artifacts, "2")
    answer, _ = _sensor(instance, artifacts, cursor)
    assert answer == f"Version 2 has scored base date {NEWEST} already"


def test_a_promotion_scores_again_what_was_scored_before_its_labels_came(
    instance: dg.DagsterInstance, artifacts: ArtifactsIOManager
) -> None:
    """Yesterday was scored by the old champion, and cannot be trained yet."""
    _decide(artifacts, "1", _EARLIER)
    _, cursor = _sensor(instance, artifacts, None)
    _scored(artifacts, "1", NEWEST)
    _decide(artifacts, "2", _EARLIER)
    answer, _ = _sensor(instance, artifacts, cursor)
    assert answer == f"{NEWEST}/000002.json"


def test_a_sensor_without_memory_waits_for_the_next_promotion(
    instance: dg.DagsterInstance, artifacts: ArtifactsIOManager
) -> None:
    """Also when its cursor cannot be read."""
    _decide(artifacts, "1")
    for cursor in (None, "{", '{"version": 99}'):
        answer, _ = _sensor(instance, artifacts, cursor)
        assert answer == "Version 1 is the champion: waiting for another one"


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS])
def test_runs_that_score_do_not_count_for_training(
    instance: dg.DagsterInstance, status: dg.DagsterRunStatus
) -> None:
    """A failed training stays the newest one, and a failed scoring does not delay it."""
    tags = {"dagster/partition": NEWEST}
    for name, ended in (
        ("continuous_training", dg.DagsterRunStatus.FAILURE),
        ("customer_scores_job", status),
    ):

        @dg.job(name=name)
        def job() -> None: ...

        instance.create_run_for_job(job, tags=tags, status=ended)
    failed = failed_runs(TrainedModel(name="m").runs_on(instance), NEWEST)
    assert [each.dagster_run.job_name for each in failed] == ["continuous_training"]

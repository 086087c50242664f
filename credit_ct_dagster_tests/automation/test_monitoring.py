"""When what was served is looked at: every day, and again when labels arrive."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from credit_ct_dagster.automation import monitoring
from credit_ct_dagster.automation.base_date_runs import failed_runs, is_in_progress, was_started
from credit_ct_dagster.automation.monitoring import (
    daily_monitoring_schedule,
    maturing_labels_sensor,
)
from credit_ct_dagster.resources.feature_store.arrivals import Arrivals
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.resources.trained_model import TrainedModel
from credit_ct_dagster.runs.hours import Hours
from credit_ct_dagster.runs.model_runs import MODEL_TAG
from credit_ct_dagster.runs.purposes import (
    CONTINUOUS_TRAINING,
    CUSTOMER_SCORES,
    MATURING_LABELS,
    MONITORING,
)
from credit_ct_dagster_tests import served_rows
from credit_ct_dagster_tests.automation.base_dates import DEFINITIONS, NEWEST, FixedCalendar
from credit_ct_dagster_tests.dagster_internals import create_run_for_test

_SCORED = ["2025-01-07", "2025-02-10", "2025-02-11"]
_STARTED = datetime(2025, 3, 11, 3, 0, tzinfo=UTC)
_Tick = Callable[..., tuple[list[str], str | None]]


def _customer(day: str) -> str:
    """The one customer who was scored on a day."""
    return f"c{day[5:]}"


@pytest.fixture
def served(store_url: str) -> FeatureStore:
    """Three days with scores of the customer of each day, and a ledger that has begun."""
    store = FeatureStore(url=store_url)
    store.create_missing_tables()
    for day in _SCORED:
        served_rows.describe(store, (day, _customer(day), day, {}))
        served_rows.score(store, day, (day, _customer(day), day, "Poor"))
    Arrivals(store.database).record(now=_STARTED - timedelta(days=1))
    return store


@pytest.fixture
def arrive(served: FeatureStore) -> Callable[[str, datetime], None]:
    """Lets a label of the customer of a day arrive."""

    def label(day: str, moment: datetime) -> None:
        served_rows.label(served, (day, _customer(day), day, "Good"))
        Arrivals(served.database).record(now=moment)

    return label


@pytest.fixture
def tick(
    instance: dg.DagsterInstance, served: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> _Tick:
    """Evaluates the sensor at a moment; the days that it starts, or why it skips, and its cursor.

    Without a cursor, it is the one of the tick before.
    """
    cursors: list[str | None] = [None]

    def evaluate(at: datetime, cursor: str | None = None) -> tuple[list[str], str | None]:
        monkeypatch.setattr(monitoring.time, "time", at.timestamp)
        with dg.build_sensor_context(
            instance=instance,
            cursor=cursor or cursors[-1],
            resources={
                "feature_store": served,
                "calendar": FixedCalendar(),
                "trained_model": TrainedModel(name=served_rows.MODEL),
            },
            repository_def=DEFINITIONS.get_repository_def(),
        ) as context:
            found = maturing_labels_sensor.evaluate_tick(context)
        cursors.append(found.cursor)
        return [str(each.run_key) for each in found.run_requests or []], found.skip_message

    return evaluate


def _keys(days: Sequence[str], today: str = "2025-03-11") -> list[str]:
    return [f"{day}/{today}" for day in days]


def test_a_day_is_measured_again_when_a_label_of_its_answers_arrives(
    tick: _Tick, arrive: Callable[[str, datetime], None]
) -> None:
    """That day and no other; the same label, loaded once more, is no arrival."""
    assert tick(_STARTED) == ([], "No label of an answer has arrived since the last tick")
    arrive(_SCORED[1], _STARTED + timedelta(minutes=20))
    assert tick(_STARTED + timedelta(minutes=30))[0] == _keys([_SCORED[1]])
    assert tick(_STARTED + timedelta(hours=1))[0] == []
    arrive(_SCORED[1], _STARTED + timedelta(hours=1))
    assert tick(_STARTED + timedelta(hours=2))[0] == []
    arrive(_SCORED[2], _STARTED + timedelta(hours=2, minutes=5))
    assert tick(_STARTED + timedelta(hours=3))[0] == _keys([_SCORED[2]])


def test_a_day_whose_labels_go_on_arriving_is_measured_tomorrow(
    tick: _Tick, arrive: Callable[[str, datetime], None], served: FeatureStore
) -> None:
    """Nothing that arrived is forgotten, and a day does not start twice on one day."""
    tick(_STARTED)
    arrive(_SCORED[1], _STARTED + timedelta(minutes=20))
    tick(_STARTED + timedelta(minutes=30))
    served_rows.label(served, ("another id", _customer(_SCORED[1]), _SCORED[1], "Poor"))
    Arrivals(served.database).record(now=_STARTED + timedelta(minutes=50))
    keys, skipped = tick(_STARTED + timedelta(hours=1))
    assert (keys, skipped) == (
        [], "Further labels of 1 days, which were measured today already",
    )  # fmt: skip
    midnight_in_seoul = datetime(2025, 3, 11, 15, 0, tzinfo=UTC)
    assert tick(midnight_in_seoul)[0] == _keys([_SCORED[1]], "2025-03-12")
    assert tick(midnight_in_seoul + timedelta(hours=1))[0] == []


@pytest.mark.parametrize("cursor", ["{", '{"version": 99}'])
def test_without_memory_everything_of_the_last_days_is_measured_again(
    tick: _Tick, arrive: Callable[[str, datetime], None], cursor: str
) -> None:
    """The newest first; a day beyond two label windows is left as it is."""
    for day in _SCORED:
        arrive(day, _STARTED)
    newest_first = _keys([_SCORED[2], _SCORED[1]])
    assert tick(_STARTED + timedelta(hours=1), cursor)[0] == newest_first


def test_a_day_whose_run_failed_is_measured_tomorrow(
    tick: _Tick,
    arrive: Callable[[str, datetime], None],
    instance: dg.DagsterInstance,
) -> None:
    """No further label has to arrive for it; one that succeeded is done."""
    tick(_STARTED)
    for day, status in (
        (_SCORED[1], dg.DagsterRunStatus.FAILURE), (_SCORED[2], dg.DagsterRunStatus.SUCCESS),
    ):  # fmt: skip
        arrive(day, _STARTED + timedelta(minutes=20))
        tick(_STARTED + timedelta(minutes=30))
        _run(instance, MATURING_LABELS, status, day=day)
    assert tick(_STARTED + timedelta(hours=1))[0] == []
    tomorrow = _STARTED + timedelta(days=1)
    assert tick(tomorrow)[0] == _keys([_SCORED[1]], "2025-03-12")


def test_labels_do_not_get_lost_between_two_ticks(
    tick: _Tick, arrive: Callable[[str, datetime], None]
) -> None:
    """A transaction that recorded them ends after the tick, with an earlier time."""
    tick(_STARTED)
    arrive(_SCORED[1], _STARTED - timedelta(minutes=5))
    assert tick(_STARTED + timedelta(minutes=30))[0] == _keys([_SCORED[1]])


def _schedule(instance: dg.DagsterInstance, hour: int) -> str:
    """Why the schedule skips, or the day that it starts."""
    at = datetime(2025, 3, 11, hour, 30, tzinfo=ZoneInfo("Asia/Seoul"))
    with dg.build_schedule_context(
        instance=instance,
        scheduled_execution_time=at,
        repository_def=DEFINITIONS.get_repository_def(),
        resources={
            "calendar": FixedCalendar(),
            "trained_model": TrainedModel(name=served_rows.MODEL),
        },
    ) as context:
        tick = daily_monitoring_schedule(Hours()).evaluate_tick(context)
    requested = [each.partition_key or "" for each in tick.run_requests or []]
    return tick.skip_message or requested[0]


def test_yesterday_is_looked_at_once_every_morning(instance: dg.DagsterInstance) -> None:
    """At 09:30 in Seoul, after customers were scored; an hour later only if that run failed."""
    schedule = daily_monitoring_schedule(Hours())
    assert schedule.cron_schedule == "30 9,10 * * *"
    assert schedule.execution_timezone == "Asia/Seoul"
    _run(instance, CUSTOMER_SCORES, dg.DagsterRunStatus.SUCCESS)
    assert _schedule(instance, 9) == NEWEST
    _run(instance, MONITORING, dg.DagsterRunStatus.FAILURE)
    assert _schedule(instance, 10) == NEWEST
    _run(instance, MONITORING, dg.DagsterRunStatus.STARTED)
    assert _schedule(instance, 10) == f"{NEWEST} was looked at already"


def test_it_waits_an_hour_for_scores_that_are_being_written(instance: dg.DagsterInstance) -> None:
    """A day that is scored late has not lost its answers; what takes longer is news."""
    _run(instance, CUSTOMER_SCORES, dg.DagsterRunStatus.STARTING)
    assert _schedule(instance, 9) == f"Customers of {NEWEST} are being scored: waiting for an hour"
    assert _schedule(instance, 10) == NEWEST


def _run(
    instance: dg.DagsterInstance,
    job_name: str,
    status: dg.DagsterRunStatus,
    selection: set[dg.AssetKey] | None = None,
    day: str = NEWEST,
) -> None:
    create_run_for_test(
        instance,
        job_name=job_name,
        tags={"dagster/partition": day, MODEL_TAG: served_rows.MODEL},
        status=status,
        asset_selection=frozenset(selection) if selection else None,
    )


@pytest.mark.parametrize(
    ("job", "selection"),
    [
        (MONITORING, None),
        (MATURING_LABELS, None),
        ("__ASSET_JOB", {dg.AssetKey("served_performance"), dg.AssetKey("champion_health")}),
    ],
)
def test_runs_that_monitor_do_not_count_for_training(
    instance: dg.DagsterInstance, job: str, selection: set[dg.AssetKey] | None
) -> None:
    """Neither in progress, nor succeeded, nor failed; also when a person selected the assets."""
    runs = TrainedModel(name=served_rows.MODEL).runs_on(instance)
    _run(instance, CONTINUOUS_TRAINING, dg.DagsterRunStatus.FAILURE)
    for status in (
        dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE,
    ):  # fmt: skip
        _run(instance, job, status, selection)
        assert not is_in_progress(runs, NEWEST)
        assert not was_started(runs, NEWEST)
        [failed] = failed_runs(runs, NEWEST)
        assert failed.dagster_run.job_name == CONTINUOUS_TRAINING
    _run(instance, "__ASSET_JOB", dg.DagsterRunStatus.STARTED, {dg.AssetKey("tuned_runs")})
    assert is_in_progress(runs, NEWEST)

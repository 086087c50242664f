"""What trains a base date again."""

import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from credit_ct_dagster.automation import base_date_runs
from credit_ct_dagster.automation.base_date_runs import ROWS_TAG
from credit_ct_dagster.automation.data_sensors import late_data_sensor
from credit_ct_dagster.automation.schedules import daily_training_schedule
from credit_ct_dagster.contracts.files import PREPROCESSING_FOLDER, SPLITS_SUMMARY_FILE
from credit_ct_dagster.evidence.merged_rows import FEATURES_TARGET, POINT_IN_TIME
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.rows.splitting import data_fingerprint
from credit_ct_dagster.partitions import Calendar
from credit_ct_dagster.resources.arrival import ArrivalRules
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.resources.trained_model import TrainedModel
from credit_ct_dagster.runs.hours import Hours
from credit_ct_dagster_tests.automation.base_dates import (
    DEFINITIONS,
    NEWEST,
    FixedCalendar,
    labels_of,
    new_data,
    run_of,
    touch,
)
from credit_ct_dagster_tests.automation.splits import summary_of

_SUCCESS, _FAILURE = dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE
_about_runs = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
"""What decides is the history of runs, not how a database answers."""


def _late_tick(
    instance: dg.DagsterInstance, store: FeatureStore, artifacts: ArtifactsIOManager
) -> Any:
    with dg.build_sensor_context(
        instance=instance,
        resources={
            "feature_store": store,
            "artifacts": artifacts,
            "calendar": FixedCalendar(),
            "arrival": ArrivalRules(late_days=3),
            "trained_model": TrainedModel(name="m"),
        },
        repository_def=DEFINITIONS.get_repository_def(),
    ) as context:
        return late_data_sensor.evaluate_tick(context)


def _late(
    instance: dg.DagsterInstance, store: FeatureStore, artifacts: ArtifactsIOManager
) -> list[str]:
    """The base dates that the sensor starts again."""
    tick = _late_tick(instance, store, artifacts)
    return [request.partition_key or "" for request in tick.run_requests or []]


def test_late_rows_start_exactly_their_base_dates_again(
    instance: dg.DagsterInstance, store: FeatureStore, artifacts: ArtifactsIOManager
) -> None:
    """A changed label does, the same value written again does not."""
    days = [(date.fromisoformat(NEWEST) - timedelta(days=n)).isoformat() for n in range(3)]
    for day in days:
        store.merge(day)
        summary = summary_of(data_fingerprint(store.read(day)))
        artifacts.write(PREPROCESSING_FOLDER, day, {SPLITS_SUMMARY_FILE: summary})
    assert _late(instance, store, artifacts) == []
    [(label_id, score)] = labels_of(store, days[1])
    touch(store, f"UPDATE credit_score SET credit_score = '{score}' WHERE id = '{label_id}'")
    assert _late(instance, store, artifacts) == []
    other = "Good" if score == "Poor" else "Poor"
    touch(store, f"UPDATE credit_score SET credit_score = '{other}' WHERE id = '{label_id}'")
    assert _late(instance, store, artifacts) == days[:2], "its window and that of the next day"
    run_of(instance, days[0], dg.DagsterRunStatus.STARTED)
    assert _late(instance, store, artifacts) == [days[1]]


@_about_runs
@pytest.mark.parametrize("merged", [{POINT_IN_TIME: True}, {}])
def test_a_base_date_is_merged_again_as_before_whatever_is_the_default(
    instance: dg.DagsterInstance,
    store: FeatureStore,
    artifacts: ArtifactsIOManager,
    merged: dict[str, bool],
) -> None:
    """Else its rows would differ for ever; a merge that did not report it gets the default."""
    instance.report_runless_asset_event(
        dg.AssetMaterialization(FEATURES_TARGET, partition=NEWEST, metadata=merged)
    )
    artifacts.write(PREPROCESSING_FOLDER, NEWEST, {SPLITS_SUMMARY_FILE: summary_of("0" * 32)})
    [request] = _late_tick(instance, store, artifacts).run_requests
    configured = {"ops": {"features_target": {"config": merged}}} if merged else {}
    assert request.run_config == configured


@pytest.mark.parametrize("point_in_time", [True, False])
def test_features_of_a_later_day_are_late_data_only_for_a_merge_that_takes_them(
    instance: dg.DagsterInstance,
    store: FeatureStore,
    artifacts: ArtifactsIOManager,
    point_in_time: bool,
) -> None:
    """Rows are compared, and merged again, as the newest merge was configured."""
    store.merge(NEWEST, point_in_time=point_in_time)
    summary = summary_of(data_fingerprint(store.read(NEWEST)))
    artifacts.write(PREPROCESSING_FOLDER, NEWEST, {SPLITS_SUMMARY_FILE: summary})
    merged = {POINT_IN_TIME: point_in_time}
    instance.report_runless_asset_event(
        dg.AssetMaterialization(FEATURES_TARGET, partition=NEWEST, metadata=merged)
    )
    assert _late(instance, store, artifacts) == []
    day = (date.fromisoformat(NEWEST) - timedelta(days=1)).isoformat()
    [(label_id, _)] = labels_of(store, day)
    columns = ", ".join(schema.FEATURE_COLUMNS[3:])
    touch(
        store,
        f"INSERT INTO credit_score_features (id, customer_id, date, {columns})"
        f" SELECT id, customer_id, '{NEWEST}', {columns.replace('age', 'age + 1', 1)}"
        f" FROM credit_score_features WHERE id = '{label_id}'",
    )
    requests = _late_tick(instance, store, artifacts).run_requests or []
    if point_in_time:
        assert requests == []
    else:
        [request] = requests
        assert request.run_config == {"ops": {"features_target": {"config": merged}}}


@pytest.fixture
def trained_on(
    instance: dg.DagsterInstance, store: FeatureStore, artifacts: ArtifactsIOManager
) -> Callable[..., None]:
    """Does what a run that a sensor requested does: writes its splits, and ends."""

    def train(request: dg.RunRequest, status: dg.DagsterRunStatus = _SUCCESS) -> None:
        base_dt, rows = str(request.partition_key), request.tags[ROWS_TAG]
        artifacts.write(PREPROCESSING_FOLDER, base_dt, {SPLITS_SUMMARY_FILE: summary_of(rows)})
        run_of(
            instance, base_dt, status, **request.tags, **{"dagster/run_key": request.run_key or ""}
        )

    return train


@pytest.fixture
def states(store: FeatureStore) -> tuple[Callable[[], None], Callable[[], None]]:
    """Sets a label of the newest base date to one value, or to another one."""
    [(label_id, _)] = labels_of(store, NEWEST)

    def label(score: str) -> Callable[[], None]:
        statement = f"UPDATE credit_score SET credit_score = '{score}' WHERE id = '{label_id}'"
        return lambda: touch(store, statement)

    return label("Poor"), label("Good")


@_about_runs
def test_rows_that_come_back_are_trained_on_again(
    instance: dg.DagsterInstance,
    store: FeatureStore,
    artifacts: ArtifactsIOManager,
    trained_on: Callable[..., None],
    states: tuple[Callable[[], None], Callable[[], None]],
) -> None:
    """A, B, A, B: Dagster starts one run per key, so each of them has a key of its own."""
    a, b = states
    a()
    summary = summary_of("of nothing")
    artifacts.write(PREPROCESSING_FOLDER, NEWEST, {SPLITS_SUMMARY_FILE: summary})
    keys = []
    for change in (a, b, a, b):
        change()
        [request] = _late_tick(instance, store, artifacts).run_requests or []
        trained_on(request)
        keys.append(request.run_key)
        assert _late(instance, store, artifacts) == []
    assert len(set(keys)) == 4


@_about_runs
@pytest.mark.parametrize("splits_were_written", [False, True])
def test_a_late_run_that_failed_is_tried_again_later_and_later(
    instance: dg.DagsterInstance,
    store: FeatureStore,
    artifacts: ArtifactsIOManager,
    trained_on: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    splits_were_written: bool,
) -> None:
    """After ten minutes, then after an hour; also when it failed after writing its splits."""
    artifacts.write(PREPROCESSING_FOLDER, NEWEST, {SPLITS_SUMMARY_FILE: summary_of("older")})
    keys, now = [], time.time()
    for minutes in (11, 61):
        [request] = _late_tick(instance, store, artifacts).run_requests or []
        keys.append(request.run_key)
        trained_on(request, _FAILURE)
        if not splits_were_written:
            artifacts.write(
                PREPROCESSING_FOLDER, NEWEST, {SPLITS_SUMMARY_FILE: summary_of("older")}
            )
        waiting = _late_tick(instance, store, artifacts)
        assert waiting.run_requests == []
        assert f"The last run of base date {NEWEST} failed" in (waiting.skip_message or "")
        now += 60 * minutes
        monkeypatch.setattr(base_date_runs.time, "time", lambda now=now: now)
    [request] = _late_tick(instance, store, artifacts).run_requests or []
    assert len({*keys, request.run_key}) == 3


@_about_runs
def test_other_rows_do_not_wait_for_those_that_failed(
    instance: dg.DagsterInstance,
    store: FeatureStore,
    artifacts: ArtifactsIOManager,
    trained_on: Callable[..., None],
    states: tuple[Callable[[], None], Callable[[], None]],
) -> None:
    """They may be the correction."""
    a, b = states
    artifacts.write(PREPROCESSING_FOLDER, NEWEST, {SPLITS_SUMMARY_FILE: summary_of("older")})
    a()
    [request] = _late_tick(instance, store, artifacts).run_requests or []
    trained_on(request, _FAILURE)
    b()
    assert _late(instance, store, artifacts) == [NEWEST]


@_about_runs
@pytest.mark.parametrize("status", [_SUCCESS, dg.DagsterRunStatus.STARTED])
def test_runs_of_another_model_do_not_count(
    instance: dg.DagsterInstance,
    store: FeatureStore,
    artifacts: ArtifactsIOManager,
    status: dg.DagsterRunStatus,
) -> None:
    """The schedule and both sensors start the base date of their own model."""
    run_of(instance, NEWEST, status, credit_ct__model="other")
    tick = datetime(2025, 3, 11, 6, 0, tzinfo=ZoneInfo("Asia/Seoul"))
    context = dg.build_schedule_context(instance=instance, scheduled_execution_time=tick)
    requested = daily_training_schedule(Hours())(
        context, calendar=Calendar(), trained_model=TrainedModel(name="m")
    )
    assert isinstance(requested, dg.RunRequest)
    cursor = None
    for _ in range(3):
        outcome, cursor = new_data(instance, store, cursor)
    assert outcome == NEWEST
    artifacts.write(PREPROCESSING_FOLDER, NEWEST, {SPLITS_SUMMARY_FILE: summary_of("older")})
    assert _late(instance, store, artifacts) == [NEWEST]

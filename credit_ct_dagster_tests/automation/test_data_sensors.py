"""What starts a base date, and what trains it again."""

import time
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from credit_ct_dagster.automation import base_date_runs
from credit_ct_dagster.automation.base_date_runs import key_of_next_run
from credit_ct_dagster.automation.schedules import daily_training_schedule
from credit_ct_dagster.loading.sample_data import generate
from credit_ct_dagster.partitions import Calendar
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.resources.trained_model import TrainedModel
from credit_ct_dagster.runs.hours import Hours
from credit_ct_dagster.runs.model_runs import ModelRuns
from credit_ct_dagster_tests.automation.base_dates import (
    NEWEST,
    new_data,
    run_of,
    touch,
)

_SUCCESS, _FAILURE = dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE


def test_a_base_date_starts_when_its_rows_no_longer_change(
    instance: dg.DagsterInstance, store: FeatureStore
) -> None:
    """Not while rows still arrive, and never again once it runs."""
    outcome, cursor = new_data(instance, store)
    assert "unchanged for 0 of 2 minutes" in outcome
    outcome, cursor = new_data(instance, store, cursor)
    assert "unchanged for 1 of 2 minutes" in outcome
    touch(store, f"INSERT INTO credit_score VALUES ('9', '9', '{NEWEST}', 'Poor')")
    outcome, cursor = new_data(instance, store, cursor)
    assert "unchanged for 0 of 2 minutes" in outcome
    for _ in range(2):
        outcome, cursor = new_data(instance, store, cursor)
    assert outcome == NEWEST
    run_of(instance, NEWEST, dg.DagsterRunStatus.STARTED)
    outcome, _ = new_data(instance, store, cursor)
    assert "has been started already" in outcome


def test_without_labels_nothing_starts(instance: dg.DagsterInstance, store_url: str) -> None:
    """Neither on an empty database nor when it only holds older labels."""
    store = FeatureStore(url=store_url)
    assert new_data(instance, store)[0] == f"No label is dated {NEWEST} yet"
    older = date.fromisoformat(NEWEST) - timedelta(days=1)
    labels, features = generate(200, older, seed=0)
    store.upsert({"credit_score": labels, "credit_score_features": features})
    assert new_data(instance, store)[0] == f"No label is dated {NEWEST} yet"


@pytest.mark.parametrize(
    ("status", "starts"),
    [
        (dg.DagsterRunStatus.NOT_STARTED, False),
        (dg.DagsterRunStatus.STARTED, False),
        (dg.DagsterRunStatus.SUCCESS, False),
        (dg.DagsterRunStatus.FAILURE, True),
        (dg.DagsterRunStatus.CANCELED, True),
    ],
)
def test_the_schedule_is_the_fallback_of_the_sensor(
    instance: dg.DagsterInstance, status: dg.DagsterRunStatus, starts: bool
) -> None:
    """It starts a base date that the sensor has not started, or whose run failed."""
    run_of(instance, "2025-02-02", status)
    tick = datetime(2025, 2, 3, 6, 0, tzinfo=ZoneInfo("Asia/Seoul"))
    context = dg.build_schedule_context(instance=instance, scheduled_execution_time=tick)
    requested = daily_training_schedule(Hours())(
        context, calendar=Calendar(), trained_model=TrainedModel(name="m")
    )
    assert isinstance(requested, dg.RunRequest) == starts


def test_the_cursor_of_an_earlier_release_is_read(
    instance: dg.DagsterInstance, store: FeatureStore
) -> None:
    """It was a list without a version: the minutes that it counted are not lost."""
    labels, features = store.arrived(NEWEST)
    before = f'[0, ["{NEWEST}", {labels}, {features}]]'
    outcome, _ = new_data(instance, store, before)
    assert "unchanged for 1 of 2 minutes" in outcome


@pytest.mark.parametrize("cursor", ['{"version": 2}', "[1]"])
def test_a_cursor_that_cannot_be_read_starts_the_count_again(
    instance: dg.DagsterInstance, store: FeatureStore, cursor: str
) -> None:
    """As after an update to a later release and back: the tick does not fail."""
    outcome, _ = new_data(instance, store, cursor)
    assert "unchanged for 0 of 2 minutes" in outcome


def test_a_base_date_whose_first_run_failed_is_started_again(
    instance: dg.DagsterInstance, store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By another key: Dagster ignores a request with the key of a run that failed."""
    cursor, keys = None, []
    for _ in range(3):
        outcome, cursor = new_data(instance, store, cursor)
    assert outcome == NEWEST
    keys.append(key_of_next_run(ModelRuns(instance, "m"), NEWEST))
    run_of(instance, NEWEST, _FAILURE)
    outcome, cursor = new_data(instance, store, cursor)
    assert "it is started again in" in outcome
    now = time.time() + 601
    monkeypatch.setattr(base_date_runs.time, "time", lambda: now)
    outcome, cursor = new_data(instance, store, cursor)
    assert outcome == NEWEST
    assert key_of_next_run(ModelRuns(instance, "m"), NEWEST) not in keys

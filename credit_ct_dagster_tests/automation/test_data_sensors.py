"""What starts a base date, and what starts it again."""

from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
import sqlalchemy as sa

from credit_ct_dagster.automation import data_sensors
from credit_ct_dagster.automation.data_sensors import late_data_sensor, new_data_sensor
from credit_ct_dagster.automation.schedules import daily_training_schedule
from credit_ct_dagster.definitions import defs
from credit_ct_dagster.io_managers.artifacts import PREPROCESSING_FOLDER, ArtifactsIOManager
from credit_ct_dagster.loading.sample_data import generate
from credit_ct_dagster.modeling.splitting import data_fingerprint
from credit_ct_dagster.partitions import newest_base_date
from credit_ct_dagster.resources.feature_store.store import FeatureStore

_NEWEST = newest_base_date()


@pytest.fixture
def store(store_url: str) -> FeatureStore:
    """1,000 labels up to the newest base date, on each kind of database."""
    made = FeatureStore(url=store_url)
    labels, features = generate(1_000, date.fromisoformat(_NEWEST), seed=0)
    made.upsert({"credit_score": labels, "credit_score_features": features})
    return made


@pytest.fixture
def artifacts(tmp_path: Path) -> ArtifactsIOManager:
    """Where the splits of base dates would be."""
    return ArtifactsIOManager(base_path=str(tmp_path / "artifacts"), model_name="m")


def _run_of(instance: dg.DagsterInstance, base_dt: str, status: dg.DagsterRunStatus) -> None:
    @dg.job(name="continuous_training")
    def job() -> None: ...

    instance.create_run_for_job(job, tags={"dagster/partition": base_dt}, status=status)


def _new_data(
    instance: dg.DagsterInstance, store: FeatureStore, cursor: str | None = None
) -> tuple[str, str | None]:
    """What the sensor says, and its cursor."""
    context = dg.build_sensor_context(
        instance=instance,
        cursor=cursor,
        resources={"feature_store": store},
        repository_def=defs.get_repository_def(),
    )
    tick = new_data_sensor.evaluate_tick(context)
    asked = [request.partition_key or "" for request in tick.run_requests or []]
    return tick.skip_message or asked[0], tick.cursor


def _touch(store: FeatureStore, statement: str) -> None:
    with sa.create_engine(store.url).begin() as connection:
        connection.exec_driver_sql(statement)


def test_a_base_date_starts_when_its_rows_stand_still(
    instance: dg.DagsterInstance, store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not while rows still come, and never again once it runs."""
    settings = data_sensors.get_settings().model_copy(update={"new_data_stable_minutes": 2})
    monkeypatch.setattr(data_sensors, "get_settings", lambda: settings)
    said, cursor = _new_data(instance, store)
    assert "unchanged for 0 of 2 minutes" in said
    said, cursor = _new_data(instance, store, cursor)
    assert "unchanged for 1 of 2 minutes" in said
    _touch(store, f"INSERT INTO credit_score VALUES ('9', '9', '{_NEWEST}', 'Poor')")
    said, cursor = _new_data(instance, store, cursor)
    assert "unchanged for 0 of 2 minutes" in said
    for _ in range(2):
        said, cursor = _new_data(instance, store, cursor)
    assert said == _NEWEST
    _run_of(instance, _NEWEST, dg.DagsterRunStatus.STARTED)
    said, _ = _new_data(instance, store, cursor)
    assert "has been started already" in said


def test_without_labels_nothing_starts(instance: dg.DagsterInstance, store_url: str) -> None:
    """Neither on an empty database nor when only older labels are there."""
    store = FeatureStore(url=store_url)
    assert _new_data(instance, store)[0] == f"No label is dated {_NEWEST} yet"
    older = date.fromisoformat(_NEWEST) - timedelta(days=1)
    labels, features = generate(200, older, seed=0)
    store.upsert({"credit_score": labels, "credit_score_features": features})
    assert _new_data(instance, store)[0] == f"No label is dated {_NEWEST} yet"


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
def test_the_schedule_is_the_fallback(
    instance: dg.DagsterInstance, status: dg.DagsterRunStatus, starts: bool
) -> None:
    """It starts what the sensor has not, and what failed; never both."""
    _run_of(instance, "2025-02-02", status)
    tick = datetime(2025, 2, 3, 6, 0, tzinfo=ZoneInfo("Asia/Seoul"))
    context = dg.build_schedule_context(instance=instance, scheduled_execution_time=tick)
    asked = daily_training_schedule(context)
    assert isinstance(asked, dg.RunRequest) == starts


def _late(
    instance: dg.DagsterInstance, store: FeatureStore, artifacts: ArtifactsIOManager
) -> list[str]:
    """The base dates that the sensor asks for again."""
    context = dg.build_sensor_context(
        instance=instance,
        resources={"feature_store": store, "artifacts": artifacts},
        repository_def=defs.get_repository_def(),
    )
    tick = late_data_sensor.evaluate_tick(context)
    return [request.partition_key or "" for request in tick.run_requests or []]


def test_late_rows_ask_for_exactly_their_base_dates_again(
    instance: dg.DagsterInstance, store: FeatureStore, artifacts: ArtifactsIOManager
) -> None:
    """By what the rows are: a touched label asks, the same value written again does not."""
    days = [(date.fromisoformat(_NEWEST) - timedelta(days=n)).isoformat() for n in range(3)]
    for day in days:
        store.merge(day)
        summary = {"data_fingerprint": data_fingerprint(store.read(day))}
        artifacts.write(PREPROCESSING_FOLDER, day, {"summary.json": summary})
    assert _late(instance, store, artifacts) == []
    [(label_id, score)] = _labels_of(store, days[1])
    _touch(store, f"UPDATE credit_score SET credit_score = '{score}' WHERE id = '{label_id}'")
    assert _late(instance, store, artifacts) == []
    other = "Good" if score == "Poor" else "Poor"
    _touch(store, f"UPDATE credit_score SET credit_score = '{other}' WHERE id = '{label_id}'")
    assert _late(instance, store, artifacts) == days[:2], "its window and that of the next day"
    _run_of(instance, days[0], dg.DagsterRunStatus.STARTED)
    assert _late(instance, store, artifacts) == [days[1]]


def _labels_of(store: FeatureStore, day: str) -> list[tuple[str, str]]:
    query = f"SELECT id, credit_score FROM credit_score WHERE date = '{day}' ORDER BY id LIMIT 1"
    with sa.create_engine(store.url).connect() as connection:
        return [(row[0], row[1]) for row in connection.exec_driver_sql(query)]

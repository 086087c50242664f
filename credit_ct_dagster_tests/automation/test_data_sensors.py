"""What starts a base date, and what trains it again."""

from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
import sqlalchemy as sa

from credit_ct_dagster.automation.data_sensors import late_data_sensor, new_data_sensor
from credit_ct_dagster.automation.schedules import daily_training_schedule
from credit_ct_dagster.contracts.files import PREPROCESSING_FOLDER, SPLITS_SUMMARY_FILE
from credit_ct_dagster.contracts.splits import Quarantine, SplitsSummary
from credit_ct_dagster.definitions import build
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.loading.sample_data import generate
from credit_ct_dagster.modeling.splitting import data_fingerprint
from credit_ct_dagster.partitions import Calendar
from credit_ct_dagster.resources.arrival import ArrivalRules
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.settings import Settings

_NEWEST = "2025-03-10"
_DEFINITIONS = build(Settings(_env_file=None))


class _Calendar(Calendar):
    """A calendar on which time stands still."""

    def newest(self, now: datetime | None = None) -> str:
        return _NEWEST


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
    """Why the sensor skips, or the base date that it starts; and its cursor."""
    context = dg.build_sensor_context(
        instance=instance,
        cursor=cursor,
        resources={
            "feature_store": store,
            "calendar": _Calendar(),
            "arrival": ArrivalRules(stable_minutes=2),
        },
        repository_def=_DEFINITIONS.get_repository_def(),
    )
    tick = new_data_sensor.evaluate_tick(context)
    requested = [request.partition_key or "" for request in tick.run_requests or []]
    return tick.skip_message or requested[0], tick.cursor


def _touch(store: FeatureStore, statement: str) -> None:
    with sa.create_engine(store.url).begin() as connection:
        connection.exec_driver_sql(statement)


def test_a_base_date_starts_when_its_rows_no_longer_change(
    instance: dg.DagsterInstance, store: FeatureStore
) -> None:
    """Not while rows still arrive, and never again once it runs."""
    outcome, cursor = _new_data(instance, store)
    assert "unchanged for 0 of 2 minutes" in outcome
    outcome, cursor = _new_data(instance, store, cursor)
    assert "unchanged for 1 of 2 minutes" in outcome
    _touch(store, f"INSERT INTO credit_score VALUES ('9', '9', '{_NEWEST}', 'Poor')")
    outcome, cursor = _new_data(instance, store, cursor)
    assert "unchanged for 0 of 2 minutes" in outcome
    for _ in range(2):
        outcome, cursor = _new_data(instance, store, cursor)
    assert outcome == _NEWEST
    _run_of(instance, _NEWEST, dg.DagsterRunStatus.STARTED)
    outcome, _ = _new_data(instance, store, cursor)
    assert "has been started already" in outcome


def test_without_labels_nothing_starts(instance: dg.DagsterInstance, store_url: str) -> None:
    """Neither on an empty database nor when it only holds older labels."""
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
def test_the_schedule_is_the_fallback_of_the_sensor(
    instance: dg.DagsterInstance, status: dg.DagsterRunStatus, starts: bool
) -> None:
    """It starts a base date that the sensor has not started, or whose run failed."""
    _run_of(instance, "2025-02-02", status)
    tick = datetime(2025, 2, 3, 6, 0, tzinfo=ZoneInfo("Asia/Seoul"))
    context = dg.build_schedule_context(instance=instance, scheduled_execution_time=tick)
    requested = daily_training_schedule(context, calendar=Calendar())
    assert isinstance(requested, dg.RunRequest) == starts


def test_the_cursor_of_an_earlier_release_is_read(
    instance: dg.DagsterInstance, store: FeatureStore
) -> None:
    """It was a list without a version: the minutes that it counted are not lost."""
    labels, features = store.arrived(_NEWEST)
    before = f'[0, ["{_NEWEST}", {labels}, {features}]]'
    outcome, _ = _new_data(instance, store, before)
    assert "unchanged for 1 of 2 minutes" in outcome


@pytest.mark.parametrize("cursor", ['{"version": 2}', "[1]"])
def test_a_cursor_that_cannot_be_read_starts_the_count_again(
    instance: dg.DagsterInstance, store: FeatureStore, cursor: str
) -> None:
    """As after an update to a later release and back: the tick does not fail."""
    outcome, _ = _new_data(instance, store, cursor)
    assert "unchanged for 0 of 2 minutes" in outcome


def _late(
    instance: dg.DagsterInstance, store: FeatureStore, artifacts: ArtifactsIOManager
) -> list[str]:
    """The base dates that the sensor starts again."""
    context = dg.build_sensor_context(
        instance=instance,
        resources={
            "feature_store": store,
            "artifacts": artifacts,
            "calendar": _Calendar(),
            "arrival": ArrivalRules(late_days=3),
        },
        repository_def=_DEFINITIONS.get_repository_def(),
    )
    tick = late_data_sensor.evaluate_tick(context)
    return [request.partition_key or "" for request in tick.run_requests or []]


def _summary(fingerprint: str) -> SplitsSummary:
    none: dict[str, int] = {}
    return SplitsSummary(
        base_dt=_NEWEST,
        window="",
        data_fingerprint=fingerprint,
        fingerprints={},
        scalers_fingerprint="",
        rows=none,
        customers=none,
        labels={},
        seen_share=0.85,
        quarantine=Quarantine(rows=0, share=0, max_share=0.02, per_rule=none, sentence=""),
    )


def test_late_rows_start_exactly_their_base_dates_again(
    instance: dg.DagsterInstance, store: FeatureStore, artifacts: ArtifactsIOManager
) -> None:
    """A changed label does, the same value written again does not."""
    days = [(date.fromisoformat(_NEWEST) - timedelta(days=n)).isoformat() for n in range(3)]
    for day in days:
        store.merge(day)
        summary = _summary(data_fingerprint(store.read(day)))
        artifacts.write(PREPROCESSING_FOLDER, day, {SPLITS_SUMMARY_FILE: summary})
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

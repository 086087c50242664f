"""What a trigger starts: one training with its preset, and never another on the same evidence."""

import json
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest

from credit_ct_dagster.automation import retraining
from credit_ct_dagster.automation.retraining import EVIDENCE_TAG
from credit_ct_dagster.contracts.decision import Decision, DecisionRecord, Ground
from credit_ct_dagster.contracts.files import (
    MODEL_FOLDER,
    MONITORING_FOLDER,
    SEARCH_SUMMARY_FILE,
)
from credit_ct_dagster.contracts.health import HealthRecord, ServedChampion, ServiceState
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.triggers import (
    Retrain,
    Trigger,
    Watch,
)
from credit_ct_dagster.evidence.merged_rows import FEATURES_TARGET, POINT_IN_TIME
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.io_managers.decisions import DecisionRecords
from credit_ct_dagster.loading.sample_data import generate
from credit_ct_dagster.modeling.rows.splitting import data_fingerprint
from credit_ct_dagster.modeling.search.presets import Preset
from credit_ct_dagster.partitions import day_of
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.runs.purposes import TRIGGER_TAG
from credit_ct_dagster_tests.automation.base_dates import NEWEST, run_of, search_summary
from credit_ct_dagster_tests.automation.triggered import (
    CHAMPION,
    Sensor,
    days_before_newest,
    trigger,
)

_Watched = Callable[..., None]


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    """A feature store with labels up to the newest base date."""
    store = FeatureStore(url=f"sqlite:///{tmp_path_factory.mktemp('store')}/store.db")
    labels, features = generate(1_000, date.fromisoformat(NEWEST), seed=0)
    store.upsert({"credit_score": labels, "credit_score_features": features})
    return store


@pytest.fixture
def watched(artifacts: ArtifactsIOManager) -> _Watched:
    """Writes the health record of a day, and lets a version be the champion."""

    def write(
        *triggers: Trigger,
        day: str = NEWEST,
        retrain: Retrain = Retrain.quality,
        champion: str = "1",
    ) -> None:
        record = HealthRecord(
            base_dt=day,
            made_at=datetime.now(UTC),
            dagster_run_id="r",
            model_name="m",
            champion=ServedChampion(
                base_dt="2025-01-31", bentoml_tag=CHAMPION, registered_version=champion
            ),
            service=ServiceState(
                url="http://x", asked_at=datetime.now(UTC), is_expected=False, status="silent"
            ),
            sentences=(),
            watch=Watch(triggers=triggers, retrain=retrain, cool_down_days=14),
        )
        artifacts.write(MONITORING_FOLDER, day, {record.FILE: record})

    _promote(artifacts, "1")
    return write


def _promote(artifacts: ArtifactsIOManager, version: str) -> None:
    decisions = DecisionRecords(artifacts)
    model = ModelIdentity(
        base_dt="2025-01-31",
        mlflow_run_id="m",
        dagster_run_id="d",
        data_fingerprint="f",
        registered_version=version,
    )
    decisions.append(
        DecisionRecord(
            number=decisions.read().next_number,
            time=datetime.now(UTC),
            by="gate",
            reason=None,
            dagster_run_id=None,
            model=model,
            before=None,
            decision=Decision(promoted=True, ground=Ground.better, sentence="It is better."),
            champion=version,
            previous=None,
        )
    )


@pytest.fixture
def sensor(
    instance: dg.DagsterInstance, artifacts: ArtifactsIOManager, labelled: FeatureStore
) -> Sensor:
    """The sensor before its first tick."""
    return Sensor(instance, artifacts, labelled)


def test_a_trigger_starts_a_training_with_its_preset(sensor: Sensor, watched: _Watched) -> None:
    """Of the newest base date that has labels; the run says why."""
    assert sensor.tick() == "How the champion does was never looked at yet"
    watched()
    assert sensor.tick() == f"Nothing that was found on {NEWEST} calls for a training"
    found = trigger(days_before_newest(20))
    watched(found)
    request = sensor.tick()
    assert isinstance(request, dg.RunRequest)
    key = f"{found.fingerprint}/{day_of(time.time())}"
    assert (request.partition_key, request.run_key) == (NEWEST, key)
    assert request.tags[TRIGGER_TAG] == (
        f"below_floor of {CHAMPION}, {found.since} to {found.until}"
    )
    assert request.run_config == {"ops": {"tuned_runs": {"config": {"preset": "quality"}}}}


def test_rows_are_merged_as_they_were_before(
    sensor: Sensor, watched: _Watched, instance: dg.DagsterInstance
) -> None:
    """Whatever is the default: with other rows, the base date would be trained once more."""
    merged = {POINT_IN_TIME: False}
    instance.report_runless_asset_event(
        dg.AssetMaterialization(FEATURES_TARGET, partition=NEWEST, metadata=merged)
    )
    watched(trigger(days_before_newest(20)))
    request = sensor.tick()
    assert isinstance(request, dg.RunRequest)
    assert request.run_config["ops"]["features_target"] == {"config": merged}


def test_every_preset_of_the_search_can_be_chosen() -> None:
    """And nothing else, which the run would refuse."""
    assert set(Retrain) - {Retrain.off} == set(Preset)


def test_the_same_evidence_starts_nothing_more(sensor: Sensor, watched: _Watched) -> None:
    """Neither at the next tick nor after the cool-down."""
    watched(trigger(days_before_newest(20)))
    assert isinstance(sensor.tick(dg.DagsterRunStatus.SUCCESS), dg.RunRequest)
    assert "14 days later at the earliest" in str(sensor.tick())
    later = date.fromisoformat(NEWEST) + timedelta(days=14)
    watched(trigger(days_before_newest(20)), day=later.isoformat())
    assert str(sensor.tick()).startswith("The same evidence has started a training already")
    watched(trigger(days_before_newest(17)), day=later.isoformat())
    assert isinstance(sensor.tick(), dg.RunRequest), "three newer days are new evidence"


@pytest.mark.parametrize(
    ("instance", "status"),
    [
        ("sqlite", dg.DagsterRunStatus.FAILURE),
        ("mariadb", dg.DagsterRunStatus.FAILURE),
        ("sqlite", dg.DagsterRunStatus.CANCELED),
    ],
    indirect=["instance"],
)
def test_a_training_that_failed_is_tried_again_on_the_next_day(
    sensor: Sensor,
    watched: _Watched,
    status: dg.DagsterRunStatus,
    artifacts: ArtifactsIOManager,
    labelled: FeatureStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once a day, also where it failed after its search; one that succeeds is the last."""
    watched(trigger(days_before_newest(20)))
    first = sensor.tick(status)
    fingerprint = data_fingerprint(labelled.source_rows(NEWEST))
    summary = search_summary("quality", fingerprint)
    artifacts.write(MODEL_FOLDER, NEWEST, {SEARCH_SUMMARY_FILE: summary})
    assert "has failed: the next attempt is tomorrow" in str(sensor.tick())
    sensor.cursor = None
    assert "has failed: the next attempt is tomorrow" in str(sensor.tick())
    tomorrow = time.time() + 24 * 3600
    monkeypatch.setattr(retraining.time, "time", lambda: tomorrow)
    second = sensor.tick(dg.DagsterRunStatus.SUCCESS)
    assert isinstance(first, dg.RunRequest)
    assert isinstance(second, dg.RunRequest)
    assert first.run_key != second.run_key
    assert "14 days later at the earliest" in str(sensor.tick())


@pytest.mark.parametrize(
    ("instance", "cursor"),
    [("sqlite", None), ("mariadb", None), ("sqlite", "{"), ("sqlite", '{"version": 99}')],
    indirect=["instance"],
)
def test_a_sensor_without_memory_knows_its_runs(
    sensor: Sensor, watched: _Watched, cursor: str | None
) -> None:
    """By their tags, when its cursor was reset or cannot be read."""
    watched(trigger(days_before_newest(20)))
    assert isinstance(sensor.tick(dg.DagsterRunStatus.SUCCESS), dg.RunRequest)
    sensor.cursor = cursor
    assert "14 days later at the earliest" in str(sensor.tick())


def test_trainings_of_another_model_do_not_count(
    sensor: Sensor, watched: _Watched, instance: dg.DagsterInstance
) -> None:
    """Nor does a tag that a person has set by hand."""
    other = trigger(days_before_newest(20)).model_copy(update={"champion": "other:x"})
    values = {"day": NEWEST, "until": other.until, "fingerprint": "f", "kind": "drift"}
    for tag in (json.dumps(values | {"champion": "other:x"}), "by hand"):
        run_of(instance, NEWEST, dg.DagsterRunStatus.SUCCESS, **{EVIDENCE_TAG: tag})
    watched(trigger(days_before_newest(20)))
    assert isinstance(sensor.tick(), dg.RunRequest)


def test_evidence_about_a_model_that_no_longer_serves_starts_nothing(
    sensor: Sensor, watched: _Watched, artifacts: ArtifactsIOManager
) -> None:
    """Somebody has promoted another one since, or a rollback has."""
    watched(trigger(days_before_newest(20)))
    _promote(artifacts, "2")
    assert sensor.tick() == f"Another model became the champion since {NEWEST}"


def test_an_old_record_starts_nothing(sensor: Sensor, watched: _Watched) -> None:
    """Where monitoring has stopped, nobody knows what holds today."""
    [old] = days_before_newest(3, count=1)
    watched(trigger(days_before_newest(20)), day=old)
    assert str(sensor.tick()).startswith(f"The newest health record is of {old}")
    [recent] = days_before_newest(2, count=1)
    watched(trigger(days_before_newest(20)), day=recent)
    assert isinstance(sensor.tick(), dg.RunRequest)


def test_it_waits_for_a_run_of_the_base_date(
    sensor: Sensor, watched: _Watched, instance: dg.DagsterInstance
) -> None:
    """Its evidence is not used up by that."""
    watched(trigger(days_before_newest(20)))
    run_of(instance, NEWEST, dg.DagsterRunStatus.STARTED)
    assert sensor.tick() == f"A run of base date {NEWEST} has not ended"
    assert not sensor.cursor


@pytest.mark.parametrize(
    ("preset", "rows", "starts"),
    [("quality", "same", False), ("bank", "same", True), ("quality", "other", True)],
)
def test_a_search_that_was_made_is_not_made_again(
    sensor: Sensor,
    watched: _Watched,
    artifacts: ArtifactsIOManager,
    labelled: FeatureStore,
    preset: str,
    rows: str,
    starts: bool,
) -> None:
    """The same preset on the same rows finds the same model."""
    watched(trigger(days_before_newest(20)))
    fingerprint = data_fingerprint(labelled.source_rows(NEWEST)) if rows == "same" else "other"
    artifacts.write(
        MODEL_FOLDER, NEWEST, {SEARCH_SUMMARY_FILE: search_summary(preset, fingerprint)}
    )
    found = sensor.tick()
    assert isinstance(found, dg.RunRequest) == starts
    if not starts:
        assert "another training would find the same model" in str(found)

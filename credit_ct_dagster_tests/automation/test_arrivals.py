"""What the data sensors record, and which rows they do not read again."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import ClassVar

import dagster as dg
import pandas as pd
import pytest

from credit_ct_dagster.automation.data_sensors import late_data_sensor
from credit_ct_dagster.contracts.files import PREPROCESSING_FOLDER, SPLITS_SUMMARY_FILE
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.modeling.rows.splitting import data_fingerprint
from credit_ct_dagster.partitions import Calendar
from credit_ct_dagster.resources.arrival import ArrivalRules
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.resources.trained_model import TrainedModel
from credit_ct_dagster_tests.automation.base_dates import (
    DEFINITIONS,
    NEWEST,
    FixedCalendar,
    labels_of,
    new_data,
    touch,
)
from credit_ct_dagster_tests.automation.splits import summary_of
from credit_ct_dagster_tests.resources.feature_store.ledger import lines_of

_DAYS = [(date.fromisoformat(NEWEST) - timedelta(days=n)).isoformat() for n in range(3)]


class ReadStore(FeatureStore):
    """Remembers the base dates whose rows were read."""

    looked_at: ClassVar[list[str]] = []

    def source_rows(self, base_dt: str, *, point_in_time: bool = True) -> pd.DataFrame:
        self.looked_at.append(base_dt)
        return super().source_rows(base_dt, point_in_time=point_in_time)


class Ticks:
    """The ticks of `late_data_sensor`, each with the cursor of the one before."""

    def __init__(
        self, instance: dg.DagsterInstance, store: FeatureStore, artifacts: ArtifactsIOManager
    ) -> None:
        self._resources = {
            "feature_store": store,
            "artifacts": artifacts,
            "calendar": FixedCalendar(),
            "arrival": ArrivalRules(late_days=3),
            "trained_model": TrainedModel(name="m"),
        }
        self._instance = instance
        self.cursor: str | None = None

    def next(self) -> tuple[list[str], list[str]]:
        """The base dates that are started again, and those that were read for it."""
        ReadStore.looked_at.clear()
        with dg.build_sensor_context(
            instance=self._instance,
            cursor=self.cursor,
            resources=self._resources,
            repository_def=DEFINITIONS.get_repository_def(),
        ) as context:
            tick = late_data_sensor.evaluate_tick(context)
        self.cursor = tick.cursor
        return [each.partition_key or "" for each in tick.run_requests or []], [
            *ReadStore.looked_at
        ]


@pytest.fixture
def ticks(
    instance: dg.DagsterInstance, store: FeatureStore, artifacts: ArtifactsIOManager
) -> Iterator[Ticks]:
    """Three base dates, trained on the rows that are there."""
    for day in _DAYS:
        rows = store.source_rows(day)
        artifacts.write(
            PREPROCESSING_FOLDER, day, {SPLITS_SUMMARY_FILE: summary_of(data_fingerprint(rows))}
        )
    yield Ticks(instance, ReadStore(url=store.url, calendar=Calendar()), artifacts)
    ReadStore.looked_at.clear()


def test_rows_are_read_again_only_if_they_may_have_changed(
    store: FeatureStore, ticks: Ticks
) -> None:
    """A label that changes, and one that changes back, are found; nothing is read in between."""
    assert ticks.next() == ([], _DAYS)
    assert ticks.next() == ([], [])
    [(label_id, score)] = labels_of(store, _DAYS[1])
    for value in ("Good" if score == "Poor" else "Poor", score):
        touch(store, f"UPDATE credit_score SET credit_score = '{value}' WHERE id = '{label_id}'")
        started, read = ticks.next()
        assert read == _DAYS[:2], "its window and that of the next day"
        assert started == ([] if value == score else _DAYS[:2])
        assert ticks.next() == (started, [])


def test_deleted_rows_are_found(store: FeatureStore, ticks: Ticks) -> None:
    """The ledger has no line for them, the digest has."""
    ticks.next()
    [(label_id, _)] = labels_of(store, NEWEST)
    touch(store, f"DELETE FROM credit_score_features WHERE id = '{label_id}'")
    assert ticks.next() == ([NEWEST], [NEWEST])


@pytest.mark.parametrize("cursor", ['{"version": 2}', "[1]"])
def test_a_cursor_that_cannot_be_read_lets_all_rows_be_read(ticks: Ticks, cursor: str) -> None:
    """As after an update to a later release and back: the tick does not fail."""
    ticks.next()
    ticks.cursor = cursor
    assert ticks.next() == ([], _DAYS)


def test_late_labels_are_recorded_however_late_they_are(store: FeatureStore, ticks: Ticks) -> None:
    """At the tick that notices a change, and else within six ticks, which are an hour."""
    ticks.next()
    [began] = {line.first_seen for line in lines_of(store, "credit_score")}
    touch(store, f"INSERT INTO credit_score VALUES ('0', '0', '{_DAYS[2]}', 'Poor')")
    ticks.next()
    assert _later_than(began, store) == ["0"]
    touch(store, "INSERT INTO credit_score VALUES ('00', '0', '2024-12-01', 'Poor')")
    for _ in range(6):
        ticks.next()
    assert _later_than(began, store) == ["0", "00"]


def _later_than(moment: datetime, store: FeatureStore) -> list[str]:
    return [line.id for line in lines_of(store, "credit_score") if line.first_seen > moment]


def test_rows_of_the_newest_base_date_are_recorded_when_they_come(
    instance: dg.DagsterInstance, store: FeatureStore
) -> None:
    """At the tick that counts them; the first one begins with what was there."""
    _, cursor = new_data(instance, store)
    assert {line.since_the_beginning for line in lines_of(store)} == {True}
    touch(store, f"INSERT INTO credit_score VALUES ('0', '0', '{NEWEST}', 'Poor')")
    new_data(instance, store, cursor)
    assert [line.id for line in lines_of(store) if not line.since_the_beginning] == ["0"]


def test_a_ledger_that_cannot_be_written_stops_no_sensor(
    instance: dg.DagsterInstance, store: FeatureStore, ticks: Ticks
) -> None:
    """Both do their work, and log why arrivals are not recorded."""
    touch(store, "CREATE TABLE credit_arrivals (table_name VARCHAR(32) PRIMARY KEY)")
    assert "unchanged for 0 of 2 minutes" in new_data(instance, store)[0]
    assert ticks.next() == ([], _DAYS)
    assert ticks.next() == ([], [])

"""What the tests of retraining share: triggers, and ticks of the sensor."""

from datetime import date, timedelta

import dagster as dg

from credit_ct_dagster.automation.retraining import retraining_sensor
from credit_ct_dagster.contracts.triggers import Trigger, TriggerKind, fingerprint_of
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.resources.trained_model import TrainedModel
from credit_ct_dagster_tests.automation.base_dates import (
    DEFINITIONS,
    NEWEST,
    FixedCalendar,
    run_of,
)

CHAMPION = "m:champion"


def days_before_newest(newest: int, count: int = 3) -> tuple[str, ...]:
    """Days before the newest base date, oldest first."""
    last = date.fromisoformat(NEWEST) - timedelta(days=newest)
    return tuple((last - timedelta(days=n)).isoformat() for n in reversed(range(count)))


def trigger(days: tuple[str, ...], kind: TriggerKind = TriggerKind.below_floor) -> Trigger:
    """What was found on some days."""
    return Trigger(
        kind=kind,
        code="CT-CHECK-PERFORMANCE-IS-ABOVE-FLOORS",
        sentence="It was below a floor.",
        action="Train.",
        champion=CHAMPION,
        days=days,
        needed=3,
        fingerprint=fingerprint_of(kind, CHAMPION, days),
    )


class Sensor:
    """The sensor, whose ticks follow each other; a run that it starts is recorded."""

    def __init__(
        self, instance: dg.DagsterInstance, artifacts: ArtifactsIOManager, store: FeatureStore
    ) -> None:
        self._instance = instance
        self._resources = {
            "artifacts": artifacts,
            "feature_store": store,
            "calendar": FixedCalendar(),
            "trained_model": TrainedModel(name="m"),
        }
        self.cursor: str | None = None

    def tick(self, started: dg.DagsterRunStatus | None = None) -> dg.RunRequest | str:
        """What it starts, or why it skips; the run is recorded with a status."""
        with dg.build_sensor_context(
            instance=self._instance,
            cursor=self.cursor,
            resources=self._resources,
            repository_def=DEFINITIONS.get_repository_def(),
        ) as context:
            tick = retraining_sensor.evaluate_tick(context)
        self.cursor = tick.cursor
        if not tick.run_requests:
            return tick.skip_message or ""
        [request] = tick.run_requests
        if started:
            run_of(self._instance, str(request.partition_key), started, **request.tags)
        return request

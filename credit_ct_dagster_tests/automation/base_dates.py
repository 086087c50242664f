"""What the tests of schedules and sensors share."""

from datetime import datetime

import dagster as dg
import sqlalchemy as sa

from credit_ct_dagster.automation.data_sensors import new_data_sensor
from credit_ct_dagster.contracts.search import BestModel, MlflowRuns, SearchSummary, TrialCounts
from credit_ct_dagster.definitions import build
from credit_ct_dagster.partitions import Calendar
from credit_ct_dagster.resources.arrival import ArrivalRules
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.resources.trained_model import TrainedModel
from credit_ct_dagster.settings import Settings

NEWEST = "2025-03-10"
DEFINITIONS = build(Settings(_env_file=None))


class FixedCalendar(Calendar):
    """A calendar on which time stands still."""

    def newest(self, now: datetime | None = None) -> str:
        return NEWEST


def run_of(
    instance: dg.DagsterInstance, base_dt: str, status: dg.DagsterRunStatus, **tags: str
) -> None:
    """Record a run of a base date."""

    @dg.job(name="continuous_training")
    def job() -> None: ...

    tags = {"dagster/partition": base_dt} | {
        name.replace("__", "/"): value for name, value in tags.items()
    }
    instance.create_run_for_job(job, tags=tags, status=status)


def touch(store: FeatureStore, statement: str) -> None:
    """Change rows of a feature store."""
    with sa.create_engine(store.url).begin() as connection:
        connection.exec_driver_sql(statement)


def labels_of(store: FeatureStore, day: str) -> list[tuple[str, str]]:
    """The first label of a day, with its id."""
    query = f"SELECT id, credit_score FROM credit_score WHERE date = '{day}' ORDER BY id LIMIT 1"
    with sa.create_engine(store.url).connect() as connection:
        return [(row[0], row[1]) for row in connection.exec_driver_sql(query)]


def new_data(
    instance: dg.DagsterInstance, store: FeatureStore, cursor: str | None = None
) -> tuple[str, str | None]:
    """Why the sensor skips, or the base date that it starts; and its cursor."""
    with dg.build_sensor_context(
        instance=instance,
        cursor=cursor,
        resources={
            "feature_store": store,
            "calendar": FixedCalendar(),
            "arrival": ArrivalRules(stable_minutes=2),
            "trained_model": TrainedModel(name="m"),
        },
        repository_def=DEFINITIONS.get_repository_def(),
    ) as context:
        tick = new_data_sensor.evaluate_tick(context)
    requested = [request.partition_key or "" for request in tick.run_requests or []]
    return tick.skip_message or requested[0], tick.cursor


def search_summary(preset: str, fingerprint: str) -> SearchSummary:
    """What a search of the newest base date found, with a preset, on rows of a fingerprint."""
    none: dict[str, float] = {}
    return SearchSummary(
        base_dt=NEWEST,
        model_name="m",
        rows={},
        best=BestModel(params=none, iterations=1, val=none, holdout=none),
        trials=TrialCounts(total=1, completed=1, pruned=0, failed=0),
        seconds=none,
        mlflow=MlflowRuns(experiment_id="1", parent_run_id="p", best_run_id="b"),
        dagster_run_id="d",
        data_fingerprint=fingerprint,
        fingerprints={},
        scalers_fingerprint="",
        seen_share=0.85,
        preset=preset,
    )

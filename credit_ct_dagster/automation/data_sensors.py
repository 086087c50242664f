"""Runs that start when data arrive, or when data change after they were trained on."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, ClassVar

import dagster as dg
from pydantic import model_validator

from credit_ct_dagster.automation.arrivals import record_arrivals
from credit_ct_dagster.automation.base_date_runs import (
    ROWS_TAG,
    failed_runs,
    is_in_progress,
    key_of_next_run,
    seconds_to_wait,
    was_started,
)
from credit_ct_dagster.automation.late_data_rows import LateDataRows
from credit_ct_dagster.contracts.files import PREPROCESSING_FOLDER
from credit_ct_dagster.contracts.record import Record
from credit_ct_dagster.contracts.splits import SplitsSummary
from credit_ct_dagster.days import days_before
from credit_ct_dagster.evidence.merged_rows import (
    FEATURES_TARGET,
    POINT_IN_TIME,
    merged_at_a_point_in_time,
)
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.partitions import Calendar
from credit_ct_dagster.resources.arrival import ArrivalRules
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.resources.feature_store.tables import FEATURES, LABELS
from credit_ct_dagster.resources.trained_model import TrainedModel
from credit_ct_dagster.runs.cursors import stored_cursor
from credit_ct_dagster.runs.purposes import CONTINUOUS_TRAINING

_MINUTE = 60
_LATEST_LABELS_DAYS = 124
"""So many days after their date, labels are still looked for; those that are loaded, at any age."""


class ArrivalCursor(Record):
    """What `new_data_sensor` saw at its last tick.

    Attributes:
        base_dt: The newest base date then.
        labels: Labels that were dated that day.
        features: Feature rows of them.
        minutes: For how many minutes these counts have not changed.
    """

    REMEDY: ClassVar[str] = "reset the cursor of the sensor in the UI"

    base_dt: str
    labels: int
    features: int
    minutes: int = 0

    @model_validator(mode="before")
    @classmethod
    def _from_release_0_1(cls, data: Any) -> Any:
        """It was a list: the minutes, and the three others."""
        if isinstance(data, list):
            minutes, (base_dt, labels, features) = data
            return {"base_dt": base_dt, "labels": labels, "features": features, "minutes": minutes}
        return data


@dg.sensor(
    job_name=CONTINUOUS_TRAINING,
    minimum_interval_seconds=_MINUTE,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts yesterday's base date once its labels have arrived and no further row came"
    " for NEW_DATA_STABLE_MINUTES. daily_training_schedule is the fallback.",
)
def new_data_sensor(
    context: dg.SensorEvaluationContext,
    feature_store: FeatureStore,
    calendar: Calendar,
    arrival: ArrivalRules,
    trained_model: TrainedModel,
) -> dg.RunRequest | dg.SkipReason:
    """Wait until the number of rows of the newest base date no longer changes."""
    base_dt, runs = calendar.newest(), trained_model.runs_on(context.instance)
    if was_started(runs, base_dt):
        return dg.SkipReason(f"Base date {base_dt} has been started already")
    labels, features = feature_store.arrived(base_dt)
    if not labels:
        return dg.SkipReason(f"No label is dated {base_dt} yet")
    now = ArrivalCursor(base_dt=base_dt, labels=labels, features=features)
    before = _cursor(context)
    if before and before.model_copy(update={"minutes": 0}) == now:
        now = before.model_copy(update={"minutes": before.minutes + 1})  # one tick a minute
    else:
        record_arrivals(context, feature_store, {LABELS: base_dt, FEATURES: base_dt}, base_dt)
    context.update_cursor(now.model_dump_json())
    if now.minutes < arrival.stable_minutes:
        return dg.SkipReason(
            f"{labels:,} labels and {features:,} feature rows of {base_dt}, unchanged for"
            f" {now.minutes} of {arrival.stable_minutes} minutes"
        )
    seconds = seconds_to_wait(failed_runs(runs, base_dt))
    if seconds:
        return dg.SkipReason(_waits(base_dt, seconds))
    return dg.RunRequest(run_key=key_of_next_run(runs, base_dt), partition_key=base_dt)


def _merged(point_in_time: bool | None) -> dict[str, Any]:
    """The run configuration of the same merge; by default, that of every other run."""
    if point_in_time is None:
        return {}
    return {"ops": {FEATURES_TARGET.path[-1]: {"config": {POINT_IN_TIME: point_in_time}}}}


def _waits(base_dt: str, seconds: float) -> str:
    return f"The last run of base date {base_dt} failed: it is started again in {seconds:.0f} s"


def _cursor(context: dg.SensorEvaluationContext) -> ArrivalCursor | None:
    otherwise = "The minutes are counted from 0."
    return stored_cursor(context, ArrivalCursor, "new_data_sensor", otherwise)


@dg.sensor(
    job_name=CONTINUOUS_TRAINING,
    minimum_interval_seconds=10 * _MINUTE,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Trains base dates of the last LATE_DATA_DAYS again when their labels or features"
    " have changed since they were trained; after a failed run once more in ten minutes, then later"
    " and later.",
)
def late_data_sensor(
    context: dg.SensorEvaluationContext,
    feature_store: FeatureStore,
    artifacts: dg.ResourceParam[ArtifactsIOManager],
    calendar: Calendar,
    arrival: ArrivalRules,
    trained_model: TrainedModel,
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Compare what a merge would return now with what was trained on, by fingerprint.

    Rows are only read if the database, which sums the hashes of labels and features, says that they
    may have changed since they were read last.
    """
    newest = calendar.newest()
    runs = trained_model.runs_on(context.instance)
    rows = LateDataRows.of_tick(context, feature_store, newest, arrival.late_days)
    requested, waiting, unchanged = [], [], 0
    for back in range(arrival.late_days):
        base_dt = days_before(newest, back)
        splits = artifacts.open(PREPROCESSING_FOLDER, base_dt)
        if SplitsSummary.FILE not in splits or is_in_progress(runs, base_dt):
            continue
        # As the last merge was configured: with other rows, the base date would change for ever.
        point_in_time = merged_at_a_point_in_time(context.instance, base_dt)
        fingerprint = rows.fingerprint(base_dt, point_in_time=point_in_time is not False)
        failed = failed_runs(runs, base_dt, fingerprint)
        # A run that failed after the splits has written what it was to train on.
        if fingerprint == splits.read(SplitsSummary).data_fingerprint and not failed:
            unchanged += 1
        elif seconds := seconds_to_wait(failed):
            waiting.append(_waits(base_dt, seconds))
        else:
            key = key_of_next_run(runs, base_dt, fingerprint)
            tags = {ROWS_TAG: fingerprint}
            requested.append(
                dg.RunRequest(
                    run_key=key,
                    partition_key=base_dt,
                    tags=tags,
                    run_config=_merged(point_in_time),
                )
            )
    cursor = rows.cursor()
    if not cursor.ticks:
        oldest = date.fromisoformat(newest) - timedelta(days=_LATEST_LABELS_DAYS)
        since = {LABELS: oldest.isoformat(), FEATURES: rows.first_day}
        record_arrivals(context, feature_store, since)
    context.update_cursor(cursor.model_dump_json())
    yield from requested
    if not requested:
        skipped = f"{unchanged} base dates have the rows that they were trained on"
        yield dg.SkipReason(". ".join([skipped, *waiting]))

"""Runs that start when data arrive, or when data change after they were trained on."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, ClassVar

import dagster as dg
from pydantic import model_validator

from credit_ct_dagster.automation.base_date_runs import is_in_progress, was_started
from credit_ct_dagster.automation.jobs import continuous_training_job
from credit_ct_dagster.contracts.files import PREPROCESSING_FOLDER
from credit_ct_dagster.contracts.record import Record
from credit_ct_dagster.contracts.splits import SplitsSummary
from credit_ct_dagster.errors.base import CreditCtError
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.partitions import Calendar
from credit_ct_dagster.resources.arrival import ArrivalRules
from credit_ct_dagster.resources.feature_store.store import FeatureStore

_MINUTE = 60


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
    job=continuous_training_job,
    minimum_interval_seconds=_MINUTE,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts yesterday's base date once its labels have arrived and no further row came"
    " for NEW_DATA_STABLE_MINUTES. The schedule at 06:00 is the fallback.",
)
def new_data_sensor(
    context: dg.SensorEvaluationContext,
    feature_store: FeatureStore,
    calendar: Calendar,
    arrival: ArrivalRules,
) -> dg.RunRequest | dg.SkipReason:
    """Wait until the number of rows of the newest base date no longer changes."""
    base_dt = calendar.newest()
    if was_started(context.instance, base_dt):
        return dg.SkipReason(f"Base date {base_dt} has been started already")
    labels, features = feature_store.arrived(base_dt)
    if not labels:
        return dg.SkipReason(f"No label is dated {base_dt} yet")
    now = ArrivalCursor(base_dt=base_dt, labels=labels, features=features)
    before = _cursor(context)
    if before and before.model_copy(update={"minutes": 0}) == now:
        now = before.model_copy(update={"minutes": before.minutes + 1})  # one tick a minute
    context.update_cursor(now.model_dump_json())
    if now.minutes < arrival.stable_minutes:
        return dg.SkipReason(
            f"{labels:,} labels and {features:,} feature rows of {base_dt}, unchanged for"
            f" {now.minutes} of {arrival.stable_minutes} minutes"
        )
    return dg.RunRequest(run_key=base_dt, partition_key=base_dt)


def _cursor(context: dg.SensorEvaluationContext) -> ArrivalCursor | None:
    if not context.cursor:
        return None
    try:
        return ArrivalCursor.from_json(context.cursor.encode(), "The cursor of new_data_sensor")
    except CreditCtError as error:
        context.log.warning(f"{error} The minutes are counted from 0.", extra={"code": error.code})
        return None


@dg.sensor(
    job=continuous_training_job,
    minimum_interval_seconds=10 * _MINUTE,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Trains base dates of the last LATE_DATA_DAYS again when their labels or features"
    " have changed since they were trained.",
)
def late_data_sensor(
    context: dg.SensorEvaluationContext,
    feature_store: FeatureStore,
    artifacts: dg.ResourceParam[ArtifactsIOManager],
    calendar: Calendar,
    arrival: ArrivalRules,
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Compare what a merge would return now with what was trained on, by fingerprint."""
    # Half a second to import pandas, which whoever only loads the definitions does not need.
    from credit_ct_dagster.modeling.splitting import data_fingerprint

    newest = date.fromisoformat(calendar.newest())
    changed, unchanged = {}, 0
    for back in range(arrival.late_days):
        base_dt = (newest - timedelta(days=back)).isoformat()
        splits = artifacts.open(PREPROCESSING_FOLDER, base_dt)
        if SplitsSummary.FILE not in splits or is_in_progress(context.instance, base_dt):
            continue
        fingerprint = data_fingerprint(feature_store.source_rows(base_dt))
        if fingerprint == splits.read(SplitsSummary).data_fingerprint:
            unchanged += 1
        else:
            changed[base_dt] = fingerprint
    for base_dt, fingerprint in changed.items():
        yield dg.RunRequest(run_key=f"{base_dt}/{fingerprint}", partition_key=base_dt)
    if not changed:
        yield dg.SkipReason(f"{unchanged} base dates have the rows that they were trained on")

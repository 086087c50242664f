"""What happens when data arrive, or change after they were trained on."""

import json
from collections.abc import Iterator
from datetime import date, timedelta

import dagster as dg

from credit_ct_dagster.automation.base_date_runs import is_under_way, was_started
from credit_ct_dagster.automation.jobs import continuous_training_job
from credit_ct_dagster.io_managers.artifacts import PREPROCESSING_FOLDER, ArtifactsIOManager
from credit_ct_dagster.modeling.splitting import data_fingerprint
from credit_ct_dagster.partitions import newest_base_date
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.settings import get_settings

_MINUTE = 60


@dg.sensor(
    job=continuous_training_job,
    minimum_interval_seconds=_MINUTE,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts yesterday's base date when its labels have arrived and no more came for"
    " NEW_DATA_STABLE_MINUTES; the schedule at 06:00 is the fallback.",
)
def new_data_sensor(
    context: dg.SensorEvaluationContext, feature_store: FeatureStore
) -> dg.RunRequest | dg.SkipReason:
    """Wait until the rows of the newest base date stand still."""
    base_dt = newest_base_date()
    if was_started(context.instance, base_dt):
        return dg.SkipReason(f"Base date {base_dt} has been started already")
    labels, features = feature_store.arrived(base_dt)
    if not labels:
        return dg.SkipReason(f"No label is dated {base_dt} yet")
    seen = [base_dt, labels, features]
    minutes, before = json.loads(context.cursor) if context.cursor else (0, None)
    minutes = minutes + 1 if before == seen else 0  # one look a minute
    context.update_cursor(json.dumps([minutes, seen]))
    stable = get_settings().new_data_stable_minutes
    if minutes < stable:
        return dg.SkipReason(
            f"{labels:,} labels and {features:,} feature rows of {base_dt}, unchanged for {minutes}"
            f" of {stable} minutes"
        )
    return dg.RunRequest(run_key=base_dt, partition_key=base_dt)


@dg.sensor(
    job=continuous_training_job,
    minimum_interval_seconds=10 * _MINUTE,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks again for base dates of the last LATE_DATA_DAYS whose labels or features"
    " changed since they were trained.",
)
def late_data_sensor(
    context: dg.SensorEvaluationContext,
    feature_store: FeatureStore,
    artifacts: dg.ResourceParam[ArtifactsIOManager],
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Compare what a merge would give now with what was trained on, by fingerprint."""
    newest = date.fromisoformat(newest_base_date())
    changed, unchanged = {}, 0
    for back in range(get_settings().late_data_days):
        base_dt = (newest - timedelta(days=back)).isoformat()
        splits = artifacts.open(PREPROCESSING_FOLDER, base_dt)
        if "summary.json" not in splits or is_under_way(context.instance, base_dt):
            continue
        fingerprint = data_fingerprint(feature_store.source_rows(base_dt))
        if fingerprint == splits["summary.json"]["data_fingerprint"]:
            unchanged += 1
        else:
            changed[base_dt] = fingerprint
    for base_dt, fingerprint in changed.items():
        yield dg.RunRequest(run_key=f"{base_dt}/{fingerprint}", partition_key=base_dt)
    if not changed:
        yield dg.SkipReason(f"{unchanged} base dates have the rows that they were trained on")

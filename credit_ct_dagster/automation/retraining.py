"""A training that starts because of how the champion did: once per evidence, never in a loop."""

from collections.abc import Sequence
from contextlib import suppress
from typing import ClassVar

import dagster as dg
from pydantic import ValidationError

from credit_ct_dagster.assets.merged_rows import (
    FEATURES_TARGET,
    POINT_IN_TIME,
    merged_at_a_point_in_time,
)
from credit_ct_dagster.automation.base_date_runs import is_in_progress
from credit_ct_dagster.automation.customer_scores import newest_decision
from credit_ct_dagster.contracts.files import MODEL_FOLDER, MONITORING_FOLDER
from credit_ct_dagster.contracts.health import HealthRecord
from credit_ct_dagster.contracts.record import Record
from credit_ct_dagster.contracts.search import SearchSummary
from credit_ct_dagster.contracts.triggers import Retrain, Retraining, Trigger
from credit_ct_dagster.days import days_before
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.modeling.watching.retraining import retraining_for
from credit_ct_dagster.partitions import Calendar
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.resources.trained_model import TrainedModel
from credit_ct_dagster.runs.cursors import stored_cursor
from credit_ct_dagster.runs.purposes import CONTINUOUS_TRAINING, TRIGGER_TAG

EVIDENCE_TAG = "credit_ct/evidence"
"""A tag of a run that a trigger started: a `Retraining`, by which the sensor knows it again."""

_MINUTE = 60
_OUTDATED_DAYS = 3
_REMEMBERED = 50


class RetrainingCursor(Record):
    """What `retraining_sensor` has started.

    Attributes:
        retrained: The last trainings, oldest first.
    """

    REMEDY: ClassVar[str] = "reset the cursor of the sensor in the UI"

    retrained: tuple[Retraining, ...] = ()


@dg.sensor(
    job_name=CONTINUOUS_TRAINING,
    minimum_interval_seconds=10 * _MINUTE,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Trains the newest base date that has labels when the champion was found below its"
    " floors or its estimates, or the customers have changed, if `retrain` of champion_health names"
    " a preset; at most once per cool_down_days, and never twice on the same evidence.",
)
def retraining_sensor(
    context: dg.SensorEvaluationContext,
    artifacts: dg.ResourceParam[ArtifactsIOManager],
    feature_store: FeatureStore,
    calendar: Calendar,
    trained_model: TrainedModel,
) -> dg.RunRequest | dg.SkipReason:
    """Look at the newest health record, and say why it starts nothing if it does not."""
    health = _newest_health(artifacts)
    if health is None:
        return dg.SkipReason("How the champion does was never looked at yet")
    past = _past(context, trained_model.name)
    trigger = retraining_for(health.watch, health.base_dt, past)
    if isinstance(trigger, str):
        return dg.SkipReason(trigger)
    if health.base_dt <= days_before(calendar.newest(), _OUTDATED_DAYS):
        return dg.SkipReason(
            f"The newest health record is of {health.base_dt}: what it says is no longer known to"
            " hold"
        )
    serving = health.champion.registered_version if health.champion else None
    if newest_decision(artifacts).champion != serving:
        return dg.SkipReason(f"Another model became the champion since {health.base_dt}")
    base_dt = feature_store.newest_label_date(until=calendar.newest())
    if base_dt is None or base_dt < calendar.first:
        return dg.SkipReason("No base date has labels to train on")
    if is_in_progress(trained_model.runs_on(context.instance), base_dt):
        return dg.SkipReason(f"A run of base date {base_dt} has not ended")
    preset = health.watch.retrain
    point_in_time = merged_at_a_point_in_time(context.instance, base_dt)
    if _was_searched(artifacts, feature_store, base_dt, preset, point_in_time):
        return dg.SkipReason(
            f"Base date {base_dt} was trained with preset {preset.value} on the same rows already:"
            " another training would find the same model"
        )
    started = Retraining.of(trigger, health.base_dt)
    after = RetrainingCursor(retrained=(*past, started)[-_REMEMBERED:])
    context.update_cursor(after.model_dump_json())
    return _request(trigger, started, base_dt, preset, point_in_time)


def _request(
    trigger: Trigger, started: Retraining, base_dt: str, preset: Retrain, point_in_time: bool | None
) -> dg.RunRequest:
    """The run; Dagster itself starts one per evidence only, by its key.

    Rows are merged as they were before: otherwise late_data_sensor would take them for changed.
    """
    configured: dict[str, dict[str, object]] = {"tuned_runs": {"preset": preset.value}}
    if point_in_time is not None:
        configured[FEATURES_TARGET.path[-1]] = {POINT_IN_TIME: point_in_time}
    return dg.RunRequest(
        run_key=trigger.fingerprint,
        partition_key=base_dt,
        run_config={"ops": {name: {"config": each} for name, each in configured.items()}},
        tags={
            TRIGGER_TAG: f"{trigger.kind.value} of {trigger.champion}, {trigger.since} to"
            f" {trigger.until}",
            EVIDENCE_TAG: started.model_dump_json(),
        },
    )


def _newest_health(artifacts: ArtifactsIOManager) -> HealthRecord | None:
    folders = reversed(list(artifacts.open_all(MONITORING_FOLDER)))
    newest = next((folder for _, folder in folders if HealthRecord.FILE in folder), None)
    return newest.read(HealthRecord) if newest else None


def _was_searched(
    artifacts: ArtifactsIOManager,
    feature_store: FeatureStore,
    base_dt: str,
    preset: Retrain,
    point_in_time: bool | None,
) -> bool:
    """Whether the newest search of a base date was this one, of the rows that it has now."""
    # Half a second to import pandas, which whoever only loads the definitions does not need.
    from credit_ct_dagster.modeling.rows.splitting import data_fingerprint

    folder = artifacts.open(MODEL_FOLDER, base_dt)
    if SearchSummary.FILE not in folder:
        return False
    summary = folder.read(SearchSummary)
    if summary.preset != preset.value:
        return False
    rows = feature_store.source_rows(base_dt, point_in_time=point_in_time is not False)
    return data_fingerprint(rows) == summary.data_fingerprint


def _past(context: dg.SensorEvaluationContext, model_name: str) -> Sequence[Retraining]:
    """What was started before: by the cursor, and by the tags of runs if it was reset."""
    known = {each.fingerprint: each for each in _cursor(context).retrained}
    tagged = dict(context.instance.get_run_tags(tag_keys=[EVIDENCE_TAG]))
    for value in sorted(tagged.get(EVIDENCE_TAG, ())):
        with suppress(ValidationError):  # a person may tag a run with anything
            found = Retraining.model_validate_json(value)
            if found.champion.startswith(f"{model_name}:"):
                known.setdefault(found.fingerprint, found)
    return sorted(known.values(), key=lambda each: (each.day, each.fingerprint))


def _cursor(context: dg.SensorEvaluationContext) -> RetrainingCursor:
    otherwise = "What it started is taken from the tags of runs."
    stored = stored_cursor(context, RetrainingCursor, "retraining_sensor", otherwise)
    return stored or RetrainingCursor()

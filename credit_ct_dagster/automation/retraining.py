"""A training that starts because of how the champion did: once per evidence, never in a loop."""

import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from typing import ClassVar

import dagster as dg
from pydantic import ValidationError

from credit_ct_dagster.automation.base_date_runs import (
    FAILED,
    ended_at,
    failed_runs,
    is_in_progress,
)
from credit_ct_dagster.automation.customer_scores import newest_decision
from credit_ct_dagster.contracts.files import MODEL_FOLDER, MONITORING_FOLDER
from credit_ct_dagster.contracts.health import HealthRecord
from credit_ct_dagster.contracts.record import Record
from credit_ct_dagster.contracts.search import SearchSummary
from credit_ct_dagster.contracts.triggers import Retrain, Retraining
from credit_ct_dagster.days import days_before
from credit_ct_dagster.evidence.merged_rows import (
    FEATURES_TARGET,
    POINT_IN_TIME,
    merged_at_a_point_in_time,
)
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.modeling.watching.retraining import retraining_for
from credit_ct_dagster.partitions import Calendar, day_of
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.resources.trained_model import TrainedModel
from credit_ct_dagster.runs.cursors import stored_cursor
from credit_ct_dagster.runs.model_runs import ModelRuns
from credit_ct_dagster.runs.purposes import CONTINUOUS_TRAINING, TRIGGER_TAG

EVIDENCE_TAG = ".dagster/credit_ct_evidence"
"""A tag of a run that a trigger started: a `Retraining`, by which the sensor knows it again.

Dagster's pages hide tags that begin so; what a person wants to know is in TRIGGER_TAG.
"""

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
    " a preset; at most once per cool_down_days, and never twice on the same evidence. A training"
    " that fails does not count, and is tried again on the next day.",
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
    today = day_of(time.time())
    runs = trained_model.runs_on(context.instance)
    tagged = _tagged(context.instance, trained_model.name)
    failed = _failed(runs, tagged)
    started = {each.fingerprint: each for each in (*tagged.values(), *_cursor(context).retrained)}
    past = sorted(
        (each for each in started.values() if each.fingerprint not in failed),
        key=lambda each: (each.day, each.fingerprint),
    )
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
    if today in failed.values():
        return dg.SkipReason(
            f"The training that a trigger started today, {today}, has failed: the next attempt is"
            " tomorrow"
        )
    base_dt = feature_store.newest_label_date(until=calendar.newest())
    if base_dt is None or base_dt < calendar.first:
        return dg.SkipReason("No base date has labels to train on")
    if is_in_progress(runs, base_dt):
        return dg.SkipReason(f"A run of base date {base_dt} has not ended")
    preset = health.watch.retrain
    point_in_time = merged_at_a_point_in_time(context.instance, base_dt)
    is_complete = not failed_runs(runs, base_dt)
    if is_complete and _was_searched(artifacts, feature_store, base_dt, preset, point_in_time):
        return dg.SkipReason(
            f"Base date {base_dt} was trained with preset {preset.value} on the same rows already:"
            " another training would find the same model"
        )
    retraining = Retraining.of(trigger, health.base_dt)
    after = RetrainingCursor(retrained=(*past, retraining)[-_REMEMBERED:])
    context.update_cursor(after.model_dump_json())
    configured = _configured(preset, point_in_time)
    return dg.RunRequest(
        # Dagster itself starts one run per key.
        run_key=f"{trigger.fingerprint}/{today}",
        partition_key=base_dt,
        run_config={"ops": {name: {"config": each} for name, each in configured.items()}},
        tags={
            TRIGGER_TAG: f"{trigger.kind.value} of {trigger.champion}, {trigger.since} to"
            f" {trigger.until}",
            EVIDENCE_TAG: retraining.model_dump_json(),
        },
    )


def _configured(preset: Retrain, point_in_time: bool | None) -> dict[str, dict[str, object]]:
    """The configuration of each step.

    Rows are merged as they were before: otherwise late_data_sensor would take them for changed.
    """
    configured: dict[str, dict[str, object]] = {"tuned_runs": {"preset": preset.value}}
    if point_in_time is not None:
        configured[FEATURES_TARGET.path[-1]] = {POINT_IN_TIME: point_in_time}
    return configured


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


def _tagged(instance: dg.DagsterInstance, model_name: str) -> dict[str, Retraining]:
    """What the runs of triggers were started for, by the values of their tag."""
    tags = dict(instance.get_run_tags(tag_keys=[EVIDENCE_TAG]))
    found = {}
    for value in sorted(tags.get(EVIDENCE_TAG, ())):
        with suppress(ValidationError):  # a person may tag a run with anything
            retraining = Retraining.model_validate_json(value)
            if retraining.champion.startswith(f"{model_name}:"):
                found[value] = retraining
    return found


def _failed(runs: ModelRuns, tagged: Mapping[str, Retraining]) -> dict[str, str]:
    """The evidence of which every run has failed: by fingerprint, the day when the last one did."""
    records = defaultdict[str, list[dg.RunRecord]](list)
    wanted = dg.RunsFilter(tags={EVIDENCE_TAG: list(tagged)})
    for record in runs.all_records(wanted) if tagged else ():
        records[tagged[record.dagster_run.tags[EVIDENCE_TAG]].fingerprint].append(record)
    return {
        fingerprint: day_of(max(map(ended_at, of)))
        for fingerprint, of in records.items()
        if all(each.dagster_run.status in FAILED for each in of)
    }


def _cursor(context: dg.SensorEvaluationContext) -> RetrainingCursor:
    otherwise = "What it started is taken from the tags of runs."
    stored = stored_cursor(context, RetrainingCursor, "retraining_sensor", otherwise)
    return stored or RetrainingCursor()

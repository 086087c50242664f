"""When customers are scored: every day, and once more when another model became the champion."""

import re
from typing import ClassVar

import dagster as dg

from credit_ct_dagster.contracts.customer_scores import CustomerScoresSummary
from credit_ct_dagster.contracts.decision import DecisionRecord
from credit_ct_dagster.contracts.files import (
    DECISION_FILE,
    DECISIONS_FOLDER,
    MODEL_FOLDER,
    SCORES_FOLDER,
)
from credit_ct_dagster.contracts.record import Record
from credit_ct_dagster.errors.base import CreditCtError, UnavailableError
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.partitions import TIMEZONE, Calendar
from credit_ct_dagster.runs.cursors import stored_cursor
from credit_ct_dagster.runs.hours import Hours, cron, shown
from credit_ct_dagster.runs.purposes import CUSTOMER_SCORES


class ChampionCursor(Record):
    """What `champion_scores_sensor` saw at its last tick.

    Attributes:
        decision: The file of the newest decision; empty before the first one.
        champion: The registered version that is the champion since; None without one.
    """

    REMEDY: ClassVar[str] = "reset the cursor of the sensor in the UI"

    decision: str
    champion: str | None


def daily_customer_scores_schedule(hours: Hours) -> dg.ScheduleDefinition:
    """The schedule of scoring; whatever training promotes later is scored by the sensor."""
    moment = hours.daily_customer_scores_schedule
    return dg.schedule(
        name="daily_customer_scores_schedule",
        job_name=CUSTOMER_SCORES,
        cron_schedule=cron(moment),
        execution_timezone=TIMEZONE,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Scores the customers of yesterday's base date every day at {shown(moment)},"
        " unless the champion of then has scored them already.",
    )(_newest_customers)


def _newest_customers(
    context: dg.ScheduleEvaluationContext,
    calendar: Calendar,
    artifacts: dg.ResourceParam[ArtifactsIOManager],
) -> dg.RunRequest | dg.SkipReason:
    """Request a run of the newest base date that has ended, once there is a champion."""
    base_dt = calendar.newest(context.scheduled_execution_time)
    champion = newest_decision(artifacts).champion
    if champion is None:
        return dg.SkipReason("No model was promoted yet")
    if _scored_by(artifacts, base_dt) == champion:
        return dg.SkipReason(f"Version {champion} has scored base date {base_dt} already")
    return dg.RunRequest(run_key=base_dt, partition_key=base_dt)


@dg.sensor(
    job_name=CUSTOMER_SCORES,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Scores the customers of the newest base date that was trained or scored again when"
    " another model has become the champion, by the gate or by a person.",
)
def champion_scores_sensor(
    context: dg.SensorEvaluationContext, artifacts: dg.ResourceParam[ArtifactsIOManager]
) -> dg.RunRequest | dg.SkipReason:
    """Compare the newest decision with that of the last tick; only names of files are listed."""
    before = _cursor(context)
    if before and _newest_file(artifacts) == before.decision:
        return dg.SkipReason("No decision since the last tick")
    now = newest_decision(artifacts)
    context.update_cursor(now.model_dump_json())
    if now.champion is None:
        return dg.SkipReason("No model was promoted yet")
    if before is None:
        return dg.SkipReason(f"Version {now.champion} is the champion: waiting for another one")
    if now.champion == before.champion:
        return dg.SkipReason(f"Version {now.champion} is still the champion")
    base_dt = _newest(artifacts)
    if base_dt is None:
        return dg.SkipReason("No base date was trained or scored yet")
    if _scored_by(artifacts, base_dt) == now.champion:
        return dg.SkipReason(f"Version {now.champion} has scored base date {base_dt} already")
    # One run per decision: a model may become the champion a second time.
    return dg.RunRequest(run_key=f"{base_dt}/{now.decision}", partition_key=base_dt)


def _newest_file(artifacts: ArtifactsIOManager) -> str:
    names = artifacts.open(DECISIONS_FOLDER, "").names()
    return max((name for name in names if re.fullmatch(r"\d+\.json", name)), default="")


def newest_decision(artifacts: ArtifactsIOManager) -> ChampionCursor:
    """The newest decision, and the champion since; only its own file is read."""
    name = _newest_file(artifacts)
    if not name:
        return ChampionCursor(decision="", champion=None)
    folder = artifacts.open(DECISIONS_FOLDER, "")
    record = DecisionRecord.from_json(folder.content(name), str(folder.path / name))
    return ChampionCursor(decision=name, champion=record.champion)


def _newest(artifacts: ArtifactsIOManager) -> str | None:
    """The newest base date with a decision on its model, or with scores.

    Labels come later than features: the schedule scores base dates that cannot be trained yet.
    """
    found = [
        _newest_with(artifacts, MODEL_FOLDER, DECISION_FILE),
        _newest_with(artifacts, SCORES_FOLDER, CustomerScoresSummary.FILE),
    ]
    return max(filter(None, found), default=None)


def _newest_with(artifacts: ArtifactsIOManager, template: str, file: str) -> str | None:
    folders = reversed(list(artifacts.open_all(template)))
    return next((base_dt for base_dt, folder in folders if file in folder), None)


def _scored_by(artifacts: ArtifactsIOManager, base_dt: str) -> str | None:
    """The registered version that scored a base date; None if none did, or nobody knows."""
    folder = artifacts.open(SCORES_FOLDER, base_dt)
    if CustomerScoresSummary.FILE not in folder:
        return None
    try:
        summary = folder.read(CustomerScoresSummary)
    except UnavailableError:
        raise
    except CreditCtError:  # what is damaged is written again
        return None
    too_many = summary.quarantine.share > summary.quarantine.max_share
    return None if too_many else summary.model.registered_version


def _cursor(context: dg.SensorEvaluationContext) -> ChampionCursor | None:
    otherwise = "The sensor begins anew."
    return stored_cursor(context, ChampionCursor, "champion_scores_sensor", otherwise)

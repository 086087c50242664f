"""Telling people, and noticing runs whose process was killed.

Each way of telling has a sensor of its own. How far it has told is the sensor's cursor, which
Dagster keeps when a tick fails: a server that is down holds up nobody else, and gets its alerts
when it is back. (Dagster's own run status sensors move on after an error: the alert would be lost.)
"""

import logging
import time
from typing import Protocol

import dagster as dg
from pydantic import ValidationError

from credit_ct_dagster.alerting.alerts import Position, untold
from credit_ct_dagster.alerting.channels import Alert, Kind, Mail, Webhook
from credit_ct_dagster.runs.processes import fail_abandoned_runs

_EVERY_SECONDS = 30
_LEVELS = {
    Kind.run_failed: logging.ERROR,
    Kind.base_date_missing: logging.ERROR,
    Kind.check_failed: logging.WARNING,
    Kind.run_succeeded: logging.INFO,
}
_TICK_SECONDS = 20
"""Dagster gives up on a tick after a minute, and would forget how far it came."""


@dg.sensor(
    minimum_interval_seconds=_EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells the log of failures, missing base dates and successes.",
)
def log_alerts_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Tell it there."""
    return _tell(context, _Log(context.log))


@dg.sensor(
    minimum_interval_seconds=_EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells the same by e-mail, where it is configured (SMTP_HOST).",
)
def mail_alerts_sensor(context: dg.SensorEvaluationContext, mail: Mail) -> dg.SkipReason:
    """Tell it by e-mail."""
    return _tell(context, mail)


@dg.sensor(
    minimum_interval_seconds=_EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Posts the same as JSON, where to is ALERT_WEBHOOK_URL.",
)
def webhook_alerts_sensor(context: dg.SensorEvaluationContext, webhook: Webhook) -> dg.SkipReason:
    """Tell it to a webhook."""
    return _tell(context, webhook)


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Marks runs as failed whose process was killed: they would hold a place in the"
    " queue for ever.",
)
def abandoned_runs_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Look for them once a minute."""
    marked = fail_abandoned_runs(context.instance)
    return dg.SkipReason(f"Marked {', '.join(marked)}" if marked else "No run was abandoned")


class _Channel(Protocol):
    @property
    def is_configured(self) -> bool: ...

    def send(self, alert: Alert) -> None: ...


class _Log:
    """The log of the sensor: the code location's, and the tick's in the UI."""

    is_configured = True

    def __init__(self, log: logging.Logger) -> None:
        self._log = log

    def send(self, alert: Alert) -> None:
        self._log.log(
            _LEVELS[alert.kind],
            "\n".join(filter(None, [alert.subject, alert.body])),
            extra={"kind": alert.kind.value, "base_dt": alert.base_dt, "run_id": alert.run_id},
        )


def _told_so_far(context: dg.SensorEvaluationContext) -> Position | None:
    try:
        return Position.model_validate_json(context.cursor) if context.cursor else None
    except ValidationError:
        context.log.warning("Another version wrote how far this was told, which cannot be read")
        return None


def _tell(context: dg.SensorEvaluationContext, channel: _Channel) -> dg.SkipReason:
    """Tell what is untold, in order, and move the cursor after each.

    Raises:
        NotToldError: Not even the first could be told: the next tick begins with the same one.
    """
    before = _told_so_far(context)
    if before is None or not channel.is_configured:
        context.update_cursor(Position.now(context.instance).model_dump_json())
        return dg.SkipReason(
            "Tells what happens from now on" if channel.is_configured else "Not configured"
        )
    begun, told = time.monotonic(), 0
    try:
        for alert, position in untold(context.instance, before):
            if alert is not None:
                channel.send(alert)
                told += 1
            context.update_cursor(position.model_dump_json())
            if time.monotonic() - begun > _TICK_SECONDS:
                break
    except Exception:
        # Dagster drops the cursor of a tick that fails, and so would tell again what was told now.
        # The next tick begins with what failed, and then fails.
        if not told:
            raise
        context.log.exception("The rest is told at the next tick")
    return dg.SkipReason(f"Told {told}" if told else "Nothing to tell")

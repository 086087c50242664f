"""Sensors that send alerts, one for each channel.

A channel's sensor stores in its cursor up to where it has reported, and Dagster retains the cursor
when a tick fails: a server that is down holds up no other channel, and receives its alerts when it
is back. (Dagster's own run status sensors move on after an error: the alert would be lost.)
"""

import logging
import time
from typing import Protocol

import dagster as dg

from credit_ct_dagster.alerting.alerts import alert_on
from credit_ct_dagster.alerting.channels import Alert, Kind, Mail, Webhook
from credit_ct_dagster.alerting.events import AlertCursor, pending_events
from credit_ct_dagster.errors.base import CreditCtError
from credit_ct_dagster.partitions import Calendar
from credit_ct_dagster.resources.dagster_ui import DagsterUI

_EVERY_SECONDS = 30
_LEVELS = {
    Kind.run_failed: logging.ERROR,
    Kind.base_date_missing: logging.ERROR,
    Kind.check_failed: logging.WARNING,
    Kind.run_succeeded: logging.INFO,
}
_TICK_SECONDS = 20
"""Dagster stops a tick after a minute, and its cursor would be lost."""


@dg.sensor(
    minimum_interval_seconds=_EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Logs failed runs, failed checks, missing base dates and successful runs.",
)
def log_alerts_sensor(
    context: dg.SensorEvaluationContext, calendar: Calendar, dagster_ui: DagsterUI
) -> dg.SkipReason:
    """Write pending alerts to the log."""
    return _send_pending(context, _Log(context.log), calendar, dagster_ui)


@dg.sensor(
    minimum_interval_seconds=_EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Sends the same alerts by e-mail, if SMTP_HOST and MAIL_TO are set.",
)
def mail_alerts_sensor(
    context: dg.SensorEvaluationContext, calendar: Calendar, dagster_ui: DagsterUI, mail: Mail
) -> dg.SkipReason:
    """Send pending alerts by e-mail."""
    return _send_pending(context, mail, calendar, dagster_ui)


@dg.sensor(
    minimum_interval_seconds=_EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Posts the same alerts as JSON to ALERT_WEBHOOK_URL, if it is set.",
)
def webhook_alerts_sensor(
    context: dg.SensorEvaluationContext, calendar: Calendar, dagster_ui: DagsterUI, webhook: Webhook
) -> dg.SkipReason:
    """Post pending alerts to the webhook."""
    return _send_pending(context, webhook, calendar, dagster_ui)


class _Channel(Protocol):
    @property
    def is_configured(self) -> bool: ...

    def send(self, alert: Alert) -> None: ...


class _Log:
    """The log of the sensor: of the code location, and of the tick in the UI."""

    is_configured = True

    def __init__(self, log: logging.Logger) -> None:
        self._log = log

    def send(self, alert: Alert) -> None:
        self._log.log(
            _LEVELS[alert.kind],
            "\n".join(filter(None, [alert.subject, alert.body])),
            extra={
                "kind": alert.kind.value,
                "base_dt": alert.base_dt,
                "run_id": alert.run_id,
                "code": alert.code,
            },
        )


def _stored_cursor(context: dg.SensorEvaluationContext) -> AlertCursor | None:
    if not context.cursor:
        return None
    try:
        return AlertCursor.from_json(
            context.cursor.encode(), f"The cursor of {context.sensor_name}"
        )
    except CreditCtError as error:
        context.log.warning(
            f"{error} Alerts are sent for what happens from now on.", extra={"code": error.code}
        )
        return None


def _send_pending(
    context: dg.SensorEvaluationContext, channel: _Channel, calendar: Calendar, ui: DagsterUI
) -> dg.SkipReason:
    """Send pending alerts in order, and move the cursor after each.

    Raises:
        AlertNotDeliveredError: Not even the first was accepted: the next tick begins with it.
    """
    cursor = _stored_cursor(context)
    if cursor is None or not channel.is_configured:
        context.update_cursor(AlertCursor.now(context.instance, calendar).model_dump_json())
        return dg.SkipReason(
            "Alerts are sent for what happens from now on"
            if channel.is_configured
            else "Not configured"
        )
    begun, sent = time.monotonic(), 0
    try:
        for event, after in pending_events(context.instance, calendar, cursor):
            alert = alert_on(context.instance, ui, event)
            if alert is not None:
                channel.send(alert)
                sent += 1
            context.update_cursor(after.model_dump_json())
            if time.monotonic() - begun > _TICK_SECONDS:
                break
    except Exception:
        # Dagster discards the cursor of a tick that fails, and would send again what was sent now.
        # The next tick begins with the alert that failed, and then fails.
        if not sent:
            raise
        context.log.exception("The remaining alerts are sent at the next tick")
    return dg.SkipReason(f"Alerts sent: {sent}" if sent else "No alert is pending")

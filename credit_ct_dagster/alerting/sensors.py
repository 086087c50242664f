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
from credit_ct_dagster.alerting.events import AlertCursor, UndeliverableAlert, pending_events
from credit_ct_dagster.errors.operation import AlertRefusedError
from credit_ct_dagster.partitions import Calendar
from credit_ct_dagster.resources.dagster_ui import DagsterUI
from credit_ct_dagster.resources.trained_model import TrainedModel
from credit_ct_dagster.runs.cursors import stored_cursor

_EVERY_SECONDS = 30
_LEVELS = {
    Kind.run_failed: logging.ERROR,
    Kind.base_date_missing: logging.ERROR,
    Kind.check_failed: logging.WARNING,
    Kind.run_succeeded: logging.INFO,
    Kind.champion_unhealthy: logging.ERROR,
    Kind.champion_rolled_back: logging.ERROR,
    Kind.champion_promoted: logging.WARNING,
    Kind.health_missing: logging.ERROR,
    Kind.backfill_failed: logging.ERROR,
    Kind.approval_requested: logging.WARNING,
}
_REFUSED_IN_A_ROW = 5
_TICK_SECONDS = 20
"""Dagster stops a tick after a minute, and its cursor would be lost."""


@dg.sensor(
    minimum_interval_seconds=_EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Logs failed runs, failed checks, missing base dates, what is wrong with the"
    " champion, models that await approval, and successful runs that trained or scored.",
)
def log_alerts_sensor(
    context: dg.SensorEvaluationContext,
    calendar: Calendar,
    dagster_ui: DagsterUI,
    trained_model: TrainedModel,
) -> dg.SkipReason:
    """Write pending alerts to the log."""
    return _send_pending(context, _Log(context.log), calendar, dagster_ui, trained_model)


@dg.sensor(
    minimum_interval_seconds=_EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Sends the same alerts by e-mail, if SMTP_HOST and MAIL_TO are set.",
)
def mail_alerts_sensor(
    context: dg.SensorEvaluationContext,
    calendar: Calendar,
    dagster_ui: DagsterUI,
    trained_model: TrainedModel,
    mail: Mail,
) -> dg.SkipReason:
    """Send pending alerts by e-mail."""
    return _send_pending(context, mail, calendar, dagster_ui, trained_model)


@dg.sensor(
    minimum_interval_seconds=_EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Posts the same alerts as JSON to ALERT_WEBHOOK_URL, if it is set.",
)
def webhook_alerts_sensor(
    context: dg.SensorEvaluationContext,
    calendar: Calendar,
    dagster_ui: DagsterUI,
    trained_model: TrainedModel,
    webhook: Webhook,
) -> dg.SkipReason:
    """Post pending alerts to the webhook."""
    return _send_pending(context, webhook, calendar, dagster_ui, trained_model)


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
    otherwise = "Alerts are sent for what happens from now on."
    return stored_cursor(context, AlertCursor, context.sensor_name, otherwise)


def _send_pending(
    context: dg.SensorEvaluationContext,
    channel: _Channel,
    calendar: Calendar,
    ui: DagsterUI,
    trained_model: TrainedModel,
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
    delivery = _Delivery(context, channel)
    runs = trained_model.runs_on(context.instance)
    try:
        for event, after in pending_events(runs, calendar, cursor):
            delivery.send(alert_on(runs, ui, event) if event else None, after)
            if delivery.has_to_stop:
                break
        delivery.end()
    except Exception:
        # Dagster discards the cursor of a tick that fails, and would send again what was sent now.
        # The next tick begins with the alert that failed, and then fails.
        if not delivery.has_moved:
            raise
        context.log.exception("The remaining alerts are sent at the next tick")
    return dg.SkipReason(delivery.summary)


class _Delivery:
    """The alerts of one tick.

    A channel may refuse an alert for ever. If its answer is about that alert, or if it accepts a
    later one, the alert is logged as undeliverable and passed. Otherwise the channel may refuse all
    of them, as with a wrong password: then they wait.
    """

    def __init__(self, context: dg.SensorEvaluationContext, channel: _Channel) -> None:
        self._context = context
        self._channel = channel
        self._begun = time.monotonic()
        self._sent = 0
        self._refused: list[tuple[Alert, AlertRefusedError]] = []
        self._undeliverable: list[UndeliverableAlert] = []
        self.has_moved = False

    @property
    def has_to_stop(self) -> bool:
        """Whether the tick has lasted long enough, or too many were refused in a row."""
        return (
            time.monotonic() - self._begun > _TICK_SECONDS
            or len(self._refused) >= _REFUSED_IN_A_ROW
        )

    @property
    def summary(self) -> str:
        """What was done, in a line."""
        counts = {
            "Alerts sent": self._sent,
            "undeliverable": len(self._undeliverable),
        }
        done = ", ".join(f"{name}: {count}" for name, count in counts.items() if count)
        return done or "No alert is pending"

    def send(self, alert: Alert | None, after: AlertCursor) -> None:
        """Send an alert, if there is one, and move the cursor."""
        works = False
        if alert is not None:
            try:
                self._channel.send(alert)
                self._sent += 1
                works = True
            except AlertRefusedError as error:
                self._refused.append((alert, error))
                works = all(refused.concerns_alert for _, refused in self._refused)
        if works:
            self._give_up_refused()
        if not self._refused:
            self._context.update_cursor(after.without(self._undeliverable).model_dump_json())
            self.has_moved = True

    def end(self) -> None:
        """Report what the channel refused, and may accept when its settings are corrected.

        Raises:
            AlertRefusedError: The first of these alerts.
        """
        if self._refused:
            raise self._refused[0][1]

    def _give_up_refused(self) -> None:
        for alert, error in self._refused:
            self._context.log.error(
                f"An alert is undeliverable, and is not sent again. {error}\n{alert.subject}",
                extra={"code": error.code, "run_id": alert.run_id, "base_dt": alert.base_dt},
            )
            self._undeliverable.append(
                UndeliverableAlert(subject=alert.subject, run_id=alert.run_id)
            )
        self._refused.clear()

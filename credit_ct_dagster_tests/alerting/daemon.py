"""Dagster's sensor daemon with the sensors that send alerts, on a clock of the test."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import dagster as dg

from credit_ct_dagster.alerting.channels import Mail, Webhook
from credit_ct_dagster.alerting.sensors import (
    log_alerts_sensor,
    mail_alerts_sensor,
    webhook_alerts_sensor,
)
from credit_ct_dagster.partitions import Calendar
from credit_ct_dagster.resources.dagster_ui import DagsterUI
from credit_ct_dagster.resources.trained_model import TrainedModel
from credit_ct_dagster_tests.dagster_internals import InstigatorTick, tick_sensors

UI = "https://dagster.example.com"

_MAIL = Mail(
    smtp_host="127.0.0.1",
    smtp_port=dg.EnvVar.int("SMTP_PORT"),
    smtp_starttls=False,
    mail_to=["ops@example.com"],
)
COMMON = {
    "calendar": Calendar(),
    "dagster_ui": DagsterUI(url=f"{UI}/"),
    "trained_model": TrainedModel(name="m"),
}
_WEBHOOK = Webhook(url=dg.EnvVar("ALERT_WEBHOOK_URL"))
# Loaded by the daemon. A sensor costs a fifth of a second a tick.
webhook = dg.Definitions(sensors=[webhook_alerts_sensor], resources={**COMMON, "webhook": _WEBHOOK})
mail = dg.Definitions(sensors=[mail_alerts_sensor], resources={**COMMON, "mail": _MAIL})
webhook_and_log = dg.Definitions(
    sensors=[webhook_alerts_sensor, log_alerts_sensor],
    resources={**COMMON, "webhook": _WEBHOOK},
)


class Daemon:
    """Dagster's sensor daemon, on a clock of the test, from a moment in Seoul on."""

    def __init__(self, instance: dg.DagsterInstance, definitions: str = "webhook") -> None:
        self.instance = instance
        self._definitions = definitions
        self.now = datetime(2025, 2, 3, 8, 0, tzinfo=ZoneInfo("Asia/Seoul"))

    def tick(self, at: str | None = None) -> list[InstigatorTick]:
        """Start a daemon and let it evaluate its sensors; returns the first one's ticks."""
        self.now += timedelta(seconds=31)
        if at:
            self.now = datetime.combine(self.now, time.fromisoformat(at), self.now.tzinfo)
        return tick_sensors(self.instance, __name__, self._definitions, self.now)

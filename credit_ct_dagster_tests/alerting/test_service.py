"""Alerts of the service."""

from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import pytest

from credit_ct_dagster.alerting import service
from credit_ct_dagster.alerting.channels import Alert, Kind, Webhook
from credit_ct_dagster.alerting.service import Channel, ServiceAlerts
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.errors.models import MissingPackageError
from credit_ct_dagster.errors.operation import AlertNotDeliveredError
from credit_ct_dagster.resources.dagster_ui import DagsterUI
from credit_ct_dagster.serving.follower import FollowerState
from credit_ct_dagster.serving.server.folder import ServerFolder
from credit_ct_dagster_tests.servers import Receiver


def _model(base_dt: str) -> ModelIdentity:
    return ModelIdentity(
        base_dt=base_dt,
        mlflow_run_id="r",
        dagster_run_id="d",
        data_fingerprint="f",
        bentoml_tag=f"m:{base_dt}",
    )


_ERROR = MissingPackageError("Package m:2025-01-02 is missing from sqlite://u:hush@host.")
_STATE = FollowerState(serving=_model("2025-01-01"), wanted=_model("2025-01-02"))


@dataclass
class _Channel:
    """Refuses some alerts, then takes them."""

    refusals: int = 0
    taken: list[Alert] = field(default_factory=list)
    delivered: Event = field(default_factory=Event)
    is_configured: bool = True

    def send(self, alert: Alert) -> None:
        if self.refusals:
            self.refusals -= 1
            raise AlertNotDeliveredError("Nobody answers.")
        self.taken.append(alert)
        self.delivered.set()


def test_the_workers_of_a_server_alert_once(tmp_path: Path) -> None:
    """Over a real webhook: base date, code, what is served instead, the page, and no secret."""
    page = DagsterUI(url="https://dagster", model_name="m").health_url()
    reported = _Channel()
    with ServerFolder.running(tmp_path) as folder, Receiver.running() as receiver:
        channels: list[Channel] = [
            Webhook(url=receiver.url),
            reported,
            _Channel(is_configured=False),
        ]
        workers = [
            ServiceAlerts(
                folder, channels, lambda text: text.replace("hush", "***"), {"health": page}
            )
            for _ in range(2)
        ]
        for _ in range(2):
            for worker in workers:
                worker.failed(_ERROR, _STATE)
        assert reported.delivered.wait(20)
        for _ in range(400):
            if receiver.received:
                break
            Event().wait(0.05)
    [alert] = receiver.received
    assert (alert["kind"], alert["code"], alert["base_dt"]) == (
        Kind.champion_not_served,
        "CT-PACKAGE-1",
        "2025-01-02",
    )
    assert "It answers with m:2025-01-01 of base date 2025-01-01." in alert["text"]
    assert "hush" not in alert["text"]
    assert alert["links"] == {"health": "https://dagster/champion-health?model=m"}
    assert len(reported.taken) == 1


def test_what_is_solved_may_happen_again(tmp_path: Path) -> None:
    """It is another alert then."""
    channel = _Channel()
    with ServerFolder.running(tmp_path) as folder:
        alerts = ServiceAlerts(folder, [channel])
        for _ in range(2):
            channel.delivered.clear()
            alerts.failed(_ERROR, _STATE)
            assert channel.delivered.wait(20)
            alerts.solved()
    assert len(channel.taken) == 2


def test_an_alert_that_is_not_taken_is_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the follower goes on."""
    monkeypatch.setattr(service, "_PAUSES_SECONDS", (0.01, 0.01))
    channel = _Channel(refusals=2)
    with ServerFolder.running(tmp_path) as folder:
        ServiceAlerts(folder, [channel]).failed(_ERROR, FollowerState())
        assert channel.delivered.wait(20)
    assert channel.taken[0].base_dt is None
    assert "It has no model" in channel.taken[0].text

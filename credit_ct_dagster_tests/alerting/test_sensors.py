"""People are told what happened, once each, by Dagster's own sensor daemon and real servers."""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.scheduler.instigation import InstigatorTick
from dagster._core.test_utils import InProcessTestWorkspaceLoadTarget, freeze_time
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._daemon.sensor import execute_sensor_iteration

from credit_ct_dagster.alerting.channels import Mail, Webhook
from credit_ct_dagster.alerting.sensors import (
    log_alerts_sensor,
    mail_alerts_sensor,
    webhook_alerts_sensor,
)
from credit_ct_dagster.partitions import base_date_partitions
from credit_ct_dagster.runs.history import RunHistory
from credit_ct_dagster.settings import get_settings
from credit_ct_dagster_tests.servers import Inbox, Receiver, free_port

BASE_DT = "2025-02-02"
_SENTENCE = f"Base date {BASE_DT}: the window has expired."
_UI = "http://127.0.0.1:3000"

_MAIL = Mail(
    smtp_host="127.0.0.1",
    smtp_port=dg.EnvVar.int("SMTP_PORT"),
    smtp_starttls=False,
    mail_to=["ops@example.com"],
)
# Loaded by the daemon. A sensor costs a fifth of a second a tick.
webhook = dg.Definitions(
    sensors=[webhook_alerts_sensor],
    resources={"webhook": Webhook(url=dg.EnvVar("ALERT_WEBHOOK_URL"))},
)
mail = dg.Definitions(sensors=[mail_alerts_sensor], resources={"mail": _MAIL})
webhook_and_log = dg.Definitions(
    sensors=[webhook_alerts_sensor, log_alerts_sensor],
    resources={"webhook": Webhook(url=dg.EnvVar("ALERT_WEBHOOK_URL"))},
)


_every_history = pytest.mark.parametrize("instance", ["sqlite", "mariadb"], indirect=True)


@dg.asset(partitions_def=base_date_partitions)
def model_card() -> None:
    """Succeeds."""


@dg.asset(partitions_def=base_date_partitions, name="model_card")
def failing_model_card() -> None:
    """Fails."""
    raise dg.Failure(_SENTENCE, allow_retries=False)


@dg.asset_check(asset="model_card")
def drift_is_small() -> dg.AssetCheckResult:
    """Warns."""
    return dg.AssetCheckResult(
        passed=False, severity=dg.AssetCheckSeverity.WARN, description="income moved."
    )


@dg.asset_check(asset="model_card", blocking=True)
def rows_are_there() -> dg.AssetCheckResult:
    """Stops the run."""
    return dg.AssetCheckResult(passed=False, description="no rows.")


class _Daemon:
    """Dagster's sensor daemon, on a clock of the test, from a moment in Seoul on."""

    def __init__(self, instance: dg.DagsterInstance, definitions: str = "webhook") -> None:
        self.instance = instance
        self._origin = LoadableTargetOrigin(module_name=__name__, attribute=definitions)
        self.now = datetime(2025, 2, 3, 8, 0, tzinfo=ZoneInfo("Asia/Seoul"))

    def tick(self, at: str | None = None) -> list[InstigatorTick]:
        """Start a daemon and let it evaluate its sensors; returns the first one's ticks."""
        self.now += timedelta(seconds=31)
        if at:
            self.now = datetime.combine(self.now, time.fromisoformat(at), self.now.tzinfo)
        target = InProcessTestWorkspaceLoadTarget(InProcessCodeLocationOrigin(self._origin))
        with (
            freeze_time(self.now),
            WorkspaceProcessContext(self.instance, target) as workspace,
        ):
            list(execute_sensor_iteration(workspace, logging.getLogger("daemon"), None, None))
            location = next(iter(workspace.create_request_context().code_locations))
            [repository] = location.get_repositories().values()
            sensor = repository.get_sensors()[0]
            return list(self.instance.get_ticks(sensor.get_remote_origin_id(), sensor.selector_id))


@pytest.fixture
def daemon(instance: dg.DagsterInstance, request: pytest.FixtureRequest) -> _Daemon:
    """A daemon that has ticked once, before 09:00, and from now on tells what happens."""
    made = _Daemon(instance, getattr(request, "param", "webhook"))
    made.tick()
    return made


@pytest.fixture(autouse=True)
def port(monkeypatch: pytest.MonkeyPatch) -> int:
    """Where the webhook is, once it is up."""
    chosen = free_port()
    monkeypatch.setenv("ALERT_WEBHOOK_URL", f"http://127.0.0.1:{chosen}/{Receiver.SECRET}")
    return chosen


@pytest.fixture(autouse=True)
def mail_port(monkeypatch: pytest.MonkeyPatch) -> int:
    """Where the mail server is, once it is up."""
    chosen = free_port()
    monkeypatch.setenv("SMTP_PORT", str(chosen))
    return chosen


@pytest.fixture
def receiver(port: int) -> Iterator[Receiver]:
    """A webhook that is up."""
    with Receiver.running(port) as server:
        yield server


@pytest.fixture
def run(instance: dg.DagsterInstance) -> Callable[..., str]:
    """Materializes assets and checks for `BASE_DT`; returns the run's id."""

    def materialize(*made: Any) -> str:
        return dg.materialize(
            made, partition_key=BASE_DT, instance=instance, raise_on_error=False
        ).run_id

    return materialize


@_every_history
def test_a_failure_is_told_once(
    daemon: _Daemon, receiver: Receiver, run: Callable[..., str]
) -> None:
    """The sentence, and where to look; not again, whether the daemon goes on or is restarted."""
    run_id = run(failing_model_card)
    for _ in range(3):
        daemon.tick()
    assert receiver.received == [
        {
            "kind": "run_failed",
            "base_dt": BASE_DT,
            "subject": f"Materialization failed: {BASE_DT}",
            "text": f"model_card: {_SENTENCE}",
            "links": {
                "run": f"{_UI}/runs/{run_id}",
                "asset": f"{_UI}/assets/model_card?view=partitions&partition={BASE_DT}",
            },
            "run_id": run_id,
        }
    ]


@_every_history
def test_a_check_that_only_warns_is_told(
    daemon: _Daemon, receiver: Receiver, run: Callable[..., str]
) -> None:
    """Its run succeeds, and Dagster has no sensor for that."""
    run_id = run(model_card, drift_is_small)
    daemon.tick()
    daemon.tick()
    [alert] = receiver.received
    assert (alert["kind"], alert["run_id"]) == ("check_failed", run_id)
    assert alert["subject"] == (f"Materialization succeeded, but not drift_is_small: {BASE_DT}")
    assert alert["text"] == "drift_is_small: income moved."
    assert alert["links"]["asset"].endswith("model_card?view=checks&checkDetail=drift_is_small")


def test_a_run_that_fails_by_a_check_is_one_alert(
    daemon: _Daemon, receiver: Receiver, run: Callable[..., str]
) -> None:
    """With the sentences of all checks that failed in it, each once."""
    run(model_card, drift_is_small, rows_are_there)
    daemon.tick()
    [alert] = receiver.received
    assert alert["kind"] == "run_failed"
    assert sorted(alert["text"].splitlines()) == [
        "drift_is_small: income moved.",
        "rows_are_there: no rows.",
    ]


def test_a_success_is_told(daemon: _Daemon, receiver: Receiver, run: Callable[..., str]) -> None:
    """Nothing but the links."""
    run(model_card)
    daemon.tick()
    [alert] = receiver.received
    assert (alert["kind"], alert["text"]) == ("run_succeeded", "")


def test_a_killed_run_is_told_with_its_reason(
    daemon: _Daemon, receiver: Receiver, instance: dg.DagsterInstance
) -> None:
    """It has no step that failed."""
    killed = instance.create_run_for_job(dg.GraphDefinition("training").to_job())
    instance.report_run_failed(killed, "The process that ran it was killed.")
    daemon.tick()
    [alert] = receiver.received
    assert alert["subject"] == "training failed: no base date"
    assert alert["text"] == "The process that ran it was killed."
    assert list(alert["links"]) == ["run"]


@_every_history
def test_a_base_date_that_is_not_there_at_nine_is_told_once(
    daemon: _Daemon, receiver: Receiver
) -> None:
    """Not a minute before, and every day anew."""
    daemon.tick("08:59")
    assert receiver.received == []
    for at in ("09:00", "09:01", "23:59"):
        daemon.tick(at)
    [alert] = receiver.received
    assert (alert["kind"], alert["base_dt"]) == ("base_date_missing", BASE_DT)
    assert alert["text"].startswith(f"Base date {BASE_DT} has no model card at 09:00 Asia/Seoul.")
    assert f"credit-ct run --partition {BASE_DT}" in alert["text"]
    daemon.now += timedelta(days=2)
    daemon.tick("09:00")
    assert [each["base_dt"] for each in receiver.received] == [BASE_DT, "2025-02-03", "2025-02-04"]


def test_a_missing_base_date_is_told_with_its_run(
    daemon: _Daemon, receiver: Receiver, run: Callable[..., str]
) -> None:
    """One that failed, in this case."""
    run_id = run(failing_model_card)
    daemon.tick("09:00")
    failure, missing = receiver.received
    assert (failure["kind"], missing["kind"]) == ("run_failed", "base_date_missing")
    assert "Its last run ended as FAILURE" in missing["text"]
    assert missing["links"]["run"].endswith(run_id)


@_every_history
def test_a_base_date_that_is_there_is_not_missed(
    daemon: _Daemon, receiver: Receiver, run: Callable[..., str]
) -> None:
    """Only its success is told; and another base date's would not have counted."""
    run(model_card)
    daemon.tick("09:00")
    assert [each["kind"] for each in receiver.received] == ["run_succeeded"]


@_every_history
@pytest.mark.parametrize("deleted", [False, True])
def test_a_run_that_fails_after_a_prune_is_told(
    daemon: _Daemon, receiver: Receiver, run: Callable[..., str], deleted: bool
) -> None:
    """Also when the newest run went: SQLite hands out the numbers of its events again."""
    told = run(failing_model_card)
    daemon.tick()
    if deleted:
        RunHistory(daemon.instance).remove(told)
    untold = run(failing_model_card)
    daemon.tick()
    daemon.tick()
    assert [each["run_id"] for each in receiver.received] == [told, untold]


@_every_history
def test_a_server_that_was_down_gets_every_alert_once(
    daemon: _Daemon, port: int, run: Callable[..., str]
) -> None:
    """The tick fails with a sentence, the runs are what they were, and the next tick tells."""
    failed = [run(failing_model_card) for _ in range(2)]
    down = daemon.tick()[0]
    assert down.status.value == "FAILURE"
    assert down.error is not None
    assert "did not take the alert" in str(down.error)
    assert Receiver.SECRET not in str(down.error)
    assert daemon.instance.get_run_by_id(failed[0]).status == dg.DagsterRunStatus.FAILURE  # type: ignore[union-attr]
    with Receiver.running(port) as server:
        daemon.tick()
        daemon.tick()
        assert [each["run_id"] for each in server.received] == failed


@pytest.mark.parametrize("daemon", ["mail"], indirect=True)
def test_a_mail_server_that_was_down_gets_every_alert_once(
    daemon: _Daemon, mail_port: int, run: Callable[..., str]
) -> None:
    """As the webhook."""
    failed = [run(failing_model_card) for _ in range(2)]
    daemon.tick()
    with Inbox.running(mail_port) as inbox:
        daemon.tick()
        daemon.tick()
        texts = [str(each.content) for each in inbox.messages]
        assert [run_id in text for run_id, text in zip(failed, texts, strict=True)] == [True, True]


def test_what_was_told_before_a_server_went_down_is_not_told_again(
    daemon: _Daemon, port: int, run: Callable[..., str]
) -> None:
    """The first of three arrives; the others follow when the server is back."""
    failed = [run(failing_model_card) for _ in range(3)]
    with Receiver.running(port, answers=[200, 503, 503, 503]) as server:
        daemon.tick()
        assert [each["run_id"] for each in server.received] == [failed[0]] + [failed[1]] * 3
    with Receiver.running(port) as server:
        daemon.tick()
        assert [each["run_id"] for each in server.received] == failed[1:]


@pytest.mark.parametrize("daemon", ["webhook_and_log"], indirect=True)
def test_the_log_does_not_wait_for_the_webhook(
    daemon: _Daemon, run: Callable[..., str], capfd: pytest.CaptureFixture[str]
) -> None:
    """Each way of telling has its own cursor."""
    run(failing_model_card)
    daemon.tick()
    daemon.tick()
    said = f"log_alerts_sensor - Materialization failed: {BASE_DT}\nmodel_card: {_SENTENCE}"
    assert capfd.readouterr().err.count(said) == 1


def test_secrets_do_not_reach_an_alert(
    daemon: _Daemon, receiver: Receiver, run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if a library puts one into its error."""

    @dg.asset(partitions_def=base_date_partitions)
    def leaking() -> None:
        raise ValueError("cannot open mysql+pymysql://ct:hush%21@db/mlops: hush! is wrong")

    monkeypatch.setenv("FEATURE_STORE_URL", "mysql+pymysql://ct:hush%21@db/mlops")
    with ExitStack() as afterwards:
        afterwards.callback(get_settings.cache_clear)
        get_settings.cache_clear()
        run(leaking)
        daemon.tick()
    [alert] = receiver.received
    assert "cannot open mysql+pymysql://ct:***@db/mlops: *** is wrong" in alert["text"]

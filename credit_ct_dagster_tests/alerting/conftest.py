"""A sensor daemon, servers that receive alerts, and runs to report."""

from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg
import pytest

from credit_ct_dagster.runs.purposes import MONITORING
from credit_ct_dagster_tests.alerting.daemon import Daemon
from credit_ct_dagster_tests.alerting.observed_runs import BASE_DT
from credit_ct_dagster_tests.servers import Receiver, free_port


@pytest.fixture
def daemon(instance: dg.DagsterInstance, request: pytest.FixtureRequest) -> Daemon:
    """A daemon that has ticked once, before 09:00, and from now on reports what happens."""
    made = Daemon(instance, getattr(request, "param", "webhook"))
    made.tick()
    return made


@pytest.fixture(autouse=True)
def webhook_port(monkeypatch: pytest.MonkeyPatch) -> int:
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
def receiver(webhook_port: int) -> Iterator[Receiver]:
    """A webhook that is up."""
    with Receiver.running(webhook_port) as server:
        yield server


@pytest.fixture
def run(instance: dg.DagsterInstance) -> Callable[..., str]:
    """Materializes assets and checks for `BASE_DT`; returns the run's id."""

    def materialize(*made: Any) -> str:
        return dg.materialize(
            made, partition_key=BASE_DT, instance=instance, raise_on_error=False
        ).run_id

    return materialize


@pytest.fixture
def monitor(instance: dg.DagsterInstance) -> Callable[..., str]:
    """Runs the job with assets and checks of its own for `BASE_DT`; returns the run's id."""

    def execute(*made: Any) -> str:
        checks = [each for each in made if isinstance(each, dg.AssetChecksDefinition)]
        definitions = dg.Definitions(
            assets=[each for each in made if each not in checks],
            asset_checks=checks,
            jobs=[dg.define_asset_job(MONITORING, selection=dg.AssetSelection.all())],
        )
        job = definitions.resolve_job_def(MONITORING)
        return job.execute_in_process(
            partition_key=BASE_DT, instance=instance, raise_on_error=False
        ).run_id

    return execute

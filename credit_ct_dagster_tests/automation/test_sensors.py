"""People are told how a run ended."""

from typing import Any

import dagster as dg
import pytest

from credit_ct_dagster.automation.sensors import run_failure_sensor, run_success_sensor
from credit_ct_dagster.resources.notifications import Notifier

_SENT: list[tuple[str, str]] = []


class _Recorder(Notifier):
    """Keeps what would be sent."""

    def send(self, subject: str, body: str, log: Any = None) -> None:
        _SENT.append((subject, body))


@pytest.fixture(autouse=True)
def _clear() -> None:
    _SENT.clear()


def _run(instance: dg.DagsterInstance, *, fails: bool) -> dg.ExecuteInProcessResult:
    @dg.op
    def step() -> None:
        if fails:
            raise dg.Failure("Base date 2025-01-31: the window has expired.", allow_retries=False)

    @dg.job(name="continuous_training", tags={"dagster/partition": "2025-01-31"})
    def job() -> None:
        step()

    return job.execute_in_process(instance=instance, raise_on_error=False)


def test_a_success_names_job_base_date_and_run(instance: dg.DagsterInstance) -> None:
    """Subject and link."""
    result = _run(instance, fails=False)
    context = dg.build_run_status_sensor_context(
        sensor_name="run_success_sensor",
        dagster_instance=instance,
        dagster_run=result.dagster_run,
        dagster_event=result.get_run_success_event(),
        resources={"notifier": _Recorder()},
    )
    run_success_sensor(context)
    [(subject, body)] = _SENT
    assert subject == "continuous_training succeeded: 2025-01-31"
    assert body == f"Run: http://127.0.0.1:3000/runs/{result.run_id}"


def test_a_failure_gives_the_sentence_of_the_step(instance: dg.DagsterInstance) -> None:
    """Not a traceback: the reason, and where to look."""
    result = _run(instance, fails=True)
    context = dg.build_run_status_sensor_context(
        sensor_name="run_failure_sensor",
        dagster_instance=instance,
        dagster_run=result.dagster_run,
        dagster_event=result.get_run_failure_event(),
        resources={"notifier": _Recorder()},
    ).for_run_failure()
    run_failure_sensor(context)
    [(subject, body)] = _SENT
    assert subject == "continuous_training failed: 2025-01-31"
    assert body.startswith("step: Base date 2025-01-31: the window has expired.")
    assert body.endswith(f"/runs/{result.run_id}")

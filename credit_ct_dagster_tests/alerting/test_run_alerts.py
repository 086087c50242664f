"""What is reported of a run that ended, once, by Dagster's own sensor daemon to a real server."""

from collections.abc import Callable

import dagster as dg
import pytest

from credit_ct_dagster.alerting.run_alerts import on_success
from credit_ct_dagster.alerting.run_events import RunEvents
from credit_ct_dagster.resources.dagster_ui import DagsterUI
from credit_ct_dagster.runs.purposes import TRIGGER_TAG
from credit_ct_dagster_tests.alerting.daemon import UI, Daemon
from credit_ct_dagster_tests.alerting.observed_runs import (
    BASE_DT,
    DAYS,
    SENTENCE,
    drift_is_small,
    failing_model_card,
    model_card,
    rows_are_present,
    sentence_of,
)
from credit_ct_dagster_tests.servers import Receiver

_every_history = pytest.mark.parametrize("instance", ["sqlite", "mariadb"], indirect=True)


@_every_history
def test_a_failure_is_reported_once(
    daemon: Daemon, receiver: Receiver, run: Callable[..., str]
) -> None:
    """With sentence, code and links; not again, however often a daemon starts."""
    run_id = run(failing_model_card)
    for _ in range(3):
        daemon.tick()
    assert receiver.received == [
        {
            "kind": "run_failed",
            "base_dt": BASE_DT,
            "subject": f"Materialization failed: {BASE_DT}",
            "text": f"model_card: {SENTENCE}",
            "links": {
                "run": f"{UI}/runs/{run_id}",
                "asset": f"{UI}/assets/model_card?view=partitions&partition={BASE_DT}",
            },
            "run_id": run_id,
            "code": "CT-ROWS-1",
        }
    ]


@_every_history
def test_a_check_that_only_warns_is_reported(
    daemon: Daemon, receiver: Receiver, run: Callable[..., str]
) -> None:
    """Its run succeeds, and Dagster has no sensor for that."""
    run_id = run(model_card, drift_is_small)
    daemon.tick()
    daemon.tick()
    [alert] = receiver.received
    assert (alert["kind"], alert["run_id"]) == ("check_failed", run_id)
    assert alert["subject"] == (
        f"Materialization succeeded with a failed check (drift_is_small): {BASE_DT}"
    )
    assert alert["text"] == sentence_of("drift_is_small", "income drifted.")
    assert alert["code"] == "CT-CHECK-DRIFT-IS-SMALL"
    assert alert["links"]["asset"].endswith("model_card?view=checks&checkDetail=drift_is_small")


def test_a_run_that_fails_by_a_check_is_one_alert(
    daemon: Daemon, receiver: Receiver, run: Callable[..., str]
) -> None:
    """With the sentences of all checks that failed in it, each once; the code is the cause's."""
    run(model_card, drift_is_small, rows_are_present)
    daemon.tick()
    [alert] = receiver.received
    assert (alert["kind"], alert["code"]) == ("run_failed", "CT-CHECK-ROWS-ARE-PRESENT")
    assert alert["text"].splitlines() == [
        sentence_of("rows_are_present", "no rows."),
        sentence_of("drift_is_small", "income drifted."),
    ]


def test_a_success_is_reported(daemon: Daemon, receiver: Receiver, run: Callable[..., str]) -> None:
    """With links, and without text or code."""
    run(model_card)
    daemon.tick()
    [alert] = receiver.received
    assert (alert["kind"], alert["text"], alert["code"]) == ("run_succeeded", "", None)


def test_a_success_leads_to_what_the_job_makes() -> None:
    """The alert about scores shows the scores, and not the model card."""
    for job, asset in (("customer_scores_job", "customer_scores"), ("other", "model_card")):
        done = dg.DagsterRun(job_name=job, run_id="1", tags={"dagster/partition": BASE_DT})
        alert = on_success(DagsterUI(url=UI, model_name="m"), done, RunEvents([]))
        assert alert
        assert f"/assets/{asset}?" in alert.links["asset"]


def test_a_training_says_which_trigger_started_it(
    daemon: Daemon, receiver: Receiver, instance: dg.DagsterInstance
) -> None:
    """When it has succeeded."""
    tags = {TRIGGER_TAG: "below_floor of m:1, 2025-01-01 to 2025-01-05"}
    dg.materialize([model_card], partition_key=BASE_DT, instance=instance, tags=tags)
    daemon.tick()
    [alert] = receiver.received
    assert alert["kind"] == "run_succeeded"
    assert alert["text"] == (
        "retraining_sensor started it: below_floor of m:1, 2025-01-01 to 2025-01-05"
    )


def test_a_killed_run_is_reported_with_its_cause(
    daemon: Daemon, receiver: Receiver, instance: dg.DagsterInstance
) -> None:
    """As an earlier release recorded it, too: no step failed, and the message has no code."""
    killed = instance.create_run_for_job(dg.GraphDefinition("training").to_job())
    instance.report_run_failed(killed, "The process that ran it was killed.")
    daemon.tick()
    [alert] = receiver.received
    assert alert["subject"] == "training failed: no base date"
    assert alert["text"].startswith("The process that ran it was killed. See CT-RUN-1: ")
    assert alert["code"] == "CT-RUN-1"
    assert list(alert["links"]) == ["run"]


def test_secrets_do_not_reach_an_alert(
    daemon: Daemon, receiver: Receiver, run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if a library puts one into its error; the code is that of an unexpected one."""

    @dg.asset(partitions_def=DAYS)
    def leaking() -> None:
        raise ValueError("cannot open mysql+pymysql://ct:hush%21@db/mlops: hush! is wrong")

    monkeypatch.setenv("FEATURE_STORE_URL", "mysql+pymysql://ct:hush%21@db/mlops")
    run(leaking)
    daemon.tick()
    [alert] = receiver.received
    assert "cannot open mysql+pymysql://ct:***@db/mlops: *** is wrong" in alert["text"]
    assert alert["code"] == "CT-UNEXPECTED-1"

"""A backfill that Dagster gave up is alerted once: it may have started no run."""

import dagster as dg

from credit_ct_dagster.alerting.backfills import BackfillFailed
from credit_ct_dagster.alerting.events import AlertCursor, ReportedEvent, pending_events
from credit_ct_dagster.partitions import Calendar
from credit_ct_dagster.runs.model_runs import ModelRuns
from credit_ct_dagster_tests.alerting.daemon import UI, Daemon
from credit_ct_dagster_tests.dagster_internals import create_run_for_test, record_backfill
from credit_ct_dagster_tests.servers import Receiver

_DAYS = ["2025-02-01", "2025-01-31", "2025-02-02"]


def test_a_backfill_without_a_run_is_alerted(daemon: Daemon, receiver: Receiver) -> None:
    """Once, with its base dates, what Dagster reported of it, and its page."""
    record_backfill(daemon.instance, "refused", _DAYS, "FAILED", ended=2_000_000_000)
    record_backfill(daemon.instance, "fine", _DAYS, "COMPLETED_SUCCESS", ended=2_000_000_001)
    record_backfill(daemon.instance, "some", _DAYS, "COMPLETED_FAILED", ended=2_000_000_002)
    daemon.tick()
    daemon.tick()
    [alert] = receiver.received
    assert alert["kind"] == "backfill_failed"
    assert alert["code"] == "CT-DAGSTER-4"
    assert alert["base_dt"] is None
    assert alert["subject"] == "A backfill failed: 2025-01-31 to 2025-02-02"
    assert alert["text"] == (
        "Backfill refused of 3 base dates (2025-01-31 to 2025-02-02) failed before it started a"
        " run: depth: not a number. Correct the cause, then launch a backfill of the base dates"
        " that are missing. See CT-DAGSTER-4: docs/runbook.md#ct-dagster-4"
    )
    assert alert["links"] == {"backfill": f"{UI}/runs/b/refused"}


def test_a_refused_configuration_is_a_line(daemon: Daemon, receiver: Receiver) -> None:
    """The key and its neighbours, and not Dagster's schema, which goes by e-mail as well."""
    ops = " ".join(f"op_{number}?: {{ config?: {{ depth?: Int? }} }}" for number in range(99))
    message = (
        "Error in config for job continuous_training\n    Error 1: Received unexpected config entry"
        f' "tuned_runs" at the root. Expected: "{{ execution?: Any ops?: {{ {ops} }} }}".'
    )
    record_backfill(daemon.instance, "a", _DAYS, "FAILED", 2_000_000_000, message)
    daemon.tick()
    [alert] = receiver.received
    assert alert["text"] == (
        "Backfill a of 3 base dates (2025-01-31 to 2025-02-02) failed before it started a run:"
        " 'tuned_runs' is not expected: there may be execution, ops. Correct the cause, then launch"
        " a backfill of the base dates that are missing. See CT-DAGSTER-4:"
        " docs/runbook.md#ct-dagster-4"
    )


def test_backfills_are_alerted_in_the_order_in_which_they_ended(
    daemon: Daemon, receiver: Receiver
) -> None:
    """Each with the runs that it has started."""
    record_backfill(daemon.instance, "later", ["2025-02-01"], "FAILED", ended=2_000_000_009)
    record_backfill(daemon.instance, "earlier", _DAYS, "FAILED", ended=2_000_000_001)
    create_run_for_test(daemon.instance, tags={"dagster/backfill": "later"})
    daemon.tick()
    earlier, later = receiver.received
    assert earlier["links"] == {"backfill": f"{UI}/runs/b/earlier"}
    assert later["links"] == {"backfill": f"{UI}/runs/b/later"}
    assert "of 2025-02-01 failed when it had started 1 of its runs: " in later["text"]


def test_what_failed_before_the_alerts_began_is_not_alerted(
    instance: dg.DagsterInstance, receiver: Receiver
) -> None:
    """Nor what failed before a release that knew of backfills: its cursors do not have them."""
    record_backfill(instance, "old", _DAYS, "FAILED", ended=2_000_000_000)
    Daemon(instance).tick()
    Daemon(instance).tick()
    assert not receiver.received
    older = AlertCursor(failed=ReportedEvent(), succeeded=ReportedEvent(), due=None)
    events = list(pending_events(ModelRuns(instance, "m"), Calendar(), older))
    assert not [event for event, _ in events if isinstance(event, BackfillFailed)]
    assert {after.backfills for _, after in events} == {2_000_000_000}

"""Runs whose process was killed, with real processes, or that never began."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import dagster as dg
import pytest

from credit_ct_dagster.automation.base_date_runs import was_started
from credit_ct_dagster.automation.retraining import EVIDENCE_TAG
from credit_ct_dagster.runs import process_identity
from credit_ct_dagster.runs.model_runs import MODEL_TAG, ModelRuns
from credit_ct_dagster.runs.process_identity import ProcessIdentity
from credit_ct_dagster.runs.processes import (
    PROCESS_TAG,
    fail_abandoned_runs,
    fail_runs_that_never_begin,
    record_run,
    run_tags,
)
from credit_ct_dagster.runs.purposes import CONTINUOUS_TRAINING, MONITORING
from credit_ct_dagster.runs.reasons import reason_of
from credit_ct_dagster_tests.dagster_internals import (
    TagType,
    create_run_for_test,
    get_tag_type,
    report_process,
)
from credit_ct_dagster_tests.platform import BASE_DT

_STARTED = dg.DagsterRunStatus.STARTED
_HOST = "pid:[4026531836]"


def _identity(pid: int) -> ProcessIdentity:
    found = ProcessIdentity.of(pid)
    assert found is not None
    return found


def _dead() -> ProcessIdentity:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    identity = _identity(process.pid)
    process.kill()
    process.communicate()
    return identity


def _run(
    instance: dg.DagsterInstance,
    identity: ProcessIdentity | None,
    status: dg.DagsterRunStatus = _STARTED,
) -> dg.DagsterRun:
    run = create_run_for_test(instance, status=status)
    if identity:
        instance.add_run_tags(run.run_id, {PROCESS_TAG: identity.tag(run.run_id)})
    return run


@pytest.mark.parametrize("status", ["NOT_STARTED", "STARTING", "STARTED"])
def test_only_runs_whose_process_does_not_exist_are_failed(
    instance: dg.DagsterInstance, status: str
) -> None:
    """Also one that was killed while it was still importing; one without a process yet is not."""
    at = dg.DagsterRunStatus[status]
    dead, alive, without = (
        _run(instance, who, at) for who in (_dead(), _identity(os.getpid()), None)
    )
    assert fail_abandoned_runs(instance) == [dead.run_id]
    statuses = {run.run_id: run.status for run in instance.get_runs()}
    assert statuses == {
        dead.run_id: dg.DagsterRunStatus.FAILURE,
        alive.run_id: at,
        without.run_id: at,
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"namespace": "pid:[4026532001]"},
        {"boot": "another", "namespace": "pid:[4026532001]"},
        {"boot": "another", "host": "another"},
        {"boot": "another", "machine": "another"},
    ],
    ids=["another container", "after a restart", "another machine", "a copy of the machine"],
)
def test_a_process_that_cannot_be_seen_from_here_is_not_judged(
    instance: dg.DagsterInstance, changes: dict[str, str]
) -> None:
    """Two containers with one folder have other processes of the same numbers, or none."""
    _run(instance, replace(_dead(), **changes))  # type: ignore[arg-type]
    assert fail_abandoned_runs(instance) == []


def test_a_machine_that_was_switched_on_again_has_no_older_process(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a power cut, a process of the same number is another one."""
    monkeypatch.setattr(process_identity, "_namespace", lambda: _HOST)
    before = replace(_identity(os.getpid()), boot="before the power cut")
    assert fail_abandoned_runs(instance) == []
    run = _run(instance, before)
    assert fail_abandoned_runs(instance) == [run.run_id]


def test_a_number_that_was_given_to_another_process_is_noticed(
    instance: dg.DagsterInstance,
) -> None:
    """By the ticks of the machine at which it started."""
    run = _run(instance, replace(_identity(os.getpid()), started="1"))
    assert fail_abandoned_runs(instance) == [run.run_id]


def test_a_clock_that_is_set_forward_fails_no_run(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither one that is executed nor one that was created a moment ago."""
    _run(instance, _identity(os.getpid()))
    _run(instance, None, dg.DagsterRunStatus.NOT_STARTED)
    ahead = time.time() + 7200
    monkeypatch.setattr(time, "time", lambda: ahead)
    assert fail_abandoned_runs(instance) == []
    assert fail_runs_that_never_begin(instance, {})[0] == []


def test_a_run_that_is_executed_again_does_not_inherit_a_dead_process(
    instance: dg.DagsterInstance,
) -> None:
    """Dagster gives it the tags of the run that was killed."""
    killed = _run(instance, _dead())
    tags = {PROCESS_TAG: instance.get_run_by_id(killed.run_id).tags[PROCESS_TAG]}  # type: ignore[union-attr]
    create_run_for_test(instance, status=_STARTED, tags=tags)
    assert fail_abandoned_runs(instance) == [killed.run_id]


def test_pages_of_runs_do_not_show_which_process_it_is() -> None:
    """Nor any other tag that only this platform reads."""
    assert {get_tag_type(tag) for tag in (PROCESS_TAG, EVIDENCE_TAG)} == {TagType.HIDDEN}


@pytest.mark.parametrize("tag", ["", "{}", "[]", "no JSON", '{"run_id": "1", "later": 1}'])
def test_a_tag_of_another_release_names_no_process(tag: str) -> None:
    """Such a run is not touched."""
    assert ProcessIdentity.of_tag(tag, "1") is None


def test_a_killed_run_that_monitors_has_no_trials(instance: dg.DagsterInstance) -> None:
    """What to do is to start it again, and nothing of it is reused."""
    run = create_run_for_test(instance, job_name=MONITORING, status=_STARTED)
    instance.add_run_tags(run.run_id, {PROCESS_TAG: _dead().tag(run.run_id)})
    fail_abandoned_runs(instance)
    logged = instance.all_logs(run.run_id)
    reason = reason_of(entry.dagster_event for entry in logged if entry.dagster_event)
    assert reason is not None
    assert reason.sentence.startswith(
        "The process that executed the run was killed. Start it again. See CT-RUN-2"
    )


def test_a_killed_process_is_the_reason_of_its_run(instance: dg.DagsterInstance) -> None:
    """With a code that leads to what to do."""
    run = _run(instance, _dead())
    fail_abandoned_runs(instance)
    logged = instance.all_logs(run.run_id)
    reason = reason_of(entry.dagster_event for entry in logged if entry.dagster_event)
    assert reason is not None
    assert reason.code == "CT-RUN-2"
    assert reason.sentence == (
        "The process that executed the run was killed. Start it again: finished trials are reused."
        " See CT-RUN-2: docs/runbook.md#ct-run-2"
    )


def test_a_run_that_never_began_does_not_block_its_base_date(instance: dg.DagsterInstance) -> None:
    """One that was just created is not touched; one that waits for ten minutes has failed."""
    tags = {"dagster/partition": BASE_DT}
    run = create_run_for_test(instance, job_name=CONTINUOUS_TRAINING, tags=tags)
    minutes: dict[str, int] = {}
    for _ in range(10):
        failed, minutes = fail_runs_that_never_begin(instance, minutes)
        assert failed == []
    assert was_started(ModelRuns(instance, "m"), BASE_DT)
    assert fail_runs_that_never_begin(instance, minutes) == ([run.run_id], {})
    assert not was_started(ModelRuns(instance, "m"), BASE_DT)


@pytest.mark.parametrize("whose", [os.getpid, os.getppid])
def test_a_run_names_its_process_and_its_model(
    instance: dg.DagsterInstance, whose: Callable[[], int]
) -> None:
    """Its own, or the parent of the process of a step."""
    run = create_run_for_test(instance, status=_STARTED)
    report_process(instance, run, whose())
    record_run(instance, run, "m")
    recorded = instance.get_run_by_id(run.run_id)
    assert recorded is not None
    assert recorded.tags[MODEL_TAG] == "m"
    assert recorded.tags[PROCESS_TAG] == _identity(whose()).tag(run.run_id)


def test_a_process_that_is_not_known_is_not_recorded(instance: dg.DagsterInstance) -> None:
    """Another one reported to execute the run."""
    run = create_run_for_test(instance, status=_STARTED)
    report_process(instance, run, 1)
    record_run(instance, run, "m")
    recorded: Any = instance.get_run_by_id(run.run_id)
    assert PROCESS_TAG not in recorded.tags


def test_a_command_names_its_process_when_it_creates_its_run() -> None:
    """So a run that was killed before its first step is known, too."""
    assert run_tags("1", "m") == {MODEL_TAG: "m", PROCESS_TAG: _identity(os.getpid()).tag("1")}

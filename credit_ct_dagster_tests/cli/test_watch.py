"""`credit-ct watch`: the sentences of the page, in a terminal, with an exit code."""

import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from click.testing import CliRunner, Result

from credit_ct_dagster.cli.main import main
from credit_ct_dagster.contracts.decision import Ground
from credit_ct_dagster.contracts.files import HEALTH_FILE, MONITORING_FOLDER
from credit_ct_dagster.contracts.health import HealthRecord, Severity, Topic
from credit_ct_dagster.errors.watching import NoHealthRecordError, OutdatedHealthRecordError
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.io_managers.decisions import DecisionRecords
from credit_ct_dagster.partitions import Calendar
from credit_ct_dagster_tests.dagster_internals import switch_sensor
from credit_ct_dagster_tests.decisions.decisions_in_memory import DecisionsInMemory
from credit_ct_dagster_tests.modeling.watching import healths
from credit_ct_dagster_tests.servers import free_port

_HEALTHY = (healths.sentence(Severity.ok, Topic.volume, "100 answers."),)


@pytest.fixture
def artifacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ArtifactsIOManager:
    """The artifacts that the command reads; at SERVICE_URL, nothing listens."""
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "ARTIFACTS_PATH": str(tmp_path / "artifacts"),
        "MODEL_NAME": "m",
        "SERVICE_URL": f"http://127.0.0.1:{free_port()}",
    }.items():
        monkeypatch.setenv(name, value)
    return ArtifactsIOManager(base_path=str(tmp_path / "artifacts"), model_name="m")


def _write(artifacts: ArtifactsIOManager, day: str, **changes: Any) -> HealthRecord:
    record = healths.record(base_dt=day, **changes)
    artifacts.write(MONITORING_FOLDER, day, {HEALTH_FILE: record})
    return record


def _watch(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["watch", *arguments])


def test_a_healthy_day_exits_with_0(artifacts: ArtifactsIOManager) -> None:
    """Of a day that is named, the record as it is."""
    _write(artifacts, healths.DAY, sentences=_HEALTHY)
    done = _watch("--day", healths.DAY)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[:5] == [
        f"m, prediction day {healths.DAY}",
        "As of 2025-03-05 09:31 Asia/Seoul.",
        "Healthy",
        "",
        "ok        volume: 100 answers.",
    ]


def test_a_day_that_calls_for_somebody_exits_with_1(artifacts: ArtifactsIOManager) -> None:
    """With what is wrong first, what to do, its code, open decisions and the page: 80 columns."""
    _write(artifacts, healths.DAY)
    done = _watch("--day", healths.DAY)
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    assert lines[2] == "Not healthy"
    assert lines[4].startswith("critical  skew: On 2025-03-04, served features disagree")
    text = " ".join(done.stdout.split())
    assert "Look at who sends these features." in text
    assert "CT-CHECK-SERVED-FEATURES-AGREE-WITH-THE-STORE: docs/runbook.md#ct-check-served" in text
    assert "    credit-ct rollback --by NAME --reason TEXT" in lines
    assert "- New: skew (critical," in done.stdout
    *said, page = lines
    assert max(map(len, said)) <= 80
    assert page == f"Page: {artifacts.open(MONITORING_FOLDER, healths.DAY).path}/health.html"


def test_the_newest_day_is_asked_whether_the_champion_serves_now(
    artifacts: ArtifactsIOManager,
) -> None:
    """What the service said in the morning is no answer in the night."""
    day = Calendar().newest()
    _write(artifacts, healths.before(day, 1))
    _write(artifacts, day, sentences=_HEALTHY)
    done = _watch("--json")
    assert done.exit_code == 1
    found = json.loads(done.stdout)
    assert (found["base_dt"], found["healthy"], found["worst"]) == (day, False, "critical")
    assert [each["code"] for each in found["sentences"]] == ["CT-SERVE-7", None]
    assert found["service"]["status"] == "not running"


def test_a_record_that_is_too_old_is_a_warning(artifacts: ArtifactsIOManager) -> None:
    """Nobody has looked since: that nothing is wrong in it says nothing."""
    _write(artifacts, healths.DAY, sentences=_HEALTHY)
    done = _watch("--json")
    assert done.exit_code == 1
    codes = [each["code"] for each in json.loads(done.stdout)["sentences"]]
    assert OutdatedHealthRecordError.code in codes


@pytest.mark.usefixtures("artifacts")
def test_a_named_day_without_a_record_is_an_error_that_tells_what_makes_one() -> None:
    """Whoever asks for a day has a reason to expect one."""
    done = _watch("--day", "2025-03-04")
    assert done.exit_code == 1
    assert NoHealthRecordError.code in done.output
    assert "monitoring_job" in done.output


@pytest.mark.usefixtures("artifacts", "history")
def test_a_fresh_installation_has_nothing_to_look_at_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has to act: it says by when there will be a record, also to a script."""
    sentence = "No day has been looked at yet; the next is looked at by 11:00 Asia/Seoul."
    done = _watch()
    assert (done.exit_code, done.output.strip()) == (0, sentence)
    (tmp_path / "run.yaml").write_text("schedules: {daily_monitoring_schedule: '07:00'}")
    monkeypatch.setenv("RUN_CONFIG", str(tmp_path / "run.yaml"))
    done = _watch("--json")
    assert (done.exit_code, json.loads(done.output)) == (
        0,
        {"healthy": None, "text": sentence.replace("11:00", "08:30")},
    )


@pytest.mark.usefixtures("artifacts")
def test_no_record_because_the_schedule_is_off_is_an_error(history: dg.DagsterInstance) -> None:
    """There will not be one, unless somebody acts."""
    switch_sensor(history, "daily_monitoring_schedule", on=False)
    done = _watch()
    assert done.exit_code == 1
    assert NoHealthRecordError.code in done.output
    assert "switch daily_monitoring_schedule on" in done.output


@pytest.mark.usefixtures("history")
def test_a_first_record_that_is_late_is_an_error(artifacts: ArtifactsIOManager) -> None:
    """The schedule is on, and yet nobody looks: by the first decision, days have passed."""
    decisions = DecisionsInMemory()
    decisions.add("2025-03-01", Ground.first, promoted=True)
    DecisionRecords(artifacts).append(decisions.records[0])
    done = _watch()
    assert done.exit_code == 1
    assert NoHealthRecordError.code in done.output
    assert "check that the daemon runs (credit-ct doctor)" in done.output


def test_the_help_says_what_the_exit_code_means() -> None:
    """For whoever calls it from a script."""
    text = " ".join(_watch("--help").stdout.split())
    assert "Exits with 0 if the champion is healthy, and with 1 if somebody has to act" in text

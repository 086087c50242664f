"""What was found about prediction days is retained as long as the predictions, or longer."""

import json
from datetime import datetime
from pathlib import Path

import dagster as dg
import pytest

from credit_ct_dagster.automation.pruning import pruning_job
from credit_ct_dagster.contracts.files import (
    HEALTH_FILE,
    MODEL_FOLDER,
    MONITORING_FOLDER,
    PERFORMANCE_PAGE_FILE,
)
from credit_ct_dagster.errors.inputs import SettingsError
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.operations.prune_monitoring import MonitoringRetention
from credit_ct_dagster.partitions import Calendar, last_expired
from credit_ct_dagster.resources.pruning import PruningRules
from credit_ct_dagster_tests.platform import Platform

_DAYS, _NEEDED = 400, 62


class _StoppedCalendar(Calendar):
    def newest(self, now: datetime | None = None) -> str:
        return "2025-12-31"


def _fill(artifacts: ArtifactsIOManager, *days: str) -> None:
    for day in days:
        artifacts.write(
            MONITORING_FOLDER, day, {HEALTH_FILE: {"day": day}, PERFORMANCE_PAGE_FILE: "<html>"}
        )


def _remaining(artifacts: ArtifactsIOManager) -> list[str]:
    return [day for day, _ in artifacts.open_all(MONITORING_FOLDER)]


def test_days_are_deleted_that_are_old_enough(tmp_path: Path) -> None:
    """To the day; a base date of the same day is left as it is, and again nothing is to do."""
    artifacts = ArtifactsIOManager(base_path=str(tmp_path), model_name="m")
    _fill(artifacts, "2024-11-25", "2024-11-26", "2024-11-27", "2025-12-31")
    artifacts.write(MODEL_FOLDER, "2024-11-26", {"summary.json": {}})
    retention = MonitoringRetention(artifacts, _StoppedCalendar(), _DAYS, _NEEDED)
    plan = retention.plan()
    assert plan is not None
    assert (plan.until, plan.days) == ("2024-11-26", ("2024-11-25", "2024-11-26"))
    assert plan.bytes > 0
    assert str(plan).startswith("monitoring of prediction days up to 2024-11-26: 2 days, ")
    assert retention.carry_out(plan) == 2
    assert _remaining(artifacts) == ["2024-11-27", "2025-12-31"]
    assert [day for day, _ in artifacts.open_all(MODEL_FOLDER)] == ["2024-11-26"]
    plan = retention.plan()
    assert plan is not None
    assert retention.carry_out(plan) == 0


def test_all_days_are_retained_where_no_limit_is_set(tmp_path: Path) -> None:
    """As are predictions; and without any folder there is nothing to delete."""
    artifacts = ArtifactsIOManager(base_path=str(tmp_path), model_name="m")
    assert MonitoringRetention(artifacts, _StoppedCalendar(), None, _NEEDED).plan() is None
    plan = MonitoringRetention(artifacts, _StoppedCalendar(), _DAYS, _NEEDED).plan()
    assert plan is not None
    assert plan.days == ()
    assert MonitoringRetention(artifacts, _StoppedCalendar(), _DAYS, _NEEDED).carry_out(None) == 0


def test_days_that_are_still_evidence_are_retained_however_short_predictions_are(
    tmp_path: Path,
) -> None:
    """Those of a probation that may be open, to the day."""
    artifacts = ArtifactsIOManager(base_path=str(tmp_path), model_name="m")
    _fill(artifacts, "2025-10-29", "2025-10-30", "2025-10-31", "2025-12-31")
    plan = MonitoringRetention(artifacts, _StoppedCalendar(), 1, _NEEDED).plan()
    assert plan is not None
    assert (plan.until, plan.days) == ("2025-10-30", ("2025-10-29", "2025-10-30"))


def test_they_are_evidence_for_as_long_as_the_bank_declares(tmp_path: Path) -> None:
    """By RUN_CONFIG: the longest of the days of a probation, of the shadow and of the health."""
    assert PruningRules().monitoring_needed_days() == _NEEDED
    for op, option in (
        ("champion_probation", "probation_days"),
        ("shadow_scores", "probation_days"),
        ("champion_health", "look_back_days"),
    ):
        path = tmp_path / f"{op}.yaml"
        path.write_text(f"ops: {{{op}: {{config: {{{option}: 100}}}}}}")
        assert PruningRules(run_config=str(path)).monitoring_needed_days() == 100
    path.write_text("ops: {champion_health: {config: {look_back_days: 0}}}")
    with pytest.raises(SettingsError, match=r"cannot be used for champion_health: look_back_days"):
        PruningRules(run_config=str(path)).monitoring_needed_days()


def test_command_and_job_delete_them(
    platform: Platform,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """By PREDICTIONS_KEEP_DAYS; the command only says how many, unless --yes is given."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    old, recent = last_expired(Calendar().newest(), _DAYS), Calendar().newest()
    assert old is not None
    _fill(platform.artifacts, old, recent)
    looked = platform.command("prune")
    assert looked.exit_code == 0, looked.output
    assert f"Old monitoring of prediction days up to {old}: 1 days" in looked.output
    assert "Nothing was deleted" in looked.output
    deleted = json.loads(platform.command("prune", "--yes", "--json").output)["monitoring"]
    assert (deleted["days"], deleted["deleted"]) == ([old], 1)
    assert _remaining(platform.artifacts) == [recent]

    _fill(platform.artifacts, old)
    result = pruning_job({}).execute_in_process(instance=instance, resources=platform.resources())
    assert result.success
    assert _remaining(platform.artifacts) == [recent]

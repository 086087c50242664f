"""Old base dates are deleted every night, where that is switched on."""

import json
import shutil
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from credit_ct_dagster.automation.pruning import PRUNING, pruning_job
from credit_ct_dagster.contracts.files import MODEL_FOLDER, PREPROCESSING_FOLDER
from credit_ct_dagster.definitions import build
from credit_ct_dagster.errors.stores import ArtifactsNotWritableError
from credit_ct_dagster.operations.prune import Retention
from credit_ct_dagster.resources.feature_store.scores import CustomerScores
from credit_ct_dagster.settings import Settings
from credit_ct_dagster_tests.platform import REPOSITORY, Platform, failure_of
from credit_ct_dagster_tests.resources.feature_store.scored import write_scores

_OLD, _STUCK = "2025-01-31", "2025-02-01"


def _fill(platform: Platform) -> None:
    for base_dt in (_OLD, _STUCK):
        platform.artifacts.write(PREPROCESSING_FOLDER, base_dt, {"summary.json": {}})
        platform.artifacts.write(MODEL_FOLDER, base_dt, {"summary.json": {}})


def _remaining(platform: Platform) -> list[str]:
    return [base_dt for base_dt, _ in platform.artifacts.open_all(PREPROCESSING_FOLDER)]


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    """The files of one base date cannot be deleted."""
    rmtree = shutil.rmtree

    def refuse(folder: Any, *rest: Any, **options: Any) -> None:
        if _STUCK in str(folder):
            raise PermissionError(13, "Permission denied")
        rmtree(folder, *rest, **options)

    monkeypatch.setattr(shutil, "rmtree", refuse)


def _retention(platform: Platform, instance: dg.DagsterInstance) -> Retention:
    return Retention(
        platform.promotions, platform.studies, platform.store, platform.wiring.calendar, instance
    )


def _execute(platform: Platform, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    return pruning_job({}).execute_in_process(
        instance=instance, resources=platform.resources(), raise_on_error=False
    )


def test_the_job_deletes_what_the_command_deletes(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """By PRUNE_KEEP_DAYS; a second run has nothing to do."""
    _fill(platform)
    write_scores(platform.store, platform.model_name, _OLD)
    assert _execute(platform, instance).success
    assert _remaining(platform) == []
    scores = CustomerScores(platform.store.database, platform.model_name)
    assert scores.per_base_date() == {}
    retention = _retention(platform, instance)
    assert retention.plan(90).expired == {}
    assert _execute(platform, instance).success


@pytest.mark.usefixtures("stuck")
def test_a_base_date_that_cannot_be_deleted_holds_up_no_other(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """The job fails in the end, with the base date and the reason."""
    _fill(platform)
    platform.artifacts.write(PREPROCESSING_FOLDER, "2025-02-02", {"summary.json": {}})
    result = _execute(platform, instance)
    assert f"Base date {_STUCK}: Artifacts below" in failure_of(result)
    assert "Permission denied" in failure_of(result)
    retention = _retention(platform, instance)
    assert set(retention.plan(90).expired) == {_STUCK}
    [outcome] = retention.carry_out(retention.plan(90))
    assert isinstance(outcome.error, ArtifactsNotWritableError)


@pytest.mark.usefixtures("stuck")
def test_the_command_deletes_the_others_and_exits_with_1(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It prints which base date remains, and why."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    _fill(platform)
    done = platform.command("prune", "--yes")
    assert done.exit_code == 1, done.output
    assert f"Deleted base date {_OLD}" in done.output
    assert f"Base date {_STUCK} was not deleted: Artifacts below" in done.output
    again = platform.command("prune", "--yes", "--json")
    assert again.exit_code == 1
    assert list(json.loads(again.stdout)["failed"]) == [_STUCK]


@pytest.mark.parametrize(("switched_on", "expected"), [(False, "STOPPED"), (True, "RUNNING")])
def test_the_schedule_is_on_where_it_is_switched_on(switched_on: bool, expected: str) -> None:
    """Off in the embedded mode; the doctor misses it only where it should be on."""
    definitions = build(Settings(_env_file=None, prune_on_schedule=switched_on))
    schedule = definitions.resolve_schedule_def("nightly_pruning_schedule")
    assert schedule.default_status.value == expected
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 3 * * *", "Asia/Seoul")
    assert schedule.job_name == PRUNING


def test_the_stack_switches_it_on() -> None:
    """In Compose, unless PRUNE_ON_SCHEDULE says otherwise."""
    stack = yaml.safe_load((REPOSITORY / "deploy" / "compose.yaml").read_text())
    assert "-true}" in stack["services"]["code"]["environment"]["PRUNE_ON_SCHEDULE"]
    assert Settings(_env_file=None).prune_on_schedule is False

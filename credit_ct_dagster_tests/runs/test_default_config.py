"""RUN_CONFIG: what a bank decides once about every run, and a run may still decide otherwise."""

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from credit_ct_dagster.automation.schedules import daily_training_schedule
from credit_ct_dagster.definitions import CHECKS, build, partitioned
from credit_ct_dagster.errors.inputs import SettingsError
from credit_ct_dagster.evidence.merged_rows import POINT_IN_TIME
from credit_ct_dagster.partitions import Calendar, clock
from credit_ct_dagster.resources.trained_model import TrainedModel
from credit_ct_dagster.runs.default_config import DefaultConfig
from credit_ct_dagster.runs.hours import Hours
from credit_ct_dagster.runs.purposes import CONTINUOUS_TRAINING, MONITORING
from credit_ct_dagster.settings import Settings
from credit_ct_dagster.wiring import Wiring
from credit_ct_dagster_tests.automation.base_dates import FixedCalendar
from credit_ct_dagster_tests.platform import BASE_DT, Platform, metadata_of

# Dagster looks up where state of definitions is stored in the instance that was opened last.
pytestmark = pytest.mark.usefixtures("instance")

_QUALITY = "ops: {tuned_runs: {config: {preset: quality, monotone: true}}}"
_LOOKING_AHEAD = "ops: {features_target: {config: {point_in_time: false}}}"
_TWICE = """ops:
  champion_model: {config: {approval: required}}
  champion_model: {config: {margin: 0.1}}
"""
_CONFIGURABLE = [*partitioned(Calendar()), *CHECKS]
_VALUES = "preprocessed_splits_columns_have_values"


@pytest.fixture(autouse=True)
def _addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing listens: a run is only planned, which looks them up."""
    for name in ("FEATURE_STORE_URL", "OPTUNA_STORAGE_URL", "MLFLOW_TRACKING_URI"):
        monkeypatch.setenv(name, "sqlite:///nowhere.db")


@pytest.fixture
def declared(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a file of RUN_CONFIG."""

    def write(content: str) -> Path:
        path = tmp_path / "run.yaml"
        path.write_text(content)
        return path

    return write


def _defined(path: Path | None) -> dg.Definitions:
    return build(Settings(_env_file=None, run_config=path))


def _read(path: Path) -> None:
    """What the definitions do with the file when they are loaded."""
    config = DefaultConfig.read(path)
    config.require_ops(_CONFIGURABLE)
    config.given_to(_CONFIGURABLE)


def _config(job: dg.JobDefinition, op: str, run_config: dict[str, Any]) -> dict[str, Any]:
    """The configuration of an op in a run that is started with this run configuration."""
    ops = dg.validate_run_config(job, run_config)["ops"]
    assert isinstance(ops, dict)
    return dict(ops[op]["config"])


@pytest.mark.parametrize("of_all_assets", [False, True], ids=["the job", "assets outside of it"])
def test_a_run_gets_what_is_declared_and_its_own_values_win(
    declared: Callable[[str], Path], of_all_assets: bool
) -> None:
    """Value by value: schedules, sensors and backfills start the job with no configuration."""
    definitions = _defined(declared(_QUALITY))
    job = (
        definitions.resolve_implicit_global_asset_job_def()
        if of_all_assets
        else definitions.resolve_job_def(CONTINUOUS_TRAINING)
    )
    assert job.get_run_config_for_partition_key(BASE_DT) == {}
    requested = _config(job, "tuned_runs", {})
    assert (requested["preset"], requested["monotone"]) == ("quality", True)
    own: dict[str, Any] = {"ops": {"tuned_runs": {"config": {"monotone": False, "depth": [3]}}}}
    config = _config(job, "tuned_runs", own)
    assert (config["preset"], config["monotone"], config["depth"]) == ("quality", False, [3])
    plain = _config(_defined(None).resolve_job_def(CONTINUOUS_TRAINING), "tuned_runs", {})
    assert (plain["preset"], plain["monotone"]) == ("bank", False)


def test_a_run_cannot_take_back_that_a_person_approves(declared: Callable[[str], Path]) -> None:
    """Whoever may start one would promote a model without that person; refused when planned."""
    required = "ops: {champion_model: {config: {approval: required, approval_days: 3}}}"
    job = _defined(declared(required)).resolve_job_def(CONTINUOUS_TRAINING)

    def started_with(approval: str, job: dg.JobDefinition = job) -> Any:
        given = {"ops": {"champion_model": {"config": {"approval": approval, "approval_days": 9}}}}
        return _config(job, "champion_model", given)

    assert started_with("required")["approval_days"] == 9
    with pytest.raises(dg.DagsterInvalidConfigError, match=r"RUN_CONFIG.*CT-CONFIG-3"):
        started_with("off")
    free = _defined(None).resolve_job_def(CONTINUOUS_TRAINING)
    assert started_with("off", free)["approval"] == "off"


def test_the_schedule_starts_a_run_with_what_is_declared(
    declared: Callable[[str], Path], instance: dg.DagsterInstance
) -> None:
    """What it requests has no configuration, and gets that of the job."""
    definitions = _defined(declared(_QUALITY))
    with dg.build_schedule_context(
        instance=instance,
        scheduled_execution_time=datetime(2025, 3, 11, 6, tzinfo=ZoneInfo("Asia/Seoul")),
        resources={"calendar": FixedCalendar(), "trained_model": TrainedModel(name="m")},
        repository_def=definitions.get_repository_def(),
    ) as context:
        [request] = daily_training_schedule(Hours()).evaluate_tick(context).run_requests or []
    job = definitions.resolve_job_def(CONTINUOUS_TRAINING)
    assert _config(job, "tuned_runs", dict(request.run_config))["preset"] == "quality"


def test_a_check_is_configured_as_well(declared: Callable[[str], Path]) -> None:
    """It stays one of the training job's, and the other checks are as they were."""
    definitions = _defined(declared(f"ops: {{{_VALUES}: {{config: {{may_be_empty: [age]}}}}}}"))
    job = definitions.resolve_job_def(CONTINUOUS_TRAINING)
    assert _config(job, _VALUES, {})["may_be_empty"] == ["age"]
    expected = _defined(None).resolve_job_def(CONTINUOUS_TRAINING).asset_layer.asset_graph
    assert job.asset_layer.asset_graph.asset_check_keys == expected.asset_check_keys


def test_a_run_obeys_what_is_declared(
    declared: Callable[[str], Path], instance: dg.DagsterInstance, platform: Platform
) -> None:
    """A merge takes features of later days where the bank declares that their dates say nothing."""
    config = DefaultConfig.read(declared(_LOOKING_AHEAD))
    found = {}
    for ops in ({}, {"features_target": {"config": {POINT_IN_TIME: True}}}):
        result = dg.materialize(
            config.given_to(partitioned(platform.wiring.calendar)),
            partition_key=BASE_DT,
            instance=instance,
            selection=["features_target"],
            resources=platform.resources(),
            run_config={"ops": ops},
        )
        found[len(ops)] = metadata_of(result, "features_target")[POINT_IN_TIME]
    assert found == {0: False, 1: True}


def test_the_rules_of_the_gate_hold_for_what_is_promoted_from_the_shadow(
    declared: Callable[[str], Path],
) -> None:
    """Declared once; what probation is given itself wins, and goes on to the shadow."""
    content = (
        "ops: {champion_model: {config: {margin: 0.01, cool_down_days: 3}},"
        " champion_probation: {config: {cool_down_days: 5, probation: 'off'}}}"
    )
    job = _defined(declared(content)).resolve_job_def(MONITORING)
    probation = _config(job, "champion_probation", {})
    assert (probation["margin"], probation["cool_down_days"]) == (0.01, 5)
    assert _config(job, "shadow_scores", {})["probation"] == "off"
    plain = _config(_defined(None).resolve_job_def(MONITORING), "champion_probation", {})
    assert (plain["margin"], plain["probation"]) == (0.0, "alert")


def test_the_floors_of_the_gate_hold_for_what_was_served(declared: Callable[[str], Path]) -> None:
    """Declared once; and labels are counted alike wherever answers are judged by them."""
    content = (
        "ops: {champion_model: {config: {min_recall: 0.6, draws: 500}},"
        " served_performance: {config: {min_slice_rows: 50, label_days: 20}}}"
    )
    job = _defined(declared(content)).resolve_job_def(MONITORING)
    served = _config(job, "served_performance", {})
    assert (served["min_recall"], served["min_slice_rows"], served["draws"]) == (0.6, 50, 1000)
    for op in ("estimated_performance", "champion_probation"):
        assert _config(job, op, {})["label_days"] == 20


def test_what_a_run_sets_besides_is_refused_as_ever(declared: Callable[[str], Path]) -> None:
    """When it is planned: a value out of range, and one that does not go with what is declared."""
    declared_trials = "ops: {tuned_runs: {config: {sampler: tpe, max_trials: 5}}}"
    job = _defined(declared(declared_trials)).resolve_job_def(CONTINUOUS_TRAINING)
    own: dict[str, Any]
    for own, problem in (
        ({"learning_rate": -1.0}, "learning_rate: .*greater than 0"),
        ({"max_trials": None}, "needs max_trials or max_seconds"),
    ):
        with pytest.raises(dg.DagsterInvalidConfigError, match=f"tuned_runs: .*{problem}"):
            dg.validate_run_config(job, {"ops": {"tuned_runs": {"config": own}}})


@pytest.mark.parametrize("content", ["ops:", "# ops: {}", "ops: {tuned_runs: }"])
def test_a_file_without_values_changes_nothing(
    declared: Callable[[str], Path], content: str
) -> None:
    """As in the stack, where the file is /dev/null unless there is another."""
    config = DefaultConfig.read(declared(content))
    assert not any(config.ops.values())
    assert config.given_to(CHECKS) == CHECKS
    assert DefaultConfig.read(Path(os.devnull)).ops == {}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("ops: [", "is not YAML: .*line 1"),
        ("", "is empty"),
        (_TWICE, "'champion_model' is there twice, in line 2 and in line 3"),
        ("[ops]", "values in it by name"),
        ("execution: {}", "'execution' is not expected in it: there may be ops, schedules"),
        ("ops: [tuned_runs]", "values in ops by name"),
        (
            "ops: {tuned_runs: {preset: quality}}",
            "'preset' is not expected in ops.tuned_runs: there may be config",
        ),
        (
            "ops: {tuned_run: {config: {preset: quality}}}",
            "'tuned_run' is not expected in ops \\(did you mean tuned_runs",
        ),
        ("ops: {model_card: {config: {rows: 1}}}", "'model_card' is not expected in ops"),
        (
            "ops: {tuned_runs: {config: {presets: quality}}}",
            "'presets' is not expected in ops.tuned_runs.config \\(did you mean preset",
        ),
        (
            "schedules: {daily: '07:00'}",
            "'daily' is not expected in schedules: ",
        ),
        ("schedules: {daily_training_schedule: 12:00}", 'schedule: .*write "HH:MM", in quotes'),
        ("schedules: {daily_training_schedule: dawn}", "daily_training_schedule: .*time"),
        ("schedules: {daily_training_schedule: '07:00:30'}", "schedule: write HH:MM"),
        ("schedules: {daily_monitoring_schedule: '23:30'}", "write 22:59, or an earlier time"),
        ("ops: {tuned_runs: {config: {preset: best}}}", "tuned_runs: preset: .*best"),
        ("ops: {tuned_runs: {config: {learning_rate: -1}}}", "learning_rate: .*greater than 0"),
        ("ops: {champion_model: {config: {min_recall: much}}}", "min_recall: .*much"),
        ("ops: {champion_model: {config: {min_recall: off}}}", "min_recall: must be no truth"),
        ("ops: {champion_model: {config: {margin: .inf}}}", "margin: .*finite number"),
        ("ops: {champion_model: {config: {approval: off}}}", "'off' or 'required', in quotes"),
        (f"ops: {{{_VALUES}: {{config: {{may_be_empty: [ages]}}}}}}", "ages: not a feature"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_when_the_definitions_are_loaded(
    declared: Callable[[str], Path], content: str, problem: str
) -> None:
    """With the name of the file, of the op and of the value, before any run starts."""
    with pytest.raises(SettingsError, match=f"RUN_CONFIG: .*run.yaml .*{problem}"):
        _read(declared(content))


def test_what_is_refused_is_said_in_a_few_lines(declared: Callable[[str], Path]) -> None:
    """The key and its neighbours, not the schema of everything that could be there."""
    with pytest.raises(SettingsError) as refused:
        _read(declared("ops: {tuned_runs: {config: {gird: [1]}}, champion: {config: {}}}"))
    assert len(str(refused.value)) < 500


def test_schedules_start_at_the_hours_of_the_file(declared: Callable[[str], Path]) -> None:
    """And what should be known by then is due so much later; without a file as ever."""
    content = "schedules: {daily_training_schedule: '04:15', daily_monitoring_schedule: '12:00'}"
    path = declared(content)
    definitions = _defined(path)
    found = {
        each.name: each.cron_schedule
        for each in definitions.schedules or []
        if isinstance(each, dg.ScheduleDefinition)
    }
    assert found == {
        "daily_training_schedule": "15 4 * * *",
        "daily_customer_scores_schedule": "0 8 * * *",
        "daily_monitoring_schedule": "0 12,13 * * *",
        "nightly_pruning_schedule": "0 3 * * *",
    }
    calendar = Wiring(Settings(_env_file=None, run_config=path)).scheduled_calendar
    assert (clock(calendar.training_due), clock(calendar.health_due)) == ("07:15", "13:30")
    assert Wiring(Settings(_env_file=None)).scheduled_calendar == Calendar()


def test_commands_that_need_no_hours_do_not_read_them(tmp_path: Path) -> None:
    """A person can promote, prune and look while the file of the scheduled runs is broken."""
    broken = Wiring(Settings(_env_file=None, run_config=tmp_path / "none.yaml"))
    assert broken.calendar == broken.serving_store.calendar == Calendar()
    with pytest.raises(SettingsError):
        _ = broken.scheduled_calendar


def test_a_file_that_does_not_exist_is_named(tmp_path: Path) -> None:
    """Nobody believes in choices that are nowhere declared."""
    with pytest.raises(SettingsError, match=r"RUN_CONFIG: .*none.yaml cannot be read \(No such"):
        _defined(tmp_path / "none.yaml")

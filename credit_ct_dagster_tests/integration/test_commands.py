"""The commands that people, CI and schedules run, as processes of their own."""

import json
import sqlite3
import subprocess

import dagster as dg
import pytest
import sqlalchemy as sa
import yaml

from credit_ct_dagster.contracts.assessment import AssessmentReport
from credit_ct_dagster.definitions import CHECKS
from credit_ct_dagster.runs.purposes import TRAINING_ASSETS
from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.platform import BASE_DT, SMALL_SEARCH, Platform

pytestmark = pytest.mark.integration

_SMALL = {"ops": {"tuned_runs": {"config": SMALL_SEARCH}}}
_MODULE = ("-m", "credit_ct_dagster.definitions")
_TAGS = json.dumps({"dagster/partition": BASE_DT})


def _job(*options: str) -> tuple[str, ...]:
    return ("dagster", "job", "execute", *_MODULE, "-j", "continuous_training", *options)


def _processes(done: subprocess.CompletedProcess[str]) -> set[str]:
    """The processes that worked on a step."""
    return {line.split(" - ")[5] for line in done.stderr.splitlines() if "STEP_START" in line}


def _check_mlflow_runs(platform: Platform) -> None:
    """A parent and two trials, all ended."""
    with sqlite3.connect(platform.folder / "var" / "mlflow.db") as mlflow:
        assert mlflow.execute("SELECT DISTINCT status FROM runs").fetchall() == [("FINISHED",)]
        assert mlflow.execute("SELECT COUNT(*) FROM runs").fetchone() == (3,)


def test_dagster_job_execute_with_its_history_in_mysql(
    platform: Platform, mariadb: MariaDB
) -> None:
    """CI's command does the whole job, in one process; its history is where DAGSTER_HOME says."""
    home = platform.folder / "home"
    home.mkdir()
    storage = {"storage": {"mysql": {"mysql_url": {"env": "DAGSTER_DB"}}}}
    (home / "dagster.yaml").write_text(yaml.safe_dump(storage))
    (platform.folder / "run.yaml").write_text(yaml.safe_dump(_SMALL))
    url = mariadb.new_database()
    elsewhere = {
        "DAGSTER_HOME": str(home),
        "DAGSTER_DB": url.replace("mysql+pymysql", "mysql+mysqlconnector"),
    }
    done = platform.run(*_job("--tags", _TAGS, "--config", "run.yaml"), **elsewhere)
    assert done.returncode == 0, done.stderr[-3000:]
    assert platform.search_summary().trials.completed == 2
    _check_mlflow_runs(platform)
    assert len(_processes(done)) == 1
    again = platform.run("credit-ct", "run", "--if-missing", **elsewhere)
    assert again.returncode == 0, again.stderr
    assert "is packaged already" in again.stdout
    assert "trial 1" not in again.stderr
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        runs = connection.exec_driver_sql("SELECT status FROM runs").fetchall()
    assert runs == [("SUCCESS",)]
    assert not (platform.folder / "var" / "dagster").exists()


def test_steps_can_be_processes_of_their_own(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """And assets can be materialized by themselves; all share the run of MLflow."""
    splits = dg.AssetSelection.assets("features_target", "preprocessed_splits", "robust_scalers")
    assert platform.materialize(instance, selection=splits).success
    config = _SMALL | {"execution": {"config": {"multiprocess": {"max_concurrent": 2}}}}
    (platform.folder / "run.yaml").write_text(yaml.safe_dump(config))
    done = platform.run(
        "dagster", "asset", "materialize", *_MODULE, "--select", "tuned_runs",
        "--partition", BASE_DT, "--config", "run.yaml",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert platform.search_summary().trials.completed == 2
    _check_mlflow_runs(platform)
    assert len(_processes(done)) == 2, "the asset and its check"


def test_dagster_job_execute_fails_with_an_exit_code(platform: Platform) -> None:
    """A base date without labels is a failure that CI sees."""
    tags = json.dumps({"dagster/partition": "2025-12-01"})
    done = platform.run(*_job("--tags", tags))
    assert done.returncode == 1
    assert "Base date 2025-12-01: the window 2025-11-01 to 2025-12-01 never had rows" in done.stderr


def test_a_fresh_machine_trains_reports_and_lists(platform: Platform) -> None:
    """What `make run` does, and what a person sees: progress, the result, the list afterwards."""
    (platform.folder / "small.yaml").write_text(yaml.safe_dump(_SMALL))
    fresh = {"FEATURE_STORE_URL": "sqlite:///var/fresh.db", "RETENTION_DAYS": "none"}
    done = platform.run("credit-ct", "run", "--sample-if-empty", "--config", "small.yaml", **fresh)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "credit_score: 20,000 rows" in done.stdout
    progress = " ".join(done.stderr.split())
    assert "completed: accuracy" in progress
    assert "; 2/2 done, 0 pruned; best " in progress
    stack = fresh | {"WEBSERVER_URL": "http://ui.example"}
    failed = platform.run("credit-ct", "run", "--partition", "2025-03-01", **stack)
    assert failed.returncode == 1
    error = failed.stderr.splitlines()[-1]
    assert error.startswith("Error: Dagster run ")
    assert "failed (its log is in the UI: http://ui.example)." in error
    assert "features_target: Base date 2025-03-01: the window 2025-02-01 to" in error
    assert error.endswith("#ct-rows-1")
    assert "Traceback" not in failed.stderr

    status = platform.run("credit-ct", "status", "--json", **fresh)
    assert status.returncode == 0, status.stderr
    trained, other = json.loads(status.stdout)
    assert (other["base_dt"], other["state"]) == ("2025-03-01", "failed")
    base_dt = trained["base_dt"]
    summary = platform.search_summary(base_dt)
    report = platform.models(base_dt).read(AssessmentReport)
    for text in (
        f"Base date     {base_dt}",
        "The best 2 of 2 trials",
        f"{report.holdout.metrics['accuracy'].value:.4f} on the holdout",
        f"BentoML tag   {platform.model_name}:",
        f"artifacts/models/{platform.model_name}/{base_dt}",
        "Decision      Promoted: there was no champion",
        f"{base_dt}/model_card.html",
        "credit-ct ui, then http://127.0.0.1:3000",
    ):
        assert text in done.stdout, text
    assert trained["state"] == "packaged"
    assert trained["rows"] == sum(trained["splits"].values()) == sum(summary.rows.values())
    assert trained["val_accuracy"] == pytest.approx(report.val.metrics["accuracy"].value)
    assert trained["mlflow_run_id"] == summary.mlflow.best_run_id
    assert trained["bentoml_tag"].startswith(f"{platform.model_name}:")
    assert (trained["role"], trained["decision"]) == ("champion", "promoted: first")
    of_training = {key.name for each in CHECKS for key in each.check_keys
                   if key.asset_key.path[-1] in TRAINING_ASSETS}  # fmt: skip
    assert set(trained["checks"]) == of_training
    assert all(trained["checks"].values())
    assert other["checks"] == {}  # nothing was materialized that they could judge
    table = platform.run("credit-ct", "status", **fresh).stdout
    assert trained["bentoml_tag"] in table
    assert f"Champion: base date {base_dt}, accuracy" in table


_NO_DATABASE = {"FEATURE_STORE_URL": "mysql+pymysql://u:hush@localhost:1"}


@pytest.mark.parametrize(
    ("command", "environment", "message"),
    [
        (("run",), _NO_DATABASE, "does not answer"),
        (("run",), {"FEATURE_STORE_URL": "sqlite:///empty.db"}, "No base date has labels"),
        (("run",), {"RETENTION_DAYS": "soon"}, "RETENTION_DAYS"),
        (("load", "--labels", "absent.csv"), {}, "absent.csv cannot be read"),
    ],
)
def test_failures_are_one_line(
    platform: Platform, command: tuple[str, ...], environment: dict[str, str], message: str
) -> None:
    """One clear line, exit code 1, no traceback and no secret."""
    done = platform.run("credit-ct", *command, **environment)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("Error: ")
    assert message in line
    assert "hush" not in done.stdout + done.stderr


def test_debug_shows_the_traceback(platform: Platform) -> None:
    """For who wants to see where."""
    done = platform.run("credit-ct", "--debug", "run", "--partition", "2024-01-01")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "before the first one" in done.stderr

"""Killed inside each stage and run again: the end state is that of an undisturbed run."""

import json
import signal
import sqlite3
from pathlib import Path

import dagster as dg
import pytest
import yaml

from credit_ct_dagster_tests.end_state import check_same_end_state
from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.platform import BASE_DT, SMALL_SEARCH, Platform, Templates

# Each runs the real command in a process that kills itself (SIGKILL: it cannot clean up) at one
# point of the real code.
_KILLED_AT = """
import os, signal, sys
from pathlib import Path
def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)
{patch}
from credit_ct_dagster.cli.main import main
main()
"""

_STAGES = {
    "merge": """
from credit_ct_dagster.resources.feature_store import merge
insert = merge._insert
merge._insert = lambda *args: (insert(*args), die())
""",
    "preprocessing": """
from credit_ct_dagster.io_managers import artifacts
publish = artifacts.publish
artifacts.publish = lambda path, *a: die() if "_val" in path.name else publish(path, *a)
""",
    "rename": """
replace = Path.replace
Path.replace = lambda self, to: die() if "_holdout" in self.name else replace(self, to)
""",
    "search": """
from credit_ct_dagster.modeling.search import trials
fit = trials.fit
trials.fit = lambda data, params, *a: die() if params["depth"] == 4 else fit(data, params, *a)
""",
    "tracking": """
from credit_ct_dagster.resources.mlflow.trials import Tracker
Tracker._log = die
""",
    "tracked": """
from credit_ct_dagster.contracts.trial import Trial
Trial.remember = die
""",
    "results": """
from credit_ct_dagster.io_managers import artifacts
publish = artifacts.publish
artifacts.publish = lambda path, *a: die() if path.name == "best.cbm" else publish(path, *a)
""",
    "packaging": """
import shutil
copytree = shutil.copytree
def copy_one_file_of_a_model(source, to, **kwargs):
    if not (Path(source) / "model.yaml").exists():
        return copytree(source, to, **kwargs)
    shutil.copy(Path(source) / "model.yaml", to)
    die()
shutil.copytree = copy_one_file_of_a_model
""",
    "packaged": """
from credit_ct_dagster.resources.bentoml_store import BentoMLStore
save = BentoMLStore.save
BentoMLStore.save = lambda self, *a, **k: (save(self, *a, **k), die())
""",
}


def _kill_at(platform: Platform, stage: str, *command: str) -> None:
    source = _KILLED_AT.format(patch=_STAGES[stage])
    done = platform.run("python", "-c", source, *command)
    assert done.returncode == -signal.SIGKILL, (stage, done.returncode, done.stderr[-3000:])


@pytest.mark.parametrize("kind", ["sqlite", "mariadb"])
def test_the_same_command_again_reaches_the_same_state(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    templates: Templates,
    instance: dg.DagsterInstance,
    kind: str,
) -> None:
    """Killed once in every stage, one after the other; on MariaDB in the merge."""
    folder = tmp_path / "killed"
    if kind == "sqlite":
        url, stages = None, list(_STAGES)
    else:
        server: MariaDB = request.getfixturevalue("mariadb")
        url, stages = server.new_database(), ["merge"]
    platform = Platform.prepared(folder, templates, url)
    config = {"ops": {"tuned_runs": {"config": SMALL_SEARCH}}}
    (folder / "small.yaml").write_text(yaml.safe_dump(config))
    command = ("run", "--partition", BASE_DT, "--config", "small.yaml")
    for stage in stages:
        _kill_at(platform, stage, *command)
        if stage == "merge":
            assert platform.store.row_counts() == {}, "a merge was committed incompletely"
    done = platform.run("credit-ct", *command)
    assert done.returncode == 0, done.stderr[-3000:]
    other = tmp_path / "undisturbed"
    other_url = server.new_database() if url else None
    check_same_end_state(platform, Platform.prepared(other, templates, other_url), instance)


def test_another_command_ends_the_runs_that_a_killed_one_left_open(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """`dagster job execute` too: no Dagster run stays started, no MLflow run stays open."""
    config = {"ops": {"tuned_runs": {"config": SMALL_SEARCH}}}
    (platform.folder / "small.yaml").write_text(yaml.safe_dump(config))
    _kill_at(platform, "search", "run", "--partition", BASE_DT, "--config", "small.yaml")
    tags = json.dumps({"dagster/partition": BASE_DT})
    done = platform.run(
        "dagster", "job", "execute", "-m", "credit_ct_dagster.definitions",
        "-j", "continuous_training", "--tags", tags, "--config", "small.yaml",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    with sqlite3.connect(platform.folder / "var" / "mlflow.db") as mlflow:
        assert mlflow.execute("SELECT status FROM runs WHERE status = 'RUNNING'").fetchall() == []
    with sqlite3.connect(platform.folder / "var/dagster/history/runs.db") as history:
        statuses = history.execute("SELECT status FROM runs ORDER BY id").fetchall()
    assert statuses == [("FAILURE",), ("SUCCESS",)]

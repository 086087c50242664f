"""The code location as a whole."""

import subprocess
import sys
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from credit_ct_dagster.definitions import build
from credit_ct_dagster.modeling.declaration import OWN_ASSETS
from credit_ct_dagster.partitions import Calendar
from credit_ct_dagster.resources.feature_store.tables import FEATURES, LABELS
from credit_ct_dagster.resources.trained_model import TrainedModel
from credit_ct_dagster.settings import Settings

defs = build(Settings(_env_file=None))

_ASSETS = [
    "credit_score", "credit_score_features", "features_target", "preprocessed_splits",
    "robust_scalers", "tuned_runs", "bentoml_model", "champion_model", "model_card",
    "customer_scores", "estimated_performance", "served_performance",
    "serving_skew", "champion_health", "shadow_scores", "champion_probation",
]  # fmt: skip


def test_definitions_load() -> None:
    """Nothing is missing, and no name is used twice."""
    dg.Definitions.validate_loadable(defs)


def test_no_declared_table_can_have_the_name_of_an_asset() -> None:
    """Source tables are assets by their own names, and Dagster takes each name once."""
    made = {key.to_user_string() for key in defs.resolve_asset_graph().get_all_asset_keys()}
    assert made - {LABELS, FEATURES} == OWN_ASSETS


@pytest.mark.parametrize(
    ("asset", "parents"),
    [
        ("features_target", {"credit_score", "credit_score_features"}),
        ("preprocessed_splits", {"features_target"}),
        ("robust_scalers", {"features_target"}),
        ("tuned_runs", {"preprocessed_splits"}),
        ("bentoml_model", {"preprocessed_splits", "robust_scalers", "tuned_runs"}),
        ("champion_model", {"bentoml_model", "tuned_runs"}),
        ("model_card", {"champion_model", "preprocessed_splits", "tuned_runs"}),
        ("customer_scores", {"champion_model", "credit_score_features"}),
        ("estimated_performance", {"credit_score", "customer_scores"}),
        ("served_performance", {"credit_score", "customer_scores", "estimated_performance"}),
        ("serving_skew", {"credit_score_features", "customer_scores"}),
        ("shadow_scores", {"customer_scores"}),
        ("champion_probation", {"credit_score", "shadow_scores"}),
        (
            "champion_health",
            {
                "shadow_scores",
                "served_performance",
                "estimated_performance",
                "serving_skew",
                "champion_probation",
            },
        ),
    ],
)
def test_lineage(asset: str, parents: set[str]) -> None:
    """Each asset has the parents that the design gives it."""
    node = defs.resolve_asset_graph().get(dg.AssetKey(asset))
    assert {key.to_user_string() for key in node.parent_keys} == parents


@pytest.mark.parametrize("asset", _ASSETS)
def test_every_asset_explains_itself(asset: str) -> None:
    """Description, group, owner and kinds are on the lineage page."""
    node = defs.resolve_asset_graph().get(dg.AssetKey(asset))
    assert node.description
    assert node.group_name != "default"
    assert node.owners
    assert node.kinds


@pytest.mark.parametrize(
    "asset", ["credit_score", "credit_score_features", "features_target", "preprocessed_splits"]
)
def test_tables_show_their_columns(asset: str) -> None:
    """Each column of a table has a type and a description."""
    metadata = defs.resolve_asset_graph().get(dg.AssetKey(asset)).metadata
    columns = metadata["dagster/column_schema"].columns
    assert columns
    assert all(column.description for column in columns)


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("sqlite:///var/feature_store.db", "sqlite"),
        ("mysql+pymysql://u:hush@host/mlops", "mysql"),
        ("hush", "sql"),
    ],
)
def test_tables_have_the_kind_of_their_database(url: str, kind: str) -> None:
    """MySQL is named where it is; what is no address of a database is told by who opens it."""
    graph = build(Settings(_env_file=None, feature_store_url=url)).resolve_asset_graph()
    kinds = {key.to_user_string(): graph.get(key).kinds for key in graph.get_all_asset_keys()}
    assert kinds["credit_score"] == kinds["features_target"] == {kind, "table"}
    assert kinds["customer_scores"] == {"catboost", kind, "table"}
    assert kinds["bentoml_model"] == {"bentoml"}


@pytest.mark.parametrize(
    ("asset", "column", "source"),
    [
        ("features_target", "age", "credit_score_features"),
        ("features_target", "date", "credit_score"),
        ("features_target", "credit_score", "credit_score"),
        ("preprocessed_splits", "age", "features_target"),
        ("preprocessed_splits", "base_dt", "features_target"),
    ],
)
def test_columns_lead_to_where_they_come_from(asset: str, column: str, source: str) -> None:
    """From the splits back to the tables that other systems write."""
    metadata = defs.resolve_asset_graph().get(dg.AssetKey(asset)).metadata
    deps = metadata["dagster/column_lineage"].deps_by_column[column]
    assert deps == [dg.TableColumnDep(asset_key=dg.AssetKey(source), column_name=column)]
    [shown] = [each for each in metadata["dagster/column_schema"].columns if each.name == column]
    assert shown.tags == {"from": source}


def test_secrets_are_named_not_shown() -> None:
    """The UI shows the variable's name where a URL may hold a password."""
    for name, option, variable in (
        ("feature_store", "url", "FEATURE_STORE_URL"),
        ("tracking", "tracking_uri", "MLFLOW_TRACKING_URI"),
    ):
        assert defs.resources is not None
        assert getattr(defs.resources[name], option).env_var_name == variable


def test_schedule_asks_for_yesterday_in_seoul(instance: dg.DagsterInstance) -> None:
    """At 06:00 in Seoul the newest base date is the day before."""
    schedule = defs.resolve_schedule_def("daily_training_schedule")
    assert schedule.cron_schedule == "0 6 * * *"
    assert schedule.execution_timezone == "Asia/Seoul"
    tick = datetime(2025, 2, 3, 6, 0, tzinfo=ZoneInfo("Asia/Seoul"))
    requests = schedule.evaluate_tick(
        dg.build_schedule_context(
            instance=instance,
            scheduled_execution_time=tick,
            repository_def=defs.get_repository_def(),
            resources={"calendar": Calendar(), "trained_model": TrainedModel(name="m")},
        )
    ).run_requests
    assert requests is not None
    assert [(request.partition_key, request.run_key) for request in requests] == [
        ("2025-02-02", "2025-02-02")
    ]


_EFFECTS = """
import logging, os, sys
from importlib import import_module
from pathlib import Path
Path(".env").write_text("MODEL_NAME=from_the_file\\nLOG_FORMAT=json\\n")
before = dict(os.environ), logging.getLogger("credit_ct_dagster").handlers[:]
import credit_ct_dagster.definitions
for command in (
    "load", "run", "status", "watch", "report", "promote", "rollback", "approve", "reject",
    "history", "doctor", "prune",
):
    import_module(f"credit_ct_dagster.cli.{command}")
assert (dict(os.environ), logging.getLogger("credit_ct_dagster").handlers) == before
import credit_ct_dagster.search.dask_workers, mlflow, coloredlogs
from credit_ct_dagster.resources.trained_model import TrainedModel
from credit_ct_dagster.settings import Settings
ours = [name.upper() for name in Settings.model_fields]
assert [*map(os.environ.get, ours)] == [*map(before[0].get, ours)]
assert not mlflow.is_tracking_uri_set()
assert coloredlogs.install.__module__.startswith("coloredlogs")
assert credit_ct_dagster.definitions.defs().resources["artifacts"].model_name == "from_the_file"
assert os.environ["LOG_FORMAT"] == "json"
assert not coloredlogs.install.__module__.startswith("coloredlogs")
"""


def test_importing_has_no_effect_and_loading_the_code_location_has(tmp_path: Path) -> None:
    """Only an entry point reads `.env`, changes the environment or the logging."""
    done = subprocess.run(
        [sys.executable, "-c", _EFFECTS],
        cwd=tmp_path,
        env={"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


_SLOW = {
    "mlflow", "dagster_mlflow", "catboost", "sklearn", "scipy", "optuna", "pandera", "matplotlib",
    "distributed", "bentoml", "connectorx", "joblib", "pandas",
}  # fmt: skip


@pytest.mark.parametrize(
    ("module", "unneeded"),
    [
        ("credit_ct_dagster.definitions", _SLOW),
        ("credit_ct_dagster.cli.status", _SLOW),
        ("credit_ct_dagster.cli.main", _SLOW | {"dagster", "pydantic_settings"}),
    ],
)
def test_what_takes_seconds_to_import_is_imported_when_it_is_needed(
    module: str, unneeded: set[str]
) -> None:
    """The list of commands, the status and the code location load without the data science."""
    script = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert unneeded.isdisjoint(done.stdout.split())

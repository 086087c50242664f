"""The code location as a whole."""

from datetime import datetime
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from credit_ct_dagster.definitions import defs

_ASSETS = [
    "credit_score", "credit_score_features", "features_target", "preprocessed_splits",
    "robust_scalers", "tuned_runs", "bentoml_model", "champion_model", "model_card",
]  # fmt: skip


def test_definitions_load() -> None:
    """Nothing is missing, nothing stands twice."""
    dg.Definitions.validate_loadable(defs)


@pytest.mark.parametrize(
    ("asset", "parents"),
    [
        ("features_target", {"credit_score", "credit_score_features"}),
        ("preprocessed_splits", {"features_target"}),
        ("robust_scalers", {"features_target"}),
        ("tuned_runs", {"preprocessed_splits"}),
        ("bentoml_model", {"preprocessed_splits", "robust_scalers", "tuned_runs"}),
        ("champion_model", {"bentoml_model", "tuned_runs"}),
        (
            "model_card",
            {"champion_model", "preprocessed_splits", "robust_scalers", "tuned_runs"},
        ),
    ],
)
def test_lineage(asset: str, parents: set[str]) -> None:
    """The assets hang together as designed."""
    node = defs.resolve_asset_graph().get(dg.AssetKey(asset))
    assert {key.to_user_string() for key in node.parent_keys} == parents


@pytest.mark.parametrize("asset", _ASSETS)
def test_every_asset_explains_itself(asset: str) -> None:
    """Description, group, owner and kinds stand on the lineage page."""
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
        )
    ).run_requests
    assert requests is not None
    assert [(request.partition_key, request.run_key) for request in requests] == [
        ("2025-02-02", "2025-02-02")
    ]

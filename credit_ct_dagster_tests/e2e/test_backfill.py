"""Base dates from the UI: `dagster dev`, GraphQL, queue, daemon and run workers for real."""

import json
import urllib.request
from datetime import date, timedelta
from typing import Any

from credit_ct_dagster_tests.platform import BASE_DT, Platform
from credit_ct_dagster_tests.webserver import dagster_dev, until

_SEARCH = {"depth": [5], "rsm": [1.0], "l2_leaf_reg": [3.0], "iterations": 40}
_ASSETS = ["features_target", "preprocessed_splits", "robust_scalers", "tuned_runs",
           "bentoml_model", "champion_model", "model_card"]  # fmt: skip
_LAUNCH = """
mutation Launch($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""
_STATUS = """
query Status($id: String!) {
  partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } }
}
"""
_START_SECONDS, _BACKFILL_SECONDS = 90, 280


def _ask(port: int, query: str, **variables: Any) -> dict[str, Any]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql",
        json.dumps({"query": query, "variables": variables}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        [value] = json.loads(answer.read())["data"].values()
        return value


def test_a_backfill_of_four_base_dates(platform: Platform) -> None:
    """Launched as the UI launches it, every base date ends packaged."""
    last = date.fromisoformat(BASE_DT)
    base_dts = [(last - timedelta(days=n)).isoformat() for n in range(3, -1, -1)]
    with dagster_dev(platform) as port:
        launched = until(
            lambda: _ask(
                port,
                _LAUNCH,
                params={
                    "assetSelection": [{"path": [name]} for name in _ASSETS],
                    "partitionNames": base_dts,
                    "runConfigData": {"ops": {"tuned_runs": {"config": _SEARCH}}},
                },
            ),
            _START_SECONDS,
            "the UI's start",
        )
        assert launched["__typename"] == "LaunchBackfillSuccess", launched
        ended = until(
            lambda: next(
                (
                    status
                    for status in [_ask(port, _STATUS, id=launched["backfillId"])["status"]]
                    if status not in ("REQUESTED", "COMPLETING")
                ),
                None,
            ),
            _BACKFILL_SECONDS,
            "the backfill",
        )
        assert ended == "COMPLETED_SUCCESS", (platform.folder / "dev.log").read_text()[-3000:]
    status = platform.run("credit-ct", "status", "--json")
    listed = {each["base_dt"]: each for each in json.loads(status.stdout)}
    assert set(listed) == set(base_dts)
    assert {each["state"] for each in listed.values()} == {"packaged"}
    assert all(
        each["holdout_accuracy"] == platform.models(base_dt)["summary.json"]["best"]["holdout"][
            "accuracy"
        ]
        for base_dt, each in listed.items()
    )  # fmt: skip
    kept = [base_dt for base_dt, each in listed.items() if each["rows"]]
    assert BASE_DT in kept

"""A backfill from the UI, with a real `dagster dev`: GraphQL, queue, daemon and run workers."""

import json
from datetime import date, timedelta

import pytest

from credit_ct_dagster.contracts.assessment import AssessmentReport
from credit_ct_dagster.runs.purposes import TRAINING_ASSETS
from credit_ct_dagster_tests.platform import BASE_DT, Platform
from credit_ct_dagster_tests.webserver import (
    backfill_status,
    dagster_dev,
    launch_backfill,
    until,
)

pytestmark = pytest.mark.timeout(600)

_SEARCH = {"depth": [5], "rsm": [1.0], "l2_leaf_reg": [3.0], "iterations": 40}
_BACKFILL_SECONDS = 280


def test_a_backfill_of_four_base_dates(platform: Platform) -> None:
    """It is launched as the UI does, and every base date is packaged."""
    last = date.fromisoformat(BASE_DT)
    base_dts = [(last - timedelta(days=n)).isoformat() for n in range(3, -1, -1)]
    with dagster_dev(platform) as port:
        backfill = launch_backfill(
            port,
            assetSelection=[{"path": [name]} for name in TRAINING_ASSETS],
            partitionNames=base_dts,
            runConfigData={"ops": {"tuned_runs": {"config": _SEARCH}}},
        )
        until(
            lambda: backfill_status(port, backfill) not in ("REQUESTED", "COMPLETING"),
            _BACKFILL_SECONDS,
            "the backfill",
        )
        ended = backfill_status(port, backfill)
        assert ended == "COMPLETED_SUCCESS", (platform.folder / "dev.log").read_text()[-3000:]
    status = platform.run("credit-ct", "status", "--json")
    listed = {each["base_dt"]: each for each in json.loads(status.stdout)}
    assert set(listed) == set(base_dts)
    assert {each["state"] for each in listed.values()} == {"packaged"}
    assert all(
        each["holdout_accuracy"]
        == pytest.approx(
            platform.models(base_dt).read(AssessmentReport).holdout.metrics["accuracy"].value
        )
        for base_dt, each in listed.items()
    )
    with_rows = [base_dt for base_dt, each in listed.items() if each["rows"]]
    assert BASE_DT in with_rows

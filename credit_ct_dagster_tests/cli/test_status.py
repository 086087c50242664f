"""`credit-ct status`: what it says of a base date."""

import json
import shutil
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from credit_ct_dagster.partitions import PARTITION_TAG
from credit_ct_dagster.runs.purposes import CONTINUOUS_TRAINING, CUSTOMER_SCORES, MONITORING
from credit_ct_dagster_tests.platform import BASE_DT, Platform

_STATUS = dg.DagsterRunStatus


def _run_of(instance: dg.DagsterInstance, job: str, status: dg.DagsterRunStatus) -> None:
    @dg.job(name=job)
    def made() -> None: ...

    instance.create_run_for_job(made, tags={PARTITION_TAG: BASE_DT}, status=status)


def _status(platform: Platform) -> dict[str, Any]:
    done = platform.command("status", "--json")
    assert done.exit_code == 0, done.output
    [found] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("job", [CUSTOMER_SCORES, MONITORING])
def test_a_run_that_does_not_train_does_not_change_the_state(
    platform: Platform,
    empty_history: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    job: str,
) -> None:
    """Queued, running, failed or canceled: it is as far as training came, whose runs count."""
    home = shutil.copytree(empty_history, tmp_path / "home")
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    platform.store.merge(BASE_DT)
    with dg.DagsterInstance.get() as instance:
        _run_of(instance, CONTINUOUS_TRAINING, _STATUS.SUCCESS)
        for status in (_STATUS.NOT_STARTED, _STATUS.STARTED, _STATUS.FAILURE, _STATUS.CANCELED):
            _run_of(instance, job, status)
            assert _status(platform)["state"] == "merged", status
        _run_of(instance, CONTINUOUS_TRAINING, _STATUS.FAILURE)
        assert _status(platform)["state"] == "failed"

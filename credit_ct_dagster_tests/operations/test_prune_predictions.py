"""Old predictions are deleted from the log of the service, and no others."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from credit_ct_dagster.automation.pruning import pruning_job
from credit_ct_dagster.operations.prune_predictions import PredictionRetention
from credit_ct_dagster.partitions import Calendar, end_of, last_expired
from credit_ct_dagster.resources.feature_store import predictions
from credit_ct_dagster.resources.feature_store.predictions import LoggedPredictions
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.serving.log.table import LogTable
from credit_ct_dagster_tests.platform import Platform
from credit_ct_dagster_tests.serving.log.predictions import prediction

_CALENDAR = Calendar()
_DAYS = 400


def _end(days: int = _DAYS) -> datetime:
    """The moment from which on predictions are retained."""
    until = last_expired(_CALENDAR.newest(), days)
    assert until is not None
    return end_of(until)


def _log(url: str, *times: datetime) -> None:
    table = LogTable(url, "FEATURE_STORE_URL", 5)
    table.prepare()
    table.insert([prediction(f"{number} {at}", time=at) for number, at in enumerate(times)])
    table.close()


def test_the_oldest_that_is_retained_is_as_old_as_requested(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the microsecond, at midnight in Seoul; in batches, and again without anything to do."""
    monkeypatch.setattr(predictions, "_BATCH_ROWS", 3)
    tick = timedelta(microseconds=1)
    old = [_end() - tick * number for number in range(1, 8)]
    _log(store_url, *old, _end(), datetime.now(UTC))
    store = FeatureStore(url=store_url)
    retention = PredictionRetention(store, _CALENDAR, _DAYS)
    plan = retention.plan()
    assert plan is not None
    assert plan.rows == 7
    assert str(plan) == f"predictions up to {plan.until}: 7"
    assert retention.carry_out(plan) == 7
    assert LoggedPredictions(store.database).count_before(datetime(2200, 1, 1, tzinfo=UTC)) == 2
    plan = retention.plan()
    assert plan is not None
    assert plan.rows == retention.carry_out(plan) == 0


def test_all_are_retained_where_no_limit_is_set(tmp_path: Path) -> None:
    """And without a log there is nothing to delete."""
    url = f"sqlite:///{tmp_path}/x.db"
    store = FeatureStore(url=url)
    assert PredictionRetention(store, _CALENDAR, None).plan() is None
    plan = PredictionRetention(store, _CALENDAR, _DAYS).plan()
    assert plan is not None
    assert plan.rows == 0
    assert PredictionRetention(store, _CALENDAR, _DAYS).carry_out(plan) == 0


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
    old = _end() - timedelta(days=1)
    _log(platform.url, old, datetime.now(UTC))
    looked = platform.command("prune")
    assert looked.exit_code == 0, looked.output
    assert "Old predictions up to" in looked.output
    assert "Nothing was deleted" in looked.output
    deleted = json.loads(platform.command("prune", "--yes", "--json").output)["predictions"]
    assert (deleted["rows"], deleted["deleted"]) == (1, 1)

    _log(platform.url, old)
    result = pruning_job({}).execute_in_process(instance=instance, resources=platform.resources())
    assert result.success
    remaining = LoggedPredictions(platform.store.database)
    assert remaining.count_before(_end()) == 0
    assert remaining.count_before(datetime(2200, 1, 1, tzinfo=UTC)) == 1

"""Base dates whose rows retention has deleted: what Dagster says of them, and the way back."""

import json

import dagster as dg
import pytest
from dagster._core.storage.asset_check_execution_record import (
    COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES,
)

from credit_ct_dagster.checks.features_target import rows_have_not_expired
from credit_ct_dagster.modeling.evaluation import predict_proba
from credit_ct_dagster.partitions import PARTITION_TAG
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.runs.history import RunHistory
from credit_ct_dagster_tests.platform import ASSETS, BASE_DT, SMALL_SEARCH, Platform, failure_of

_OLD = "2025-02-20"
_HOLDOUT = "{model_name}_holdout.parquet"
_MERGE = dg.AssetSelection.assets("features_target")
_SPLIT = dg.AssetSelection.assets("preprocessed_splits", "robust_scalers")
_MODEL = dg.AssetSelection.assets("tuned_runs")


def _observed(instance: dg.DagsterInstance) -> list[dg.AssetObservation]:
    wanted = dg.AssetRecordsFilter(dg.AssetKey("features_target"), asset_partitions=[_OLD])
    records = instance.fetch_observations(wanted, limit=10).records
    return [each.asset_observation for each in records if each.asset_observation]


def _check(platform: Platform, instance: dg.DagsterInstance) -> dg.AssetCheckEvaluation:
    """Run the check alone for the old base date."""
    result = dg.materialize(
        [*ASSETS, rows_have_not_expired],
        tags={PARTITION_TAG: _OLD},  # as when the UI re-executes the step
        instance=instance,
        selection=dg.AssetSelection.checks(rows_have_not_expired),
        resources=platform.resources(),
    )
    [evaluation] = result.get_asset_check_evaluations()
    return evaluation


def test_rows_that_expire_are_told_on_their_base_date(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """By an observation and the check; what comes after fails; a merge brings them back."""
    assert platform.materialize(instance, _OLD, selection=_MERGE).success
    rows = platform.store.row_counts()[_OLD]
    assert _check(platform, instance).passed
    assert platform.materialize(instance, selection=_MERGE).success

    [observation] = _observed(instance)
    assert observation.metadata["expired_rows"].value == rows
    assert observation.metadata["expired_by"].value == f"the merge of {BASE_DT}"
    assert f"{rows:,} rows of base date {_OLD} have expired" in (observation.description or "")
    check = _check(platform, instance)
    assert not check.passed
    assert f"0 of {rows:,} merged rows are in the feature store" in (check.description or "")
    said = failure_of(platform.materialize(instance, _OLD, selection=_SPLIT))
    assert f"Base date {_OLD}: the {rows} rows of the window 2025-01-20 to {_OLD}" in said
    assert "have expired" in said
    assert "Materialize features_target" in said

    assert platform.materialize(instance, _OLD, selection=_MERGE).success
    assert _check(platform, instance).passed
    assert platform.materialize(instance, _OLD, selection=_SPLIT).success


def test_the_check_says_expired_without_being_run(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """Its evaluation for the old base date comes with the merge that deleted the rows."""
    for base_dt in (_OLD, BASE_DT):
        assert platform.materialize(instance, base_dt, selection=_MERGE).success
    [key] = rows_have_not_expired.check_keys
    history = instance.event_log_storage.get_asset_check_execution_history(
        key, limit=10, status=COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES
    )
    told, before = [
        record.evaluation
        for record in history
        if record.evaluation and record.evaluation.metadata["base_dt"].value == _OLD
    ]
    assert (told.passed, before.passed) == (False, True)
    assert told.severity == dg.AssetCheckSeverity.WARN


@pytest.mark.parametrize("instance", ["sqlite", "mariadb"], indirect=True)
def test_rows_may_expire_again(platform: Platform, instance: dg.DagsterInstance) -> None:
    """As when a backfill brings an old base date back; each time it is told."""
    for times in (1, 2, 3):
        for base_dt in (_OLD, BASE_DT):
            assert platform.materialize(instance, base_dt, selection=_MERGE).success
        assert len(_observed(instance)) == times
        assert not _check(platform, instance).passed


def test_two_merges_may_tell_the_same(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sees that rows are gone before the other, which deleted them, has said so."""
    evaluation = dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey("features_target"), check_name="rows_have_not_expired",
        passed=False, metadata={}, partition=_OLD,
    )  # fmt: skip
    history = RunHistory(instance)
    history.say(evaluation)
    # It was said in between.
    monkeypatch.setattr(history, "_delete_check_results", lambda which: None)
    history.say(evaluation)


def test_a_merge_that_was_killed_before_it_told_is_told_by_the_next(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """Rows do not vanish in silence; each time once, also when the run that told it is pruned."""
    for times in (1, 2):
        assert platform.materialize(instance, _OLD, selection=_MERGE).success
        platform.store.merge(BASE_DT)  # and nothing more
        assert len(_observed(instance)) == times - 1
        for _ in range(2):
            assert platform.materialize(instance, selection=_MERGE).success
        observation, *before = _observed(instance)
        assert len(before) == times - 1
        assert observation.metadata["expired_by"].value == "an earlier merge"
    for run in instance.get_runs():
        if run.tags[PARTITION_TAG] == BASE_DT:
            RunHistory(instance).remove(run.run_id)
    assert platform.materialize(instance, selection=_MERGE).success
    assert _observed(instance) == []


def test_status_says_expired(platform: Platform) -> None:
    """Also of a base date that was merged only."""
    for base_dt in (_OLD, BASE_DT):
        done = platform.run(
            "dagster", "asset", "materialize", "-m", "credit_ct_dagster.definitions",
            "--select", "features_target", "--partition", base_dt,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    listed = json.loads(platform.run("credit-ct", "status", "--json").stdout)
    assert {each["base_dt"]: each["expired"] for each in listed} == {_OLD: True, BASE_DT: False}
    [line] = [
        line
        for line in platform.run("credit-ct", "status").stdout.splitlines()
        if line.strip().startswith(_OLD)
    ]
    assert "expired" in line


def test_a_packaged_model_can_be_made_again_from_the_archive(
    platform: Platform, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The very same splits and the same model, though even the source tables are gone."""
    assert platform.materialize(instance).success
    folder = platform.folder / "artifacts" / "preprocessing"
    tables = {path: path.read_bytes() for path in folder.rglob("*.parquet")}
    best, holdout = platform.models()["summary.json"]["best"], platform.splits()[_HOLDOUT]
    predicted = predict_proba(platform.models()["best.cbm"], holdout)
    (platform.folder / "feature_store.db").unlink()
    monkeypatch.setattr(FeatureStore, "read", None)

    again = platform.materialize(
        instance,
        selection=_SPLIT,
        config={"preprocessing": {"config": {"from_archive": True}}},
    )
    assert again.success
    assert {path: path.read_bytes() for path in folder.rglob("*.parquet")} == tables
    afresh = SMALL_SEARCH | {"resume": False}
    assert platform.materialize(
        instance, selection=_MODEL, config={"tuned_runs": {"config": afresh}}
    ).success
    assert platform.models()["summary.json"]["best"] == best
    assert (predict_proba(platform.models()["best.cbm"], holdout) == predicted).all()

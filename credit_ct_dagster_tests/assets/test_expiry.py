"""Base dates whose rows retention has deleted: how Dagster shows them, and the way back."""

import json

import dagster as dg
import pytest

from credit_ct_dagster.checks.features_target import rows_have_not_expired
from credit_ct_dagster.contracts.files import BEST_MODEL_FILE, SPLIT_FILES
from credit_ct_dagster.evidence.merged_rows import EXPIRY_CHECK
from credit_ct_dagster.modeling.judging.evaluation import predict_proba
from credit_ct_dagster.partitions import PARTITION_TAG
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.runs import dagster_internals
from credit_ct_dagster.runs.history import RunHistory
from credit_ct_dagster.runs.recorded import completed_checks, evaluations
from credit_ct_dagster_tests.platform import ASSETS, BASE_DT, SMALL_SEARCH, Platform, failure_of
from credit_ct_dagster_tests.trained import Trained

pytestmark = pytest.mark.integration

_OLD = "2025-02-20"
_MERGE = dg.AssetSelection.assets("features_target")
_SPLIT = dg.AssetSelection.assets("preprocessed_splits", "robust_scalers")
_MODEL = dg.AssetSelection.assets("tuned_runs")


def _observed(instance: dg.DagsterInstance) -> list[dg.AssetObservation]:
    wanted = dg.AssetRecordsFilter(dg.AssetKey("features_target"), asset_partitions=[_OLD])
    records = instance.fetch_observations(wanted, limit=10).records
    return [each.asset_observation for each in records if each.asset_observation]


def _check(platform: Platform, instance: dg.DagsterInstance) -> dg.AssetCheckEvaluation:
    """Execute only the check, for the old base date."""
    result = dg.materialize(
        [*ASSETS, rows_have_not_expired],
        tags={PARTITION_TAG: _OLD},  # as when the UI re-executes the step
        instance=instance,
        selection=dg.AssetSelection.checks(rows_have_not_expired),
        resources=platform.resources(),
    )
    [evaluation] = result.get_asset_check_evaluations()
    return evaluation


def _merge(platform: Platform, instance: dg.DagsterInstance, *base_dates: str) -> None:
    for base_dt in base_dates:
        assert platform.materialize(instance, base_dt, selection=_MERGE).success


def test_rows_that_expire_are_reported_on_their_base_date(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """By an observation and the check; a later step fails; a merge brings the rows back."""
    _merge(platform, instance, _OLD)
    rows = platform.store.row_counts()[_OLD]
    assert _check(platform, instance).passed
    _merge(platform, instance, BASE_DT)

    [observation] = _observed(instance)
    assert observation.metadata["expired_rows"].value == rows
    assert observation.metadata["expired_by"].value == f"the merge of {BASE_DT}"
    assert f"{rows:,} rows of base date {_OLD} have expired" in (observation.description or "")
    check = _check(platform, instance)
    assert not check.passed
    assert check.metadata["code"].value == "CT-CHECK-ROWS-HAVE-NOT-EXPIRED"
    assert f"0 of {rows:,} merged rows are in the feature store" in (check.description or "")
    failure = failure_of(platform.materialize(instance, _OLD, selection=_SPLIT))
    assert failure.startswith(f"preprocessing: Base date {_OLD}: ")
    assert f" {rows} rows of the window 2025-01-20 to {_OLD}" in failure
    assert "have expired" in failure
    assert "Materialize features_target" in failure

    _merge(platform, instance, _OLD)
    assert _check(platform, instance).passed
    assert platform.materialize(instance, _OLD, selection=_SPLIT).success


def test_the_rows_of_a_base_date_outlive_a_run_of_one_that_does_not_exist_yet(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """As `dagster job execute` starts it, by a tag that Dagster does not look at."""
    _merge(platform, instance, _OLD)
    before = platform.store.row_counts()
    result = dg.materialize(
        ASSETS,
        tags={PARTITION_TAG: "2052-01-31"},
        instance=instance,
        selection=_MERGE,
        resources=platform.resources(),
        raise_on_error=False,
    )
    assert not result.success
    assert "2052-01-31 has not ended in Asia/Seoul yet" in failure_of(result)
    assert platform.store.row_counts() == before


def test_the_check_fails_without_being_executed(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """Its result for the old base date comes with the merge that deleted the rows."""
    _merge(platform, instance, _OLD, BASE_DT)
    checks = [check for check in completed_checks(instance) if check.key.name == EXPIRY_CHECK]
    results = evaluations(instance, checks)
    reported, executed = [
        results[check.number]
        for check in checks
        if results[check.number].metadata["base_dt"].value == _OLD
    ]
    assert (reported.passed, executed.passed) == (False, True)
    assert reported.severity == dg.AssetCheckSeverity.WARN
    assert (reported.description or "").endswith(
        "See CT-CHECK-ROWS-HAVE-NOT-EXPIRED: docs/runbook.md#ct-check-rows-have-not-expired"
    )
    assert RunHistory(instance).check_results()[_OLD][EXPIRY_CHECK] is False


@pytest.mark.parametrize("instance", ["sqlite", "mariadb"], indirect=True)
def test_rows_may_expire_again(platform: Platform, instance: dg.DagsterInstance) -> None:
    """As when a backfill merges an old base date again; each time it is reported."""
    for times in (1, 2, 3):
        _merge(platform, instance, _OLD, BASE_DT)
        assert len(_observed(instance)) == times
        assert not _check(platform, instance).passed


@pytest.mark.parametrize("instance", ["sqlite", "mariadb"], indirect=True)
def test_two_merges_may_report_the_same(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One finds rows expired before the other, which deleted them, has reported it."""
    evaluation = dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey("features_target"), check_name=EXPIRY_CHECK,
        passed=False, metadata={}, partition=_OLD,
    )  # fmt: skip
    history = RunHistory(instance)
    history.report_check_result(evaluation)
    # The other one reports it right after this one has deleted the report before.
    monkeypatch.setattr(dagster_internals, "delete_check_results", lambda *_, **__: None)
    history.report_check_result(evaluation)
    assert history.check_results() == {_OLD: {EXPIRY_CHECK: False}}
    assert len(list(completed_checks(instance))) == 1


def test_a_merge_that_was_killed_before_its_report_is_reported_by_the_next(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """Each time once, also when the run that reported it is pruned."""
    for times in (1, 2):
        _merge(platform, instance, _OLD)
        platform.store.merge(BASE_DT)  # and nothing more
        assert len(_observed(instance)) == times - 1
        _merge(platform, instance, BASE_DT, BASE_DT)
        observation, *before = _observed(instance)
        assert len(before) == times - 1
        assert observation.metadata["expired_by"].value == "an earlier merge"
    for run in instance.get_runs():
        if run.tags[PARTITION_TAG] == BASE_DT:
            RunHistory(instance).remove(run.run_id)
    _merge(platform, instance, BASE_DT)
    assert _observed(instance) == []


def test_the_status_shows_expired(
    platform: Platform, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also for a base date that was only merged."""
    _merge(platform, instance, _OLD, BASE_DT)
    monkeypatch.setenv("DAGSTER_HOME", instance.root_directory)
    listed = json.loads(platform.command("status", "--json").stdout)
    assert {each["base_dt"]: each["expired"] for each in listed} == {_OLD: True, BASE_DT: False}
    lines = platform.command("status").stdout.splitlines()
    [line] = [line for line in lines if line.strip().startswith(_OLD)]
    assert "expired" in line


def test_a_packaged_model_can_be_made_again_from_the_archive(
    trained_copy: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The very same splits and the same model, even without the source tables."""
    platform, instance = trained_copy.platform, trained_copy.instance
    folder = platform.folder / "artifacts" / "preprocessing"
    tables = {path: path.read_bytes() for path in folder.rglob("*.parquet")}
    best, holdout = platform.search_summary().best, platform.splits()[SPLIT_FILES["holdout"]]
    predicted = predict_proba(platform.models()[BEST_MODEL_FILE], holdout)
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
    assert platform.search_summary().best == best
    assert (predict_proba(platform.models()[BEST_MODEL_FILE], holdout) == predicted).all()

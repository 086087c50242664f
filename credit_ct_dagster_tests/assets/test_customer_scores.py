"""The asset with the customers' scores, on a real champion."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from credit_ct_dagster.checks.customer_scores import class_shares_are_stable, customers_are_scored
from credit_ct_dagster.contracts.customer_scores import CustomerScoresSummary
from credit_ct_dagster.contracts.drift import Verdict
from credit_ct_dagster.contracts.files import PREPROCESSING_FOLDER, QUARANTINE_FILE, SCORES_FOLDER
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.resources.feature_store.rows_to_score import KeyRange, RowsToScore
from credit_ct_dagster.resources.feature_store.scores import CustomerScores
from credit_ct_dagster_tests.checks.execution import execute_check, execute_sql, results_of
from credit_ct_dagster_tests.decisions.decided import WINS, decide
from credit_ct_dagster_tests.platform import BASE_DT, Platform, failure_of, metadata_of
from credit_ct_dagster_tests.resources.packages import any_model
from credit_ct_dagster_tests.trained import Trained

_SELECTION = dg.AssetSelection.assets("customer_scores")


def _score(
    platform: Platform, instance: dg.DagsterInstance, base_dt: str = BASE_DT, **config: Any
) -> dg.ExecuteInProcessResult:
    return platform.materialize(
        instance,
        base_dt,
        selection=_SELECTION,
        config={"customer_scores": {"config": config}},
        checks=False,
    )


def _counts(platform: Platform) -> dict[str, int]:
    scores = CustomerScores(platform.store.database, platform.model_name)
    return scores.counts(BASE_DT)


def _summary(platform: Platform, base_dt: str = BASE_DT) -> CustomerScoresSummary:
    return platform.artifacts.open(SCORES_FOLDER, base_dt).read(CustomerScoresSummary)


def test_all_assets_of_a_base_date_include_its_scores(trained: Trained) -> None:
    """By the model that the same run promoted; the page shows shares, drift and model."""
    platform, shown = trained.platform, metadata_of(trained.result, "customer_scores")
    champion = platform.promotions.champion()
    assert champion is not None
    summary = _summary(platform)
    assert summary.model == champion
    assert summary.dagster_run_id == trained.result.run_id
    _, features = platform.store.arrived(BASE_DT)
    assert summary.rows + summary.quarantine.rows == features > 50
    counts = _counts(platform)
    assert counts == {champion.bentoml_tag: summary.rows}
    assert summary.training is not None
    assert summary.training.labels == platform.splits_summary().labels["train"]
    assert shown["dagster/partition_row_count"] == summary.rows
    assert shown["bentoml_tag"] == champion.bentoml_tag
    assert shown["prediction_drift"] in {"stable", "too few rows to say"}
    classes = [record.data["class"] for record in shown["classes"].records]
    assert classes == schema.CLASSES


def test_its_checks_pass(trained: Trained) -> None:
    """Every customer has a score, and the shares are those of the training rows."""
    results = results_of(trained.result)
    for check in ("customers_are_scored", "class_shares_are_stable"):
        assert results[check].passed, results[check].description


def test_without_a_champion_nobody_is_scored(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """The sentence names the base date and the ways to a champion."""
    result = _score(platform, instance)
    assert not result.success
    assert "Base date 2025-03-10: No customer was scored, because no model was promoted yet." in (
        failure_of(result)
    )


def test_a_champion_that_cannot_be_loaded_scores_nobody(trained_copy: Trained) -> None:
    """The scores of earlier runs stay."""
    platform = trained_copy.platform
    before = _counts(platform)
    [package] = platform.packages.packaged()
    platform.packages.remove([package.tag])
    result = _score(platform, trained_copy.instance)
    assert not result.success
    assert f"Package {package.tag} is not in the BentoML store" in failure_of(result)
    assert _counts(platform) == before


def test_a_model_that_is_promoted_meanwhile_scores_no_row(
    trained_copy: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All rows are scored by the model that was the champion when the run began."""
    platform = trained_copy.platform
    champion = platform.promotions.champion()
    assert champion is not None
    read = RowsToScore.read
    ranges: list[KeyRange] = []

    def read_after_a_promotion(rows: RowsToScore, keys: KeyRange) -> Any:
        if len(ranges) == 1:
            decide(platform, any_model(), "2025-03-01", WINS)
        ranges.append(keys)
        return read(rows, keys)

    monkeypatch.setattr(RowsToScore, "read", read_after_a_promotion)
    assert _score(platform, trained_copy.instance, chunk_rows=20).success
    assert len(ranges) > 2
    promoted = platform.promotions.champion()
    assert promoted is not None
    assert promoted.base_dt == "2025-03-01"
    assert _summary(platform).model == champion
    assert {*_counts(platform)} == {champion.bentoml_tag}


def test_too_many_refused_rows_fail_with_the_rows_in_a_private_file(trained_copy: Trained) -> None:
    """Without name and ssn, for the platform's own user only."""
    platform = trained_copy.platform
    execute_sql(platform, f"UPDATE credit_score_features SET age = -1 WHERE date = '{BASE_DT}'")
    result = _score(platform, trained_copy.instance)
    assert not result.success
    assert "age must be 14 to 120" in failure_of(result)
    assert "max_quarantined_share" in failure_of(result)
    folder = platform.artifacts.open(SCORES_FOLDER, BASE_DT)
    refused = folder[QUARANTINE_FILE]
    assert set(refused["age"]) == {-1.0}
    assert not {*schema.PERSONAL} & {*refused.columns}
    file = Path(folder.path.path) / QUARANTINE_FILE
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert platform.artifacts.readable_by_others() == []


def test_a_base_date_on_which_no_feature_is_dated_is_a_warning(trained_copy: Trained) -> None:
    """It succeeds with no rows; the page says so, and the check passes."""
    platform, instance = trained_copy.platform, trained_copy.instance
    execute_sql(platform, f"DELETE FROM credit_score_features WHERE date = '{BASE_DT}'")
    result = _score(platform, instance)
    assert result.success
    shown = metadata_of(result, "customer_scores")
    assert shown["dagster/partition_row_count"] == 0
    assert shown["warning"].startswith("No feature row is dated on base date 2025-03-10")
    for check in (customers_are_scored, class_shares_are_stable):
        [found] = results_of(execute_check(check, platform, instance)).values()
        assert found.passed, found.description


def test_the_newest_row_of_every_customer(trained_copy: Trained) -> None:
    """As configured; the check counts the same customers."""
    platform, instance = trained_copy.platform, trained_copy.instance
    result = _score(platform, instance, customers="newest", reasons=False)
    assert result.success
    assert metadata_of(result, "customer_scores")["dagster/partition_row_count"] > 1_000
    [found] = results_of(execute_check(customers_are_scored, platform, instance)).values()
    assert found.passed, found.description


def test_customers_without_a_score_are_counted(trained_copy: Trained) -> None:
    """Whoever was loaded later has none, until the base date is scored again."""
    platform, instance = trained_copy.platform, trained_copy.instance
    execute_sql(
        platform,
        "DELETE FROM credit_customer_scores WHERE id ="
        f" (SELECT MIN(id) FROM credit_customer_scores WHERE base_dt = '{BASE_DT}')",
    )
    [found] = results_of(execute_check(customers_are_scored, platform, instance)).values()
    assert not found.passed
    assert found.description is not None
    assert "materialize customer_scores for this base date again" in found.description


def test_other_shares_than_in_training_are_a_warning(trained_copy: Trained) -> None:
    """With the shares and the limit, unless so few customers say nothing."""
    platform, instance = trained_copy.platform, trained_copy.instance
    summary = _summary(platform)
    assert summary.training is not None
    assert summary.training.drift is not None
    for p_value, passed in ((0.01, False), (0.2, True)):
        update = {"psi": 0.5, "p_value": p_value, "verdict": Verdict.of(0.5, p_value)}
        drifted = summary.training.drift.model_copy(update=update)
        training = summary.training.model_copy(update={"drift": drifted})
        changed = summary.model_copy(update={"training": training})
        platform.artifacts.write(SCORES_FOLDER, BASE_DT, {summary.FILE: changed})
        [found] = results_of(execute_check(class_shares_are_stable, platform, instance)).values()
        assert (found.passed, found.severity) == (passed, dg.AssetCheckSeverity.WARN)
        assert found.description is not None
        assert f"a PSI of 0.500 (p = {p_value}) from the classes" in found.description


def test_scores_are_not_compared_with_training_rows_that_are_gone(trained_copy: Trained) -> None:
    """Everybody is scored; the check warns that nothing was compared."""
    platform, instance = trained_copy.platform, trained_copy.instance
    platform.artifacts.delete(PREPROCESSING_FOLDER, BASE_DT)
    result = _score(platform, instance)
    assert result.success
    reason = metadata_of(result, "customer_scores")["not_compared"]
    assert reason.startswith("The scores were not compared with the training rows of base date")
    [found] = results_of(execute_check(class_shares_are_stable, platform, instance)).values()
    assert not found.passed
    assert found.severity == dg.AssetCheckSeverity.WARN

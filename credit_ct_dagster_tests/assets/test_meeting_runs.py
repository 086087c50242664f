"""Artifacts of different runs of one base date, and files that no longer exist."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import bentoml
import dagster as dg
import pytest

from credit_ct_dagster.contracts.drift import DriftReport
from credit_ct_dagster.contracts.files import (
    MODEL_CARD_FILE,
    PREPROCESSING_FOLDER,
    SPLIT_FILES,
)
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.io_managers.raw_rows import raw_holdouts, raw_rows
from credit_ct_dagster.modeling.schema import TARGET
from credit_ct_dagster_tests.platform import (
    BASE_DT,
    NO_FLOORS,
    SMALL_SEARCH,
    Platform,
    Templates,
    failure_of,
)
from credit_ct_dagster_tests.trained import Trained

pytestmark = pytest.mark.integration

_EARLIER = "2025-03-07"
_OTHER_SEARCH = SMALL_SEARCH | {"depth": [2], "iterations": 5}
_CARD = dg.AssetSelection.assets("model_card")
_SEARCH = dg.AssetSelection.assets("tuned_runs")
_PACKAGE_ON = dg.AssetSelection.assets("bentoml_model", "champion_model", "model_card")


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory, templates: Templates) -> Iterator[Trained]:
    """A platform whose champion is of an earlier base date."""
    folder = tmp_path_factory.mktemp("earlier")
    with Trained.on(folder, templates, _EARLIER, checks=False, until="champion_model") as trained:
        yield trained


@pytest.fixture
def with_champion(earlier: Trained, tmp_path: Path) -> Iterator[Trained]:
    """The same, to change."""
    with earlier.copied(tmp_path) as copy:
        yield copy


def _remove(platform: Platform, *folder: str) -> None:
    shutil.rmtree(Path(platform.settings.artifacts_path, *folder))


def test_a_card_never_mixes_two_searches(trained_copy: Trained) -> None:
    """After another search by itself, the card is refused; the assets that are named make it."""
    platform, instance = trained_copy.platform, trained_copy.instance
    before = platform.models()[MODEL_CARD_FILE]
    searched = platform.materialize(
        instance, selection=_SEARCH, config={"tuned_runs": {"config": _OTHER_SEARCH}}
    )
    assert searched.success
    assert platform.search_summary().best.params["depth"] == 2
    mixed = platform.materialize(instance, selection=_CARD)
    assert "The decision of base date 2025-03-10 is about" in failure_of(mixed)
    assert "Materialize bentoml_model, champion_model and model_card" in failure_of(mixed)
    assert platform.models()[MODEL_CARD_FILE] == before
    assert platform.materialize(instance, selection=_PACKAGE_ON).success
    lineage = platform.models().read(ModelIdentity)
    assert lineage.mlflow_run_id == platform.search_summary().mlflow.best_run_id


def test_status_shows_the_metrics_of_the_package(trained_copy: Trained) -> None:
    """Not those of a search that has not been packaged."""
    platform, instance = trained_copy.platform, trained_copy.instance
    packaged = platform.search_summary()
    scorer = platform.packages.load(platform.packages.packaged()[0].tag).scorer
    assert platform.materialize(
        instance, selection=_SEARCH, config={"tuned_runs": {"config": _OTHER_SEARCH}}
    ).success
    assert platform.search_summary().best.holdout != packaged.best.holdout
    [shown] = [
        each
        for each in json.loads(platform.command("status", "--json").output)
        if each["base_dt"] == BASE_DT
    ]
    for split in ("val", "holdout"):
        rows = raw_rows(platform.artifacts, BASE_DT, split)
        right = scorer.score_rows(rows).classes == rows[TARGET]
        assert shown[f"{split}_accuracy"] == pytest.approx(right.mean())
    assert shown["mlflow_run_id"] == packaged.mlflow.best_run_id


def test_a_card_of_other_splits_is_refused(trained_copy: Trained) -> None:
    """After the rows were split by other shares, everything after the splits is made again."""
    platform, instance = trained_copy.platform, trained_copy.instance
    again = platform.materialize(
        instance,
        selection=dg.AssetSelection.assets("preprocessed_splits", "robust_scalers"),
        config={"preprocessing": {"config": {"train_share": 0.6}}},
    )
    assert again.success
    assert "are not those that its model was searched with" in failure_of(
        platform.materialize(instance, selection=_CARD)
    )


def test_a_lost_package_is_made_again_with_its_card(trained_copy: Trained) -> None:
    """The way out that the sentence names works: the card names the new package."""
    platform, instance = trained_copy.platform, trained_copy.instance
    [lost] = platform.packages.packaged()
    bentoml.models.delete(lost.tag)
    failed = failure_of(platform.materialize(instance, selection=_CARD))
    assert "materialize bentoml_model and champion_model for its base date again" in failed
    assert platform.materialize(instance, selection=_PACKAGE_ON).success
    [package] = platform.packages.packaged()
    assert package.tag != lost.tag
    lineage = platform.models().read(ModelIdentity)
    assert (lineage.bentoml_tag, lineage.package_sha256) == (
        package.tag,
        platform.packages.sha256(package.tag),
    )
    assert package.tag in platform.models()[MODEL_CARD_FILE]
    assert len(platform.promotions.records()) == 1


def test_drift_without_its_reference_is_not_computed_and_fails_nothing(
    with_champion: Trained,
) -> None:
    """The champion's splits were deleted: the check warns with the champion's base date."""
    platform, instance = with_champion.platform, with_champion.instance
    _remove(platform, "preprocessing", platform.model_name, _EARLIER)
    made = platform.materialize(instance)
    assert made.success
    report = platform.models().read(DriftReport)
    assert report.not_computed is not None
    assert (
        f"Drift from the champion of base date {_EARLIER} was not computed" in report.not_computed
    )
    assert report.not_computed in platform.models()[MODEL_CARD_FILE].replace("&#39;", "'")
    [check] = [
        each for each in made.get_asset_check_evaluations() if each.check_name == "drift_is_small"
    ]
    assert not check.passed
    assert check.severity == dg.AssetCheckSeverity.WARN
    assert "was not computed" in (check.description or "")


def test_a_decision_is_recorded_once_per_challenger_and_evidence(with_champion: Trained) -> None:
    """A retry of the step, or another materialization, adds no record; other rules do."""
    platform, instance = with_champion.platform, with_champion.instance
    challenger = dg.AssetSelection.assets("champion_model")
    assert platform.materialize(instance, checks=False, until="champion_model").success
    decided = platform.decision_record()
    assert not decided.decision.promoted
    rules = {"champion_model": {"config": NO_FLOORS}}
    for _ in range(2):
        assert platform.materialize(instance, selection=challenger, config=rules).success
    assert platform.decision_record() == decided
    assert len(platform.promotions.records()) == 2
    strict = {"champion_model": {"config": {"min_recall": 0.99}}}
    assert platform.materialize(instance, selection=challenger, config=strict).success
    assert [each.number for each in platform.promotions.records()] == [1, 2, 3]


def test_half_of_an_earlier_base_date_is_no_evidence(trained_copy: Trained) -> None:
    """Holdouts of earlier windows are pooled as far as they exist."""
    artifacts = trained_copy.platform.artifacts
    earlier = Path(str(artifacts.open(PREPROCESSING_FOLDER, "2025-01-20").path))
    shutil.copytree(str(trained_copy.platform.splits().path), earlier)
    assert len(raw_holdouts(artifacts, BASE_DT, 2)) == 2
    (earlier / SPLIT_FILES["holdout"].format(model_name=artifacts.model_name)).unlink()
    assert len(raw_holdouts(artifacts, BASE_DT, 2)) == 1

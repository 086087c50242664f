"""Decisions whose models were deleted in MLflow, and packages that were changed."""

from pathlib import Path

import cloudpickle
import dagster as dg
import pytest

from credit_ct_dagster.contracts.decision import Ground
from credit_ct_dagster.contracts.files import SCALERS_FOLDER
from credit_ct_dagster.errors.models import (
    ChampionDisagreementError,
    ChangedPackageError,
    LostChampionError,
)
from credit_ct_dagster.io_managers.raw_rows import raw_rows
from credit_ct_dagster.resources.mlflow.registry import ModelRegistry
from credit_ct_dagster_tests.platform import BASE_DT, SMALL_SEARCH, Platform, failure_of
from credit_ct_dagster_tests.trained import Trained

pytestmark = pytest.mark.integration

_DECISION = dg.AssetSelection.assets("champion_model")
_PERSON = ("--by", "Kim", "--reason", "it was deleted")


class _Planted:
    """Writes a file as soon as it is unpickled."""

    def __init__(self, file: Path) -> None:
        self._file = str(file)

    def __reduce__(self) -> tuple[object, ...]:
        return (exec, (f"open({self._file!r}, 'w').close()",))


def _plant(platform: Platform, tag: str, executed: Path) -> None:
    """Change the code in a package."""
    code = platform.packages.scorer_folder(tag) / "code" / "__init__.py"
    code.write_text(f"open({str(executed)!r}, 'w').close()")


def _champion_is_deleted(platform: Platform) -> str:
    champion = platform.promotions.champion()
    assert champion is not None
    ModelRegistry(platform.tracking).delete(champion.registered_version)
    assert platform.promotions.champion() is None
    return champion.registered_version


def test_a_deleted_version_is_registered_again(trained_copy: Trained) -> None:
    """By the next decision, as doctor says; which model is the champion does not change."""
    platform, instance = trained_copy.platform, trained_copy.instance
    was = platform.promotions.champion()
    deleted = _champion_is_deleted(platform)
    with pytest.raises(ChampionDisagreementError, match="The next decision registers it again"):
        platform.promotions.agreement()
    assert platform.materialize(instance, selection=_DECISION).success
    now = platform.promotions.champion()
    assert was is not None
    assert now is not None
    assert now.registered_version != deleted
    assert now == was.model_copy(update={"registered_version": now.registered_version})
    assert platform.promotions.agreement().startswith(f"version {now.registered_version}")
    records = platform.promotions.records()
    assert [each.decision.ground for each in records] == [Ground.first, Ground.registered_again]
    assert f"Version {deleted} of base date {BASE_DT}" in records[-1].decision.sentence
    # The card still tells why the model went into service.
    assert platform.decision_record().decision.ground == Ground.first


def test_a_challenger_meets_a_champion_that_was_deleted(trained_copy: Trained) -> None:
    """It is compared with it, not promoted as if there had been none."""
    platform, instance = trained_copy.platform, trained_copy.instance
    _champion_is_deleted(platform)
    again = SMALL_SEARCH | {"resume": False}
    decided = platform.materialize(instance, search=again, checks=False, until="champion_model")
    assert decided.success
    decision = platform.decision_record().decision
    assert (decision.promoted, decision.ground) == (False, Ground.insufficient_evidence)


def test_rollback_reaches_a_version_that_was_deleted(trained_copy: Trained) -> None:
    """Its package still exists, so it serves again."""
    platform, instance = trained_copy.platform, trained_copy.instance
    first = platform.promotions.champion()
    assert first is not None
    again = SMALL_SEARCH | {"resume": False}
    assert platform.materialize(instance, search=again, until="champion_model").success
    assert platform.command("promote", "--partition", BASE_DT, *_PERSON).exit_code == 0
    ModelRegistry(platform.tracking).delete(first.registered_version)
    done = platform.command("rollback", *_PERSON)
    assert done.exit_code == 0, done.output
    champion = platform.promotions.champion()
    assert champion is not None
    assert champion.bentoml_tag == first.bentoml_tag
    platform.promotions.agreement()


def test_a_person_supersedes_a_champion_that_cannot_be_registered(trained_copy: Trained) -> None:
    """Its run was deleted too: the gate promotes nobody, and the command that it names works."""
    platform, instance = trained_copy.platform, trained_copy.instance
    lost = platform.promotions.champion()
    assert lost is not None
    deleted = _champion_is_deleted(platform)
    platform.tracking.client.delete_run(lost.mlflow_run_id)
    again = SMALL_SEARCH | {"resume": False}
    failed = failure_of(platform.materialize(instance, search=again, checks=False))
    assert f"Version {deleted} of base date {BASE_DT}" in failed
    assert "credit-ct promote --partition D" in failed
    with (
        platform.promotions.deciding() as deciding,
        pytest.raises(LostChampionError, match="cannot be registered again"),
    ):
        deciding.champion()
    done = platform.command("promote", "--partition", BASE_DT, *_PERSON, "--despite-floors")
    assert done.exit_code == 0, done.output
    assert platform.materialize(instance, selection=_DECISION).success
    platform.promotions.agreement()


def test_what_is_planted_in_the_champions_scalers_is_not_executed(
    trained_copy: Trained, tmp_path: Path
) -> None:
    """The joblib file is for other consumers: neither packaging nor scaling back reads it."""
    platform, instance = trained_copy.platform, trained_copy.instance
    executed = tmp_path / "executed"
    folder = platform.artifacts.open(SCALERS_FOLDER, BASE_DT).path
    (folder / "robust_scaler.joblib").write_bytes(cloudpickle.dumps(_Planted(executed)))
    packaged = platform.materialize(
        instance, selection=dg.AssetSelection.assets("bentoml_model", "champion_model")
    )
    assert packaged.success
    archived = raw_rows(platform.artifacts, BASE_DT, "train")
    (folder.parent / "features_target.parquet").unlink()
    scaled_back = raw_rows(platform.artifacts, BASE_DT, "train")
    assert scaled_back["age"].to_numpy() == pytest.approx(archived["age"].to_numpy(), nan_ok=True)
    assert not executed.exists()


@pytest.mark.parametrize("step", ["champion", "challenger"])
def test_what_is_planted_in_a_package_is_not_loaded(
    trained_copy: Trained, tmp_path: Path, step: str
) -> None:
    """Its hash is compared with the record, or with what its run reported, before it is loaded."""
    platform, instance = trained_copy.platform, trained_copy.instance
    executed = tmp_path / "executed"
    if step == "challenger":
        packaged = dg.AssetSelection.assets("tuned_runs", "bentoml_model")
        again = {"tuned_runs": {"config": SMALL_SEARCH | {"resume": False}}}
        assert platform.materialize(instance, selection=packaged, config=again).success
    package = platform.packages.packaged()[-1]
    _plant(platform, package.tag, executed)
    if step == "champion":
        with pytest.raises(ChangedPackageError, match=f"{package.tag} of base date {BASE_DT}"):
            platform.promotions.agreement()
    failed = failure_of(platform.materialize(instance, selection=_DECISION))
    assert "was changed after it was recorded, and is not loaded" in failed
    assert not executed.exists()


def test_a_package_is_verified_by_its_decision_not_by_mlflow_alone(
    trained_copy: Trained, tmp_path: Path
) -> None:
    """Whoever also changes the hash in MLflow meets the one in the record."""
    platform = trained_copy.platform
    [package] = platform.packages.packaged()
    champion = platform.promotions.champion()
    assert champion is not None
    assert platform.promotions.records()[-1].model.package_sha256 == champion.package_sha256 != ""
    _plant(platform, package.tag, tmp_path / "executed")
    ModelRegistry(platform.tracking).note(
        champion.registered_version, "package_sha256", platform.packages.sha256(package.tag)
    )
    with pytest.raises(ChangedPackageError):
        platform.promotions.agreement()
    assert not (tmp_path / "executed").exists()


def test_a_label_does_not_change_what_a_package_is(trained: Trained) -> None:
    """The champion's label was set after its hash was recorded."""
    [package] = trained.platform.packages.packaged()
    assert package.role == "champion"
    recorded = trained.platform.promotions.records()[0].model.package_sha256
    assert recorded == trained.platform.packages.sha256(package.tag)

"""Packages that a power cut damaged."""

import os
import shutil
from pathlib import Path

import bentoml
import pytest

from credit_ct_dagster.contracts.golden import GoldenRows
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.package import PackageRecord
from credit_ct_dagster.errors.models import BrokenPackageError
from credit_ct_dagster.errors.stores import NewerRecordError
from credit_ct_dagster.resources.bentoml_store import BentoMLStore
from credit_ct_dagster_tests.platform import BASE_DT
from credit_ct_dagster_tests.resources.packages import any_data, any_model

_RECORD = PackageRecord(seen_share=0.85, calibration="none", log_loss_per_calibration={})


def _identity(run: str) -> ModelIdentity:
    return ModelIdentity(
        base_dt=BASE_DT, mlflow_run_id=run, dagster_run_id=run, data_fingerprint="f" * 32
    )


def test_a_torn_description_is_named_and_passed_over() -> None:
    """Wherever it ends, or full of zeros: other packages are listed, labelled and found."""
    store = BentoMLStore(home=os.environ["BENTOML_HOME"], model_name="torn")
    model = any_model()
    whole, torn = (
        store.save(model, any_data(), _identity(run), _RECORD, {}) for run in ("one", "two")
    )
    description = Path(bentoml.models.get(torn).path) / "model.yaml"
    content = description.read_bytes()
    ends = [0, 10, content.index(b"labels:") + 8, content.index(b"creation_time:") + 20]
    for damaged in [*(content[:end] for end in ends), b"\0" * len(content)]:
        description.write_bytes(damaged)
        assert [each.tag for each in store.packaged()] == [whole]
        assert [str(each)[:27] for each in store.broken()] == [f"Package {torn}"[:27]]
        assert f"Delete its folder {description.parent}" in str(store.broken()[0])
        store.set_roles({whole: "champion"})
        assert list(store.labels_of_roles()) == [whole]
        assert store.newest(BASE_DT, "two") is None
        with pytest.raises(BrokenPackageError, match=rf"{torn} is damaged"):
            store.load(torn)
    description.write_bytes(content)
    assert store.broken() == []
    assert store.load(torn).identity.dagster_run_id == "two"


@pytest.mark.parametrize("damage", [None, b"", b"\x80\x04"])
@pytest.mark.parametrize("file", ["model.cbm", "scorer.json", "golden.json"])
def test_a_torn_model_is_named(file: str, damage: bytes | None) -> None:
    """Without a recorded hash: a sentence, not the error of a library."""
    store = BentoMLStore(home=os.environ["BENTOML_HOME"], model_name="tornmodel")
    golden = GoldenRows(rows=[])
    tag = store.save(any_model(), any_data(), _identity(file), _RECORD, {}, golden)
    assert store.load(tag).golden == golden
    torn = store.scorer_folder(tag) / file
    content = torn.read_bytes()
    if damage is None:
        torn.write_bytes(content[: len(content) // 2])
    else:
        torn.write_bytes(damage)
    with pytest.raises(BrokenPackageError, match=rf"{tag} is damaged.*{file}"):
        store.load(tag)
    torn.write_bytes(content)


def test_a_package_without_its_scorer_is_damaged() -> None:
    """As when somebody copied a part of it."""
    store = BentoMLStore(home=os.environ["BENTOML_HOME"], model_name="part")
    tag = store.save(any_model(), any_data(), _identity("part"), _RECORD, {})
    shutil.rmtree(store.scorer_folder(tag))
    with pytest.raises(BrokenPackageError, match=rf"{tag} is damaged.*scorer.json"):
        store.load(tag)


def test_a_package_of_a_later_release_is_named() -> None:
    """With the release that reads it as the way out."""
    store = BentoMLStore(home=os.environ["BENTOML_HOME"], model_name="later")
    later = any_data().model_copy(update={"version": 99})
    tag = store.save(any_model(), later, _identity("later"), _RECORD, {})
    with pytest.raises(NewerRecordError, match="Install the release that wrote it"):
        store.load(tag)

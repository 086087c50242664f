"""Packages that a power cut damaged."""

import os
from pathlib import Path

import bentoml
import pytest

from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.package import PackageRecord
from credit_ct_dagster.errors.models import BrokenPackageError
from credit_ct_dagster.resources.bentoml_store import BentoMLStore
from credit_ct_dagster_tests.platform import BASE_DT
from credit_ct_dagster_tests.resources.packages import any_model

_RECORD = PackageRecord(seen_share=0.85, calibration="none", log_loss_per_calibration={})


def _identity(run: str) -> ModelIdentity:
    return ModelIdentity(
        base_dt=BASE_DT, mlflow_run_id=run, dagster_run_id=run, data_fingerprint="f" * 32
    )


def test_a_torn_description_is_named_and_passed_over() -> None:
    """Wherever it ends, or full of zeros: other packages are listed, labelled and found."""
    store = BentoMLStore(home=os.environ["BENTOML_HOME"], model_name="torn")
    model = any_model()
    whole, torn = (store.save(model, {}, _identity(run), _RECORD, {}) for run in ("one", "two"))
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


@pytest.mark.parametrize("damage", [b"", b"\x80\x04"])
def test_a_torn_model_is_named(damage: bytes) -> None:
    """Without a recorded hash: a sentence, not the error of pickle."""
    store = BentoMLStore(home=os.environ["BENTOML_HOME"], model_name=f"empty{len(damage)}")
    tag = store.save(any_model(), {}, _identity("one"), _RECORD, {})
    (Path(bentoml.models.get(tag).path) / "custom_objects.pkl").write_bytes(damage)
    with pytest.raises(BrokenPackageError, match=rf"{tag} is damaged.*custom_objects.pkl"):
        store.load(tag)

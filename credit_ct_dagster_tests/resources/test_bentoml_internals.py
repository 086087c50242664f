"""The description of a package, which BentoML writes and the platform reads itself."""

import os
import subprocess
import sys
from pathlib import Path

import bentoml
import pytest

from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.package import PackageRecord
from credit_ct_dagster.errors.operation import LibraryChangedError
from credit_ct_dagster.resources.bentoml_internals import PYFUNC, description_of
from credit_ct_dagster.resources.bentoml_store import BentoMLStore
from credit_ct_dagster_tests.resources.packages import any_data, any_model

_LABELS = {
    "base_dt": "2025-03-10",
    "mlflow_run_id": "mlflow",
    "dagster_run_id": "run",
    "data_fingerprint": "f" * 32,
}


@pytest.fixture(scope="module")
def package() -> bentoml.Model:
    """Any package, saved by BentoML."""
    record = PackageRecord(seen_share=0.85, calibration="none", log_loss_per_calibration={})
    store = BentoMLStore(home=os.environ["BENTOML_HOME"], model_name="internals")
    tag = store.save(any_model(), any_data(), ModelIdentity(**_LABELS), record, {})
    return bentoml.models.get(tag)


def test_packages_are_listed_without_importing_bentoml(package: bentoml.Model) -> None:
    """`credit-ct status` has two seconds for all; a service opens one within milliseconds."""
    code = (
        "import sys; from credit_ct_dagster.resources.bentoml_store import BentoMLStore;"
        f"store = BentoMLStore(home={os.environ['BENTOML_HOME']!r}, model_name='internals');"
        "print([each.tag for each in store.packaged()]);"
        "print({'bentoml', 'sklearn', 'catboost', 'mlflow'} & set(sys.modules));"
        f"print(store.load({str(package.tag)!r}).scorer.columns);"
        "print({'bentoml', 'sklearn', 'mlflow'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines() == [f"['{package.tag}']", "set()", "['x']", "set()"]


def test_a_description_has_the_expected_fields(package: bentoml.Model) -> None:
    """If this fails after an upgrade of BentoML: see resources/bentoml_internals.py."""
    [listed] = BentoMLStore(home=os.environ["BENTOML_HOME"], model_name="internals").packaged()
    assert listed.identity.labels() == _LABELS
    description = description_of(Path(package.path))
    assert description is not None
    assert f"{description['name']}:{description['version']}" == str(package.tag)
    assert description["labels"] == package.info.labels
    assert package.path_of(PYFUNC) == package.path_of(bentoml.mlflow.MLFLOW_MODEL_FOLDER)
    assert description["creation_time"] == package.info.creation_time.isoformat()


def test_a_description_that_lost_a_field_is_explained(tmp_path: Path) -> None:
    """The sentence names the field, the module to adapt and the way out."""
    (tmp_path / "model.yaml").write_text("name: m\nversion: v\nlabels: []\n")
    with pytest.raises(
        LibraryChangedError,
        match=r"no `labels` and no `creation_time`.*bentoml_internals.*constraints",
    ):
        description_of(tmp_path)

"""Packages of earlier releases, made as those made them."""

import os
from importlib import import_module
from pathlib import Path
from typing import Any

import bentoml
import cloudpickle
import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest
from catboost import CatBoostClassifier

from credit_ct_dagster.contracts.files import SCALERS_FOLDER
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.package import PackageRecord
from credit_ct_dagster.contracts.splits import ScalersRecord
from credit_ct_dagster.errors.models import (
    BrokenPackageError,
    ChangedPackageError,
    UnusablePackageError,
)
from credit_ct_dagster.errors.stores import UnreadableRecordError
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.answers.calibration import METHODS, CalibratedModel, fitted
from credit_ct_dagster.modeling.rows.preparation import Scalers, prepare, scalers_of
from credit_ct_dagster.modeling.search.search_space import Text
from credit_ct_dagster.modeling.search.training import fit
from credit_ct_dagster.resources.bentoml_store import BentoMLStore
from credit_ct_dagster_tests.modeling.conftest import training_data
from credit_ct_dagster_tests.platform import BASE_DT
from credit_ct_dagster_tests.resources.packages import any_model
from credit_ct_dagster_tests.trained import Trained

_RECORD = PackageRecord(
    seen_share=0.85, calibration="sigmoid", log_loss_per_calibration={"sigmoid": 0.6}
)
_LABELS = ModelIdentity(
    base_dt=BASE_DT, mlflow_run_id="mlflow", dagster_run_id="run", data_fingerprint="f" * 32
).labels()


def _store(name: str) -> BentoMLStore:
    return BentoMLStore(home=os.environ["BENTOML_HOME"], model_name=name)


def _save(
    name: str, model: CalibratedModel, scalers: Scalers, metadata: dict[str, Any] | None = None
) -> str:
    """Package a model as releases before serving did."""
    saved = bentoml.catboost.save_model(
        name,
        model.model,
        signatures={
            "predict": {"batchable": True, "batch_dim": 0},
            "predict_proba": {"batchable": True, "batch_dim": 0},
        },
        labels=_LABELS,
        metadata=_RECORD.to_metadata() if metadata is None else metadata,
        external_modules=[import_module("credit_ct_dagster.modeling.answers.calibration")],
        custom_objects={
            "calibrated_model": model,
            "robust_scalers": dict(scalers),
            "feature_schema": {
                "features": model.features,
                "numeric": list(scalers),
                "categorical": [name for name in schema.CATEGORICAL if name in model.features],
                "text": [name for name in schema.TEXT if name in model.features],
                "missing_word": schema.MISSING_WORD,
                "classes": model.classes,
            },
        },
    )
    return str(saved.tag)


def _raw(trained: Trained) -> pd.DataFrame:
    rows = trained.platform.store.read(BASE_DT).head(300).reset_index(drop=True)
    rows.loc[0, schema.WORDS] = None
    rows.loc[1, schema.NUMERIC] = np.nan
    return rows


@pytest.fixture(scope="module")
def scalers(trained: Trained) -> Scalers:
    """Those of the trained platform."""
    record = trained.platform.artifacts.open(SCALERS_FOLDER, BASE_DT).read(ScalersRecord)
    return scalers_of(record)


@pytest.fixture(scope="module")
def native(trained: Trained) -> CatBoostClassifier:
    """A model as those releases had: texts could not be counted."""
    splits = trained.platform.splits()
    train, val = (splits["{model_name}_" + f"{name}.parquet"] for name in ("train", "val"))
    data = training_data(train, val, text=Text.native)
    return fit(data, {"iterations": 12, "depth": 4, "loss_function": "MultiClassOneVsAll"}, 12, 1)


@pytest.mark.parametrize("method", METHODS)
def test_a_package_of_an_earlier_release_answers_as_it_did(
    trained: Trained, native: CatBoostClassifier, scalers: Scalers, method: str
) -> None:
    """The same classes, and the same probabilities to the last bit; MLflow gives the same."""
    platform, store = trained.platform, _store(f"legacy-{method}")
    calibrated = fitted(native, method, platform.splits()["{model_name}_val.parquet"])
    tag, raw = _save(store.model_name, calibrated, scalers), _raw(trained)
    package = store.load(tag, store.sha256(tag))
    prepared = prepare(raw, scalers)
    answers = package.scorer.answer_rows(raw, reasons=True)
    assert answers["credit_score"].tolist() == calibrated.predict(prepared).tolist()
    probabilities = pd.DataFrame(calibrated.predict_proba(prepared), columns=calibrated.classes)
    for name in schema.CLASSES:
        np.testing.assert_array_equal(answers[f"probability_{name.lower()}"], probabilities[name])
    assert answers["reasons"].map(len).sum() == 0  # it does not know its typical customers
    assert (package.record, package.golden) == (_RECORD, None)
    assert package.identity.labels() == _LABELS
    assert [each.tag for each in store.packaged()] == [tag]
    with store.mlflow_model(tag) as folder:
        loaded = mlflow.pyfunc.load_model(str(folder)).predict(raw[schema.FEATURES])
    pd.testing.assert_frame_equal(loaded, answers.drop(columns="reasons"), check_exact=True)


def test_a_package_of_release_0_1_is_read(native: CatBoostClassifier, scalers: Scalers) -> None:
    """Its metadata had the same values, but no version; and some lacked them."""
    store = _store("early")
    calibrated = CalibratedModel(native, None, schema.FEATURES)
    early = _RECORD.model_dump(exclude={"version"})
    assert store.load(_save("early", calibrated, scalers, early)).record == _RECORD
    with pytest.raises(UnreadableRecordError, match=r"model.yaml.*materialize bentoml_model"):
        store.load(_save("early", calibrated, scalers, {"depth": 7}))


def test_a_package_without_calibration_is_named() -> None:
    """From before models were calibrated: the error has the way out."""
    old = bentoml.catboost.save_model("uncalibrated", any_model(), labels=_LABELS)
    with pytest.raises(UnusablePackageError, match=f"champion_model for base date {BASE_DT} again"):
        _store("uncalibrated").load(str(old.tag))


@pytest.mark.parametrize("damage", [b"", b"\x80\x04"])
def test_a_torn_package_is_named(damage: bytes) -> None:
    """Without a recorded hash: a sentence, not the error of pickle."""
    name = f"tornlegacy{len(damage)}"
    tag = _save(name, CalibratedModel(any_model(), None, ["x"]), {})
    (Path(bentoml.models.get(tag).path) / "custom_objects.pkl").write_bytes(damage)
    with pytest.raises(BrokenPackageError, match=rf"{tag} is damaged.*custom_objects.pkl"):
        _store(name).load(tag)


class _Planted:
    """Writes a file as soon as it is unpickled."""

    def __init__(self, file: Path) -> None:
        self._file = str(file)

    def __reduce__(self) -> tuple[object, ...]:
        return (exec, (f"open({self._file!r}, 'w').close()",))


def test_what_is_planted_is_not_executed(tmp_path: Path) -> None:
    """The hash is compared before anything is unpickled."""
    store, planted = _store("planted"), tmp_path / "executed"
    tag = _save("planted", CalibratedModel(any_model(), None, ["x"]), {})
    recorded = store.sha256(tag)
    objects = Path(bentoml.models.get(tag).path) / "custom_objects.pkl"
    objects.write_bytes(cloudpickle.dumps(_Planted(planted)))
    with pytest.raises(ChangedPackageError):
        store.load(tag, recorded)
    with pytest.raises(ChangedPackageError), store.mlflow_model(tag, recorded):
        pass
    assert not planted.exists()

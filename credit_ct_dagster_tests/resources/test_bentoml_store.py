"""Packages: their contents, and what a kill may leave behind."""

import json
import os
import subprocess
import sys
from pathlib import Path

import bentoml
import numpy as np
import pandas as pd
import pytest
from catboost import CatBoostClassifier

from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.package import PackageRecord
from credit_ct_dagster.errors.models import MissingPackageError, UnusablePackageError
from credit_ct_dagster.errors.stores import UnreadableRecordError
from credit_ct_dagster.loading.sample_data import generate
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.calibration import CalibratedModel, calibrate
from credit_ct_dagster.modeling.evaluation import predict
from credit_ct_dagster.modeling.preparation import Scalers, fit_scalers
from credit_ct_dagster.resources.bentoml_store import BentoMLStore
from credit_ct_dagster_tests.platform import BASE_DT
from credit_ct_dagster_tests.trained import Trained

_RECORD = PackageRecord(
    seen_share=0.85, calibration="sigmoid", log_loss_per_calibration={"sigmoid": 0.6}
)


@pytest.fixture
def model() -> CalibratedModel:
    """Any fitted model."""
    rows = pd.DataFrame({"x": [0.0, 1.0, 2.0]})
    fitted = CatBoostClassifier(iterations=2, allow_writing_files=False, verbose=False)
    return CalibratedModel(fitted.fit(rows, schema.CLASSES), None, ["x"])


@pytest.fixture
def scalers() -> Scalers:
    """Fitted scalers."""
    return fit_scalers(generate(200, pd.Timestamp(BASE_DT).date(), seed=0)[1])


def _identity(run: str = "run", mlflow_run: str = "mlflow") -> ModelIdentity:
    return ModelIdentity(
        base_dt=BASE_DT, mlflow_run_id=mlflow_run, dagster_run_id=run, data_fingerprint="f" * 32
    )


def _store(name: str) -> BentoMLStore:
    return BentoMLStore(home=os.environ["BENTOML_HOME"], model_name=name)


def _tags(store: BentoMLStore) -> list[str]:
    return [package.tag for package in store.packaged()]


# What a serving process does: it knows BentoML, not this project.
_SERVING = """
import json, sys
import bentoml, pandas as pd
tag, rows, out = sys.argv[1:]
package = bentoml.models.get(tag)
model = bentoml.catboost.load_model(tag)
scalers = package.custom_objects["robust_scalers"]
schema = package.custom_objects["feature_schema"]
raw = pd.read_parquet(rows)
ready = raw[schema["features"]].copy()
for name in schema["numeric"]:
    ready[name] = scalers[name].transform(ready[[name]])[:, 0]
for name in schema["categorical"] + schema["text"]:
    ready[name] = ready[name].where(ready[name].notna(), schema["missing_word"])
calibrated = package.custom_objects["calibrated_model"]
json.dump({
    "classes": model.predict(ready).ravel().tolist(),
    "scores": model.predict_proba(ready).tolist(),
    "probabilities": calibrated.predict_proba(ready).tolist(),
    "order": schema["classes"],
    "foreign": sorted(m for m in sys.modules if m.startswith("credit_ct")),
}, open(out, "w"))
"""


def test_a_clean_process_predicts_raw_rows_as_the_pipeline_did(
    trained: Trained, tmp_path: Path
) -> None:
    """With the tag alone: no import of this project, no file of it, the very same numbers."""
    platform = trained.platform
    holdout = platform.splits()["{model_name}_holdout.parquet"]
    raw = platform.store.read(BASE_DT).set_index("id").loc[holdout["id"]].reset_index()
    raw.to_parquet(tmp_path / "raw.parquet")
    [tag] = _tags(platform.packages)
    subprocess.run(
        [sys.executable, "-c", _SERVING, tag, "raw.parquet", "out.json"],
        cwd=tmp_path,
        check=True,
        env={"BENTOML_HOME": platform.packages.home, "BENTOML_DO_NOT_TRACK": "True"},
    )
    served = json.loads((tmp_path / "out.json").read_text())
    best = platform.models()["best.cbm"]
    assert served["classes"] == predict(best, holdout).tolist()
    np.testing.assert_array_equal(served["scores"], best.predict_proba(holdout[schema.FEATURES]))
    calibrated = calibrate(best, platform.splits()["{model_name}_val.parquet"]).model
    np.testing.assert_array_equal(served["probabilities"], calibrated.predict_proba(holdout))
    np.testing.assert_allclose(np.sum(served["probabilities"], axis=1), 1)
    assert served["order"] == [str(name) for name in best.classes_]
    assert served["foreign"] == []


def test_a_package_names_what_it_was_made_from(trained: Trained) -> None:
    """Labels link it back, metadata shows parameters and metrics, both calls are batchable."""
    platform, result = trained.platform, trained.result
    summary = platform.search_summary()
    [tag] = _tags(platform.packages)
    package = bentoml.models.get(tag)
    assert package.info.labels == {
        "role": "champion",
        "base_dt": BASE_DT,
        "mlflow_run_id": summary.mlflow.best_run_id,
        "dagster_run_id": result.run_id,
        "data_fingerprint": summary.data_fingerprint,
    }
    assert package.info.metadata["depth"] == summary.best.params["depth"]
    assert package.info.metadata["holdout_accuracy"] == summary.best.holdout["accuracy"]
    for signature in ("predict", "predict_proba"):
        assert package.info.signatures[signature].batchable
        assert package.info.signatures[signature].batch_dim == (0, 0)


def test_roles_are_labels_of_packages(model: CalibratedModel, scalers: Scalers) -> None:
    """One at a time has a role; BentoML reads it, and saving the same again finds its package."""
    store = _store("roles")
    old, new = (
        store.save(model, scalers, _identity(run=run), _RECORD, {}) for run in ("old", "new")
    )
    store.set_roles({old: "champion"})
    store.set_roles({new: "champion", old: "previous"})
    assert {each.tag: each.role for each in store.packaged()} == {old: "previous", new: "champion"}
    assert store.labels_of_roles()[new] == _identity(run="new").labels() | {"role": "champion"}
    assert bentoml.models.get(new).info.labels == store.labels_of_roles()[new]
    assert store.save(model, scalers, _identity(run="new"), _RECORD, {}) == new
    store.set_roles({})
    assert store.labels_of_roles() == {}
    assert [bentoml.models.get(tag).info.labels for tag in (old, new)] == [
        _identity(run=run).labels() for run in ("old", "new")
    ]


def test_a_role_changes_nothing_else_in_a_description(
    model: CalibratedModel, scalers: Scalers
) -> None:
    """Metadata, signatures and labels that somebody added stay as BentoML wrote them."""
    store = _store("untouched")
    tag = store.save(model, scalers, _identity(), _RECORD, {"depth": 7, "rsm": 0.8})
    package = bentoml.models.get(tag)
    package.info.labels["owner"] = "risk"
    with (Path(package.path) / "model.yaml").open("w") as file:
        package.info.dump(file)
    before = (Path(package.path) / "model.yaml").read_text()
    store.set_roles({tag: "champion"})
    assert bentoml.models.get(tag).info.labels["owner"] == "risk"
    store.set_roles({})
    assert (Path(package.path) / "model.yaml").read_text() == before


def test_a_package_holds_its_record(model: CalibratedModel, scalers: Scalers) -> None:
    """And its identity, with its own tag."""
    store = _store("record")
    tag = store.save(model, scalers, _identity(), _RECORD, {"depth": 7})
    found = store.load(tag)
    assert found.record == _RECORD
    assert found.identity == _identity().model_copy(update={"bentoml_tag": tag})
    assert found.model.classes == model.classes
    assert store.newest(BASE_DT, "mlflow") == found.identity
    assert store.newest("2025-01-01", "mlflow") is None


def test_a_package_of_release_0_1_is_read(model: CalibratedModel) -> None:
    """Its metadata had the same values, but no version; and some lacked them."""
    store = _store("early")

    def save(metadata: dict[str, object]) -> str:
        package = bentoml.catboost.save_model(
            "early",
            model.model,
            labels=_identity().labels(),
            metadata=metadata,
            custom_objects={"calibrated_model": model, "robust_scalers": {}},
        )
        return str(package.tag)

    assert store.load(save(_RECORD.model_dump(exclude={"version"}))).record == _RECORD
    with pytest.raises(UnreadableRecordError, match=r"model.yaml.*materialize bentoml_model"):
        store.load(save({"depth": 7}))


def test_a_missing_package_is_named(model: CalibratedModel) -> None:
    """Deleted, or from before models were calibrated: the error has the way out."""
    store = _store("missing")
    with pytest.raises(MissingPackageError, match="missing:gone is not in the BentoML store"):
        store.load("missing:gone")
    old = bentoml.catboost.save_model("missing", model.model, labels=_identity().labels())
    with pytest.raises(UnusablePackageError, match=f"champion_model for base date {BASE_DT} again"):
        store.load(str(old.tag))


def test_saving_again_never_leaves_two_of_one_run(model: CalibratedModel, scalers: Scalers) -> None:
    """The same model retains its package; a new training in the same run replaces it."""
    store = _store("again")
    first = store.save(model, scalers, _identity(), _RECORD, {})
    assert store.save(model, scalers, _identity(), _RECORD, {}) == first
    second = store.save(model, scalers, _identity(mlflow_run="other"), _RECORD, {})
    other = store.save(model, scalers, _identity(run="another"), _RECORD, {})
    assert _tags(store) == [second, other]


def test_a_package_that_a_kill_left_half_written_is_removed(
    model: CalibratedModel, scalers: Scalers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody lists it; the next writer removes exactly that folder."""
    store = _store("half")
    whole = store.save(model, scalers, _identity(run="first"), _RECORD, {})

    class _KilledError(BaseException):
        pass

    halves = []

    def killed(tag: bentoml.Tag, *args: object, **kwargs: object) -> None:
        halves.append(Path(store.home) / "models" / tag.name / str(tag.version))
        halves[0].mkdir()
        (halves[0] / "model.yaml").write_text("name: half")
        raise _KilledError

    with monkeypatch.context() as patch:
        patch.setattr(bentoml.catboost, "save_model", killed)
        with pytest.raises(_KilledError):
            store.save(model, scalers, _identity(run="second"), _RECORD, {})
    assert _tags(store) == [whole]
    foreign = bentoml.catboost.save_model("half", model.model)  # by somebody else
    again = store.save(model, scalers, _identity(run="second"), _RECORD, {})
    assert _tags(store) == [whole, again]
    assert bentoml.models.get(foreign.tag).tag == foreign.tag
    assert not halves[0].exists()


def test_packages_never_reported_are_removed(model: CalibratedModel, scalers: Scalers) -> None:
    """Only those of the base date, and only those that the caller did not record."""
    store = _store("unrecorded")
    recorded = store.save(model, scalers, _identity(run="recorded"), _RECORD, {})
    lost = store.save(model, scalers, _identity(run="killed"), _RECORD, {})
    removed = store.remove_unrecorded(BASE_DT, lambda tag, run: run == "killed")
    assert removed == [lost]
    assert store.remove_unrecorded("2025-01-01", lambda tag, run: True) == []
    assert _tags(store) == [recorded]

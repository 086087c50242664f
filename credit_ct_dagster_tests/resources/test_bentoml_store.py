"""Packages: what is inside, and what a kill may leave."""

import json
import subprocess
import sys
from pathlib import Path

import bentoml
import numpy as np
import pandas as pd
import pytest
from catboost import CatBoostClassifier

from credit_ct_dagster.errors import CreditCtError
from credit_ct_dagster.loading.sample_data import generate
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.calibration import CalibratedModel, calibrate
from credit_ct_dagster.modeling.evaluation import predict
from credit_ct_dagster.modeling.preparation import fit_scalers
from credit_ct_dagster.resources.bentoml_store import BentoMLStore, Lineage
from credit_ct_dagster_tests.platform import BASE_DT, Trained


@pytest.fixture
def model() -> CalibratedModel:
    """Any fitted model."""
    rows = pd.DataFrame({"x": [0.0, 1.0, 2.0]})
    fitted = CatBoostClassifier(iterations=2, allow_writing_files=False, verbose=False)
    return CalibratedModel(fitted.fit(rows, schema.CLASSES), None, ["x"])


@pytest.fixture
def scalers() -> dict:
    """Fitted scalers."""
    return fit_scalers(generate(200, pd.Timestamp(BASE_DT).date(), seed=0)[1])


def _lineage(run: str = "run", mlflow_run: str = "mlflow") -> Lineage:
    return Lineage(BASE_DT, mlflow_run, run, "f" * 32)


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
    [package] = platform.packages.packages()
    subprocess.run(
        [sys.executable, "-c", _SERVING, str(package.tag), "raw.parquet", "out.json"],
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


def test_a_package_tells_where_it_comes_from(trained: Trained) -> None:
    """Labels link it back, metadata shows parameters and metrics, both calls are batchable."""
    platform, result = trained.platform, trained.result
    summary = platform.models()["summary.json"]
    [package] = platform.packages.packages()
    assert package.info.labels == {
        "role": "champion",
        "base_dt": BASE_DT,
        "mlflow_run_id": summary["mlflow"]["best_run_id"],
        "dagster_run_id": result.run_id,
        "data_fingerprint": summary["data_fingerprint"],
    }
    assert package.info.metadata["depth"] == summary["best"]["params"]["depth"]
    assert package.info.metadata["holdout_accuracy"] == summary["best"]["holdout"]["accuracy"]
    for signature in ("predict", "predict_proba"):
        assert package.info.signatures[signature].batchable
        assert package.info.signatures[signature].batch_dim == (0, 0)


def test_roles_are_labels_of_packages(model: CalibratedModel, scalers: dict) -> None:
    """One at a time has a role; saving the same again still finds its package."""
    store = BentoMLStore(home=_home(), model_name="roles")
    old, new = (store.save(model, scalers, _lineage(run=run), {}) for run in ("old", "new"))
    store.set_roles({old: "champion"})
    store.set_roles({new: "champion", old: "previous"})
    roles = {str(package.tag): package.info.labels.get("role") for package in store.packages()}
    assert roles == {old: "previous", new: "champion"}
    assert store.save(model, scalers, _lineage(run="new"), {}) == new
    store.set_roles({})
    assert [package.info.labels for package in store.packages()] == [
        _lineage(run=run).labels() for run in ("old", "new")
    ]


def test_a_package_that_is_not_there_is_named(model: CalibratedModel, scalers: dict) -> None:
    """Gone, or from before models were calibrated: the error says what to do."""
    store = BentoMLStore(home=_home(), model_name="missing")
    with pytest.raises(CreditCtError, match="missing:gone is not in the BentoML store"):
        store.load("missing:gone")
    old = bentoml.catboost.save_model("missing", model.model, labels=_lineage().labels())
    with pytest.raises(CreditCtError, match=f"champion_model of base date {BASE_DT} again"):
        store.load(str(old.tag))


def test_saving_again_never_leaves_two_of_one_run(model: CalibratedModel, scalers: dict) -> None:
    """The same lineage keeps its package; a new training in the same run replaces it."""
    store = BentoMLStore(home=_home(), model_name="again")
    first = store.save(model, scalers, _lineage(), {})
    assert store.save(model, scalers, _lineage(), {}) == first
    second = store.save(model, scalers, _lineage(mlflow_run="other"), {})
    other = store.save(model, scalers, _lineage(run="another"), {})
    assert [str(package.tag) for package in store.packages()] == [second, other]


def test_a_half_left_by_a_kill_is_removed(
    model: CalibratedModel, scalers: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while BentoML fills the folder: the next writer removes exactly that half."""
    store = BentoMLStore(home=_home(), model_name="half")
    whole = store.save(model, scalers, _lineage(run="first"), {})

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
            store.save(model, scalers, _lineage(run="second"), {})
    foreign = bentoml.catboost.save_model("half", model.model)  # by someone who knows no journal
    again = store.save(model, scalers, _lineage(run="second"), {})
    tags = [str(package.tag) for package in store.packages()]
    assert tags == [whole, str(foreign.tag), again]
    assert not halves[0].exists()


def test_packages_never_reported_are_removed(model: CalibratedModel, scalers: dict) -> None:
    """Only those of the base date, and only those that the caller did not record."""
    store = BentoMLStore(home=_home(), model_name="unrecorded")
    kept = store.save(model, scalers, _lineage(run="recorded"), {})
    lost = store.save(model, scalers, _lineage(run="killed"), {})
    removed = store.remove_unrecorded(BASE_DT, lambda tag, run: run == "killed")
    assert removed == [lost]
    assert store.remove_unrecorded("2025-01-01", lambda tag, run: True) == []
    assert [str(package.tag) for package in store.packages()] == [kept]


def _home() -> str:
    import os

    return os.environ["BENTOML_HOME"]

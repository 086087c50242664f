"""Packages: their contents, and what a kill may leave behind."""

import os
from pathlib import Path

import bentoml
import pytest
from catboost import CatBoostClassifier

from credit_ct_dagster.contracts.assessment import AssessmentReport
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.package import PackageRecord
from credit_ct_dagster.errors.inputs import SettingsError
from credit_ct_dagster.errors.models import MissingPackageError
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.resources.bentoml_store import BentoMLStore
from credit_ct_dagster_tests.platform import BASE_DT
from credit_ct_dagster_tests.resources.packages import any_data, any_model
from credit_ct_dagster_tests.trained import Trained

_RECORD = PackageRecord(
    seen_share=0.85, calibration="sigmoid", log_loss_per_calibration={"sigmoid": 0.6}
)


@pytest.fixture(scope="module")
def model() -> CatBoostClassifier:
    """Any fitted model."""
    return any_model()


def _identity(run: str = "run", mlflow_run: str = "mlflow") -> ModelIdentity:
    return ModelIdentity(
        base_dt=BASE_DT, mlflow_run_id=mlflow_run, dagster_run_id=run, data_fingerprint="f" * 32
    )


def _store(name: str) -> BentoMLStore:
    return BentoMLStore(home=os.environ["BENTOML_HOME"], model_name=name)


def _tags(store: BentoMLStore) -> list[str]:
    return [package.tag for package in store.packaged()]


def test_a_package_names_what_it_was_made_from(trained: Trained) -> None:
    """Labels link it back, metadata shows parameters and metrics, and it is batchable."""
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
    holdout = platform.models().read(AssessmentReport).holdout
    accuracy = holdout.metrics["accuracy"].value
    assert package.info.metadata["holdout_accuracy"] == pytest.approx(accuracy)
    assert package.info.signatures["predict"].batchable
    assert package.info.signatures["predict"].batch_dim == (0, 0)


def test_packages_are_found_by_their_tags(model: CatBoostClassifier) -> None:
    """Those that exist, with the base dates that they learned from; none of others."""
    store = _store("tagged")
    first, second = (
        store.save(model, any_data(), _identity(run, run), _RECORD, {}) for run in ("one", "two")
    )
    assert [each.tag for each in store.tagged({first, "tagged:gone"})] == [first]
    assert [each.tag for each in store.tagged([second, first])] == [first, second]
    assert [each.learned_until for each in store.tagged([first])] == [BASE_DT]
    assert store.tagged([]) == []


def test_roles_are_labels_of_packages(model: CatBoostClassifier) -> None:
    """One at a time has a role; BentoML reads it, and saving the same again finds its package."""
    store = _store("roles")
    old, new = (
        store.save(model, any_data(), _identity(run=run), _RECORD, {}) for run in ("old", "new")
    )
    store.set_roles({old: "champion"})
    store.set_roles({new: "champion", old: "previous"})
    assert {each.tag: each.role for each in store.packaged()} == {old: "previous", new: "champion"}
    assert store.labels_of_roles()[new] == _identity(run="new").labels() | {"role": "champion"}
    assert bentoml.models.get(new).info.labels == store.labels_of_roles()[new]
    assert store.save(model, any_data(), _identity(run="new"), _RECORD, {}) == new
    store.set_roles({})
    assert store.labels_of_roles() == {}
    assert [bentoml.models.get(tag).info.labels for tag in (old, new)] == [
        _identity(run=run).labels() for run in ("old", "new")
    ]


def test_a_role_changes_nothing_else_in_a_description(model: CatBoostClassifier) -> None:
    """Metadata, signatures and labels that somebody added stay as BentoML wrote them."""
    store = _store("untouched")
    tag = store.save(model, any_data(), _identity(), _RECORD, {"depth": 7, "rsm": 0.8})
    package = bentoml.models.get(tag)
    package.info.labels["owner"] = "risk"
    with (Path(package.path) / "model.yaml").open("w") as file:
        package.info.dump(file)
    before = (Path(package.path) / "model.yaml").read_text()
    store.set_roles({tag: "champion"})
    assert bentoml.models.get(tag).info.labels["owner"] == "risk"
    store.set_roles({})
    assert (Path(package.path) / "model.yaml").read_text() == before


def test_a_package_holds_its_record(model: CatBoostClassifier) -> None:
    """And its identity, with its own tag."""
    store = _store("record")
    tag = store.save(model, any_data(), _identity(), _RECORD, {"depth": 7})
    found = store.load(tag)
    assert found.record == _RECORD
    assert found.identity == _identity().model_copy(update={"bentoml_tag": tag})
    assert found.scorer.classes == ["Poor", "Standard", "Good"]
    assert found.data == any_data()
    assert found.golden is None
    assert store.newest(BASE_DT, "mlflow") == found.identity
    assert store.newest("2025-01-01", "mlflow") is None


def test_a_missing_package_is_named() -> None:
    """The error has the way out."""
    with pytest.raises(MissingPackageError, match="missing:gone is not in the BentoML store"):
        _store("missing").load("missing:gone")


def test_saving_again_never_leaves_two_of_one_run(model: CatBoostClassifier) -> None:
    """The same model retains its package; a new training in the same run replaces it."""
    store = _store("again")
    first = store.save(model, any_data(), _identity(), _RECORD, {})
    assert store.save(model, any_data(), _identity(), _RECORD, {}) == first
    second = store.save(model, any_data(), _identity(mlflow_run="other"), _RECORD, {})
    other = store.save(model, any_data(), _identity(run="another"), _RECORD, {})
    assert _tags(store) == [second, other]


def test_a_package_that_a_kill_left_half_written_is_removed(
    model: CatBoostClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody lists it; the next writer removes exactly that folder."""
    store = _store("half")
    whole = store.save(model, any_data(), _identity(run="first"), _RECORD, {})

    class _KilledError(BaseException):
        pass

    halves = []

    def killed(tag: bentoml.Tag, *args: object, **kwargs: object) -> None:
        halves.append(Path(store.home) / "models" / tag.name / str(tag.version))
        halves[0].mkdir()
        (halves[0] / "model.yaml").write_text("name: half")
        raise _KilledError

    with monkeypatch.context() as patch:
        patch.setattr(bentoml.mlflow, "import_model", killed)
        with pytest.raises(_KilledError):
            store.save(model, any_data(), _identity(run="second"), _RECORD, {})
    assert _tags(store) == [whole]
    foreign = bentoml.catboost.save_model("half", model)  # by somebody else
    again = store.save(model, any_data(), _identity(run="second"), _RECORD, {})
    assert _tags(store) == [whole, again]
    assert bentoml.models.get(foreign.tag).tag == foreign.tag
    assert not halves[0].exists()


def test_packages_never_reported_are_removed(model: CatBoostClassifier) -> None:
    """Only those of the base date, and only those that the caller did not record."""
    store = _store("unrecorded")
    recorded = store.save(model, any_data(), _identity(run="recorded"), _RECORD, {})
    lost = store.save(model, any_data(), _identity(run="killed"), _RECORD, {})
    removed = store.remove_unrecorded(BASE_DT, lambda tag, run: run == "killed")
    assert removed == [lost]
    assert store.remove_unrecorded("2025-01-01", lambda tag, run: True) == []
    assert _tags(store) == [recorded]


def test_a_package_of_other_classes_than_those_declared_is_not_opened(
    model: CatBoostClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service or worker without the DATA_SCHEMA of the runs would misname its columns."""
    store = _store("otherclasses")
    tag = store.save(model, any_data(), _identity(), _RECORD, {})
    monkeypatch.setattr(schema, "CLASSES", ["bad", "good"])
    with pytest.raises(SettingsError, match="Poor, Standard, Good, but DATA_SCHEMA declares bad"):
        store.load(tag)

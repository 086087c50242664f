"""What MLflow does not publish, and the platform uses."""

from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.utils import environment

import credit_ct_dagster
from credit_ct_dagster.errors.operation import LibraryChangedError
from credit_ct_dagster.resources.mlflow import internals
from credit_ct_dagster_tests.platform import Platform


def test_runs_and_models_of_a_database_are_deleted_for_good(platform: Platform) -> None:
    """If this fails after an upgrade of MLflow: see resources/mlflow/internals.py."""
    client = platform.tracking.client
    run_id = client.create_run(platform.tracking.experiment_id()).info.run_id
    model = client.create_logged_model(platform.tracking.experiment_id(), source_run_id=run_id)
    assert internals.deletes_permanently(client)
    client.delete_logged_model(model.model_id)
    internals.delete_model_permanently(client, model.model_id)
    client.delete_run(run_id)
    internals.delete_run_permanently(client, run_id)
    for find in (lambda: client.get_run(run_id), lambda: client.get_logged_model(model.model_id)):
        with pytest.raises(Exception, match="not found"):
            find()


def test_requirements_are_not_checked_while_a_model_is_stored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If this fails after an upgrade of MLflow: see resources/mlflow/internals.py."""
    checked: list[list[str]] = []
    name = "warn_dependency_requirement_mismatches"
    assert hasattr(environment, name)
    monkeypatch.setattr(environment, name, checked.append)
    process = environment._process_pip_requirements
    with internals.requirements_not_checked():
        _, named, _ = process(None, ["catboost==1.2"])
    assert "catboost==1.2" in named
    assert checked == []
    process(None, ["catboost==1.2"])
    assert checked == [named], "others check as before"


def test_a_check_of_another_name_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models are stored all the same, only more slowly."""
    monkeypatch.delattr(environment, "warn_dependency_requirement_mismatches")
    with internals.requirements_not_checked():
        pass
    assert not hasattr(environment, "warn_dependency_requirement_mismatches")


def test_a_server_retains_the_rows_of_deleted_runs() -> None:
    """Which the platform does not try to delete."""
    assert not internals.deletes_permanently(MlflowClient("http://127.0.0.1:1"))


@pytest.mark.parametrize("name", ["_hard_delete_run", "_hard_delete_logged_model"])
def test_a_store_that_lost_a_method_is_explained(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The sentence names the method, the module to adapt and the way out."""
    delete = {
        "_hard_delete_run": internals.delete_run_permanently,
        "_hard_delete_logged_model": internals.delete_model_permanently,
    }[name]
    monkeypatch.delattr(SqlAlchemyStore, name)
    with pytest.raises(
        LibraryChangedError, match=f"no `{name}` any more.*internals.py.*constraints"
    ):
        delete(platform.tracking.client, "1")


def test_no_other_module_calls_them() -> None:
    """One place to adapt."""
    package = Path(credit_ct_dagster.__file__).parent
    users = {
        str(file.relative_to(package))
        for file in package.rglob("*.py")
        for name in ("_tracking_client", "_hard_delete")
        if name in file.read_text()
    }
    assert users == {"resources/mlflow/internals.py"}

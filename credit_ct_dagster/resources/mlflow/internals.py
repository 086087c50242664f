"""The only place that calls what MLflow does not publish.

MLflow deletes runs and models into a trash, and only `mlflow gc` empties it: of everything, also of
what others deleted by mistake. The store behind a client can delete one run for good, but only a
database has such a store; behind a tracking server there is none.

And before MLflow stores a model it lists the files of every installed package.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mlflow import MlflowClient
from mlflow.store.tracking.rest_store import RestStore
from mlflow.utils import environment

from credit_ct_dagster.errors.operation import LibraryChangedError


def deletes_permanently(client: MlflowClient) -> bool:
    """Whether runs can be deleted for good; a server keeps their rows in its trash, without files.

    Raises:
        LibraryChangedError: MLflow's client has no store any more.
    """
    return not isinstance(_store(client), RestStore)


def delete_run_permanently(client: MlflowClient, run_id: str) -> None:
    """Delete a run that is in the trash.

    Raises:
        LibraryChangedError: The store cannot do so any more.
    """
    _method(_store(client), "_hard_delete_run")(run_id)


def delete_model_permanently(client: MlflowClient, model_id: str) -> None:
    """Delete the model of a run, which is in the trash.

    Raises:
        LibraryChangedError: The store cannot do so any more.
    """
    _method(_store(client), "_hard_delete_logged_model")(model_id)


@contextmanager
def requirements_not_checked() -> Iterator[None]:
    """Have MLflow store models without comparing their requirements with what is installed.

    They are named as installed, so the check finds nothing, and takes up to a second per process.
    Not for several threads at a time. Where this version of MLflow has another check, it is left.
    """
    name = "warn_dependency_requirement_mismatches"
    check = getattr(environment, name, None)
    if check is None:
        yield
        return
    setattr(environment, name, lambda requirements: None)
    try:
        yield
    finally:
        setattr(environment, name, check)


def _store(client: MlflowClient) -> Any:
    return _method(_method(client, "_tracking_client"), "store")


def _method(owner: Any, name: str) -> Any:
    try:
        return getattr(owner, name)
    except AttributeError:
        raise LibraryChangedError(
            f"MLflow's {type(owner).__name__} has no `{name}` any more: see"
            " credit_ct_dagster/resources/mlflow/internals.py, and install the MLflow version that"
            " constraints.txt names until it is adapted."
        ) from None

"""What began a failure, below what libraries wrapped it in."""

import errno
import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE

from credit_ct_dagster.causes import cause_of
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.package import PackageRecord
from credit_ct_dagster.errors.base import CreditCtError
from credit_ct_dagster.errors.models import MlflowUnavailableError, PackagesNotWritableError
from credit_ct_dagster.errors.stores import LowDiskSpaceError
from credit_ct_dagster.outages import Dependency, translated
from credit_ct_dagster.resources.bentoml_store import BentoMLStore
from credit_ct_dagster_tests.resources.packages import any_data, any_model


def _translated(dependency: Dependency, error: Exception) -> CreditCtError:
    with pytest.raises(CreditCtError) as caught, translated(dependency, "somewhere", "saving"):
        raise error
    return caught.value


def _full_database(tmp_path: Path) -> sa.exc.OperationalError:
    """What SQLAlchemy raises when a real SQLite may not grow."""
    engine = sa.create_engine(f"sqlite:///{tmp_path}/full.db", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE t (x TEXT)")
        connection.exec_driver_sql("PRAGMA max_page_count = 3")
        with pytest.raises(sa.exc.OperationalError) as caught:
            connection.exec_driver_sql("INSERT INTO t VALUES (?)", ("x" * 100_000,))
    return caught.value


def _of_mlflow(cause: sa.exc.OperationalError, text: str) -> MlflowException:
    """As MLflow's store wraps it."""
    try:
        raise MlflowException(text, error_code=TEMPORARILY_UNAVAILABLE) from cause
    except MlflowException as error:
        return error


def test_mlflow_with_a_full_disk_says_so(tmp_path: Path) -> None:
    """Not "Query-invoked autoflush", and not that it does not answer."""
    full = _full_database(tmp_path)
    hint = "(raised as a result of Query-invoked autoflush; consider using a session.no_autoflush"
    for error in (
        _of_mlflow(full, f"{hint} block)\n{full}"),
        _of_mlflow(full, f"{hint} block)"),
        _of_mlflow(full, "transaction failed"),
    ):
        found = _translated(Dependency.mlflow, error)
        assert isinstance(found, LowDiskSpaceError)
        assert found.sentence == (
            "MLflow cannot write (saving), because its disk is full: database or disk is full."
            " Free disk space there (credit-ct prune deletes old base dates), then try again."
        )


def test_the_line_with_the_cause_is_quoted(tmp_path: Path) -> None:
    """Of a message that begins with a hint for the authors of MLflow."""
    error = MlflowException(
        "(raised as a result of Query-invoked autoflush; consider)\n"
        "(sqlite3.OperationalError) attempt to write a readonly database\n[SQL: INSERT INTO runs]",
        error_code=TEMPORARILY_UNAVAILABLE,
    )
    found = _translated(Dependency.mlflow, error)
    assert isinstance(found, MlflowUnavailableError)
    assert "(saving): attempt to write a readonly database. Check" in found.sentence


def test_a_package_that_could_not_be_copied_says_why() -> None:
    """BentoML copies a folder; `shutil.Error` lists each file with its reason."""
    why = "[Errno 28] No space left on device: '/store/saved_model.ubj'"
    error = shutil.Error([("/tmp/a", "/store/a", why), ("/tmp/b", "/store/b", why)])
    found = _translated(Dependency.packages, error)
    assert isinstance(found, PackagesNotWritableError)
    assert f"The BentoML store somewhere cannot be written: {why} (2 files). Free" in found.sentence


def test_a_package_that_does_not_fit_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow or BentoML copies it, and whichever it is hides the reason behind its own error."""
    store = BentoMLStore(home=str(tmp_path), model_name="full")
    identity = ModelIdentity(
        base_dt="2025-03-10", mlflow_run_id="m", dagster_run_id="d", data_fingerprint="f"
    )
    record = PackageRecord(seen_share=0.85, calibration="none", log_loss_per_calibration={})

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    model, data = any_model(), any_data()
    for copies in ("mlflow.artifacts.download_artifacts", "mlflow.pyfunc.save_model"):
        with monkeypatch.context() as patch:
            patch.setattr(copies, full)
            with pytest.raises(PackagesNotWritableError, match=r"No space left on device. Free"):
                store.save(model, data, identity, record, {})
        assert store.packaged() == []


def test_a_failure_while_another_was_handled_names_the_full_disk() -> None:
    """By its context, however deep; a password in it is not repeated."""
    try:
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError:
            raise RuntimeError("cannot roll back mysql://user:s3cret@host/db") from None
    except RuntimeError as error:
        hidden = error
    assert cause_of(hidden) == "No space left on device"
    assert (
        cause_of(RuntimeError("at mysql://user:s3cret@host/db\nmore")) == "at mysql://***@host/db"
    )


@pytest.mark.parametrize("dependency", [Dependency.feature_store, Dependency.studies])
def test_a_database_with_a_full_disk_says_so(tmp_path: Path, dependency: Dependency) -> None:
    """The feature store and Optuna's storage alike."""
    found = _translated(dependency, _full_database(tmp_path))
    assert isinstance(found, LowDiskSpaceError)
    assert "is full: database or disk is full. Free disk space there" in found.sentence

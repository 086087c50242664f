"""What libraries raise when something outside fails, and the sentence that people read instead.

One table for all that the platform talks to, as httpx maps the exceptions of its transport. The
libraries are named, not imported: most of them take seconds.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from credit_ct_dagster.errors.base import CreditCtError
from credit_ct_dagster.errors.models import (
    DaskUnavailableError,
    MlflowRefusedError,
    MlflowUnavailableError,
    PackagesNotWritableError,
    StudyStorageUnavailableError,
)
from credit_ct_dagster.errors.stores import (
    ArtifactsNotWritableError,
    FeatureStoreRefusedError,
    FeatureStoreUnavailableError,
    LockUnavailableError,
    MissingColumnError,
)


class Dependency(StrEnum):
    """What the platform talks to."""

    feature_store = "feature store"
    lock = "lock"
    studies = "Optuna"
    dask = "Dask"
    mlflow = "MLflow"
    artifacts = "artifacts"
    packages = "BentoML"


@dataclass(frozen=True)
class Rule:
    """What one kind of exception becomes.

    Attributes:
        raised: The exception's class, or a base class of it, by its full name.
        becomes: Our class; an `UnavailableError` is retried.
        sentence: May hold `{where}`, `{doing}`, `{cause}` and `{way_out}`.
        applies: Whether the rule is for this exception. [default: for all of that class]
    """

    raised: str
    becomes: type[CreditCtError]
    sentence: str
    applies: Callable[[BaseException], bool] = lambda _error: True


# https://mariadb.com/kb/en/mariadb-error-code-reference/
_NO_ANSWER = {1020, 1040, 1053, 1205, 1213, 2002, 2003, 2006, 2013, 2055}
_DENIED = {1044, 1142, 1143}
_UNKNOWN_COLUMN = 1054
_QUOTES_VALUES = {1062, 1292, 1366}
_LOAD_FIRST = "load labels and features first (credit-ct load)"
_WAY_OUT = {
    1044: "grant the user rights on this database",
    1045: "check user and password in FEATURE_STORE_URL",
    1049: "create the database, or correct its name in FEATURE_STORE_URL",
    1142: "grant the user this right",
    1146: _LOAD_FIRST,
}
_MLFLOW_REFUSALS = {"INVALID_PARAMETER_VALUE", "PERMISSION_DENIED", "RESOURCE_DOES_NOT_EXIST"}
_DATABASE = "sqlalchemy.exc.SQLAlchemyError"


def server_code(error: BaseException | None) -> int | None:
    """The number that a MySQL or MariaDB server gave a failure, if it gave one."""
    arguments: tuple[Any, ...] = getattr(getattr(error, "orig", None), "args", ())
    return arguments[0] if len(arguments) > 1 and isinstance(arguments[0], int) else None


def is_denied(error: BaseException | None) -> bool:
    """Whether a database failed because the user lacks a right."""
    return server_code(error) in _DENIED


def cause_of(error: BaseException | None) -> str:
    """What a library or a server itself said, in one line, without values of rows or passwords."""
    original = getattr(error, "orig", None)
    arguments: tuple[Any, ...] = getattr(original, "args", ())
    text = str(
        arguments[-1] if arguments else original or getattr(error, "strerror", None) or error
    )
    if server_code(error) in _QUOTES_VALUES:
        text = re.sub(r"'.*?' for", "a value for", text)
    return re.sub(r"//[^@/\s]*@", "//***@", next(iter(text.splitlines()), "")).rstrip(".")


def _does_not_answer(error: BaseException) -> bool:
    return (
        server_code(error) in _NO_ANSWER
        or bool(getattr(error, "connection_invalidated", False))
        or "database is locked" in str(error)
    )


def _lacks_column(error: BaseException) -> bool:
    return server_code(error) == _UNKNOWN_COLUMN or "no such column" in str(error)


def _way_out(error: BaseException) -> str:
    if "no such table" in str(error):
        return _LOAD_FIRST
    return _WAY_OUT.get(server_code(error) or 0, "see the message for the cause")


def _mlflow_refused(error: BaseException) -> bool:
    return getattr(error, "error_code", None) in _MLFLOW_REFUSALS


TABLE: dict[Dependency, list[Rule]] = {
    Dependency.feature_store: [
        Rule(
            "sqlalchemy.exc.DBAPIError",
            FeatureStoreUnavailableError,
            "The feature store at {where} does not answer: {cause}. Check that it runs and that"
            " FEATURE_STORE_URL is right, then try again.",
            _does_not_answer,
        ),
        Rule(
            "sqlalchemy.exc.DBAPIError",
            MissingColumnError,
            "A table of the feature store at {where} lacks a column: {cause}. Add the column, then"
            " try again.",
            _lacks_column,
        ),
        Rule(
            "sqlalchemy.exc.DBAPIError",
            FeatureStoreRefusedError,
            "The feature store at {where} refused a statement: {cause}. To go on, {way_out}.",
        ),
        # ConnectorX, which reads, has no class of its own.
        Rule(
            "builtins.RuntimeError",
            FeatureStoreUnavailableError,
            "Reading the feature store at {where} failed: {cause}. Check that it runs and that no"
            " column changed its type, then try again.",
        ),
        # Such as a certificate that does not exist.
        Rule(
            "builtins.OSError",
            FeatureStoreRefusedError,
            "The feature store at {where} cannot be opened: {cause}. Check FEATURE_STORE_URL.",
        ),
    ],
    Dependency.lock: [
        Rule(
            _DATABASE,
            LockUnavailableError,
            "The database at {where}, which keeps the lock for {doing}, does not answer: {cause}."
            " Check that it runs and that FEATURE_STORE_URL is right, then try again.",
        )
    ],
    Dependency.studies: [
        Rule(
            name,
            StudyStorageUnavailableError,
            "Optuna's storage at {where} does not answer: {cause}. Check that it runs and that"
            " OPTUNA_STORAGE_URL is right, then try again: finished trials are retained.",
        )
        for name in (_DATABASE, "optuna.exceptions.StorageInternalError")
    ],
    Dependency.dask: [
        Rule(
            name,
            DaskUnavailableError,
            "The Dask scheduler at {where} does not answer ({doing}): {cause}. Start it and its"
            " workers, then run this base date again: finished trials are retained. Without"
            " DASK_SCHEDULER_ADDRESS, trials are fitted in the process of the run.",
        )
        for name in ("builtins.OSError", "concurrent.futures._base.CancelledError")
    ],
    Dependency.mlflow: [
        Rule(
            "mlflow.exceptions.MlflowException",
            MlflowRefusedError,
            "MLflow refused a request ({doing}): {cause}. Check what the message names, then try"
            " again.",
            _mlflow_refused,
        ),
        *(
            Rule(
                name,
                MlflowUnavailableError,
                "MLflow does not answer ({doing}): {cause}. Check that it runs and that"
                " MLFLOW_TRACKING_URI is right, then try again.",
            )
            for name in ("mlflow.exceptions.MlflowException", _DATABASE, "builtins.OSError")
        ),
    ],
    Dependency.artifacts: [
        Rule(
            "builtins.OSError",
            ArtifactsNotWritableError,
            "Artifacts below {where} cannot be written: {cause}. Free disk space (credit-ct prune),"
            " correct the permissions or choose another ARTIFACTS_PATH, then try again: files that"
            " were written before are complete.",
        )
    ],
    Dependency.packages: [
        Rule(
            "builtins.OSError",
            PackagesNotWritableError,
            "The BentoML store {where} cannot be written: {cause}. Free disk space (credit-ct"
            " prune), correct the permissions or choose another BENTOML_HOME, then try again.",
        )
    ],
}


@contextmanager
def translated(dependency: Dependency, where: str, doing: str = "") -> Iterator[None]:
    """Raise our own error, with its sentence, for what a dependency raises in the block.

    Args:
        dependency: What the block talks to.
        where: Its address, without a password.
        doing: What was asked of it.
    """
    try:
        yield
    except CreditCtError:
        raise
    except Exception as error:
        translation = _translation(error, dependency, where, doing)
        if translation is None:
            raise
        raise translation from error


def _translation(
    error: Exception, dependency: Dependency, where: str, doing: str
) -> CreditCtError | None:
    """Our error for a library's; None for one that the table does not know."""
    classes = {f"{each.__module__}.{each.__qualname__}" for each in type(error).__mro__}
    for rule in TABLE[dependency]:
        if rule.raised in classes and rule.applies(error):
            # Optuna's storage keeps what the database said as the cause of its own error.
            said = error.__cause__ if rule.raised.startswith("optuna.") else error
            return rule.becomes(
                rule.sentence.format(
                    where=where, doing=doing, cause=cause_of(said), way_out=_way_out(error)
                )
            )
    return None

"""What libraries raise when something outside fails, and the sentence that people read instead.

One table for all that the platform talks to, as httpx maps the exceptions of its transport. The
libraries are named, not imported: most of them take seconds.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from credit_ct_dagster.causes import (
    cause_of,
    does_not_answer,
    is_disk_full,
    is_refusal,
    lacks_column,
    mlflow_refused,
    names_missing_bucket,
    way_out,
)
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
    ArtifactsUnavailableError,
    FeatureStoreRefusedError,
    FeatureStoreUnavailableError,
    LockUnavailableError,
    LowDiskSpaceError,
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
    object_store = "object store"
    packages = "BentoML"


# Of s3fs, gcsfs, adlfs, sftp, and whatever fsspec store maps its own to an OSError.
_OF_OBJECT_STORES = (
    "botocore.exceptions.BotoCoreError",
    "botocore.exceptions.ClientError",
    "aiohttp.client_exceptions.ClientError",
    "google.auth.exceptions.GoogleAuthError",
    "gcsfs.retry.HttpError",
    "azure.core.exceptions.AzureError",
    "paramiko.ssh_exception.SSHException",
    "asyncio.exceptions.TimeoutError",
    "builtins.OSError",
)


def _always(_error: BaseException) -> bool:
    return True


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
    applies: Callable[[BaseException], bool] = _always


_DATABASE = "sqlalchemy.exc.SQLAlchemyError"


_REFUSES_ACCESS = [
    ("botocore.exceptions.NoCredentialsError", _always),
    ("botocore.exceptions.PartialCredentialsError", _always),
    ("botocore.exceptions.ParamValidationError", _always),
    ("botocore.exceptions.NoRegionError", _always),
    ("google.auth.exceptions.DefaultCredentialsError", _always),
    ("azure.core.exceptions.ClientAuthenticationError", _always),
    ("builtins.OSError", is_refusal),
]


def _when_full(what: str) -> Rule:
    return Rule(
        "builtins.Exception",
        LowDiskSpaceError,
        what + ": {cause}. Free disk space there (credit-ct prune deletes old base dates), then try"
        " again.",
        is_disk_full,
    )


TABLE: dict[Dependency, list[Rule]] = {
    Dependency.feature_store: [
        _when_full("The disk of the feature store at {where} is full"),
        Rule(
            "sqlalchemy.exc.DBAPIError",
            FeatureStoreUnavailableError,
            "The feature store at {where} does not answer: {cause}. Check that it runs and that"
            " FEATURE_STORE_URL is right, then try again.",
            does_not_answer,
        ),
        Rule(
            "sqlalchemy.exc.DBAPIError",
            MissingColumnError,
            "A table of the feature store at {where} lacks a column: {cause}. Add the column"
            " (credit-ct doctor names the table and the ALTER TABLE statement), then try again.",
            lacks_column,
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
        ),
    ],
    Dependency.studies: [
        _when_full("The disk of Optuna's storage at {where} is full"),
        *(
            Rule(
                name,
                StudyStorageUnavailableError,
                "Optuna's storage at {where} does not answer: {cause}. Check that it runs and that"
                " OPTUNA_STORAGE_URL is right, then try again: finished trials are retained.",
            )
            for name in (_DATABASE, "optuna.exceptions.StorageInternalError")
        ),
    ],
    Dependency.dask: [
        Rule(
            name,
            DaskUnavailableError,
            "The Dask scheduler at {where} does not answer ({doing}): {cause}. Start it and its"
            " workers, then run this base date again: finished trials are retained, and earlier"
            " scores of customers stay. Without DASK_SCHEDULER_ADDRESS, trials are fitted and"
            " customers scored in the process of the run.",
        )
        for name in ("builtins.OSError", "concurrent.futures._base.CancelledError")
    ],
    Dependency.mlflow: [
        _when_full("MLflow cannot write ({doing}), because its disk is full"),
        Rule(
            "mlflow.exceptions.MlflowException",
            MlflowRefusedError,
            "MLflow refused a request ({doing}): {cause}. Check what the message names, then try"
            " again.",
            mlflow_refused,
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
            "Artifacts below {where} cannot be read or written: {cause}. Free disk space (credit-ct"
            " prune), correct the permissions or choose another ARTIFACTS_PATH, then try again:"
            " files that were written before are complete.",
        )
    ],
    Dependency.object_store: [
        Rule(
            "builtins.OSError",
            ArtifactsNotWritableError,
            "The bucket of {where} does not exist, and is never created by the platform: {cause}."
            " Create it, or correct ARTIFACTS_PATH.",
            names_missing_bucket,
        ),
        *(
            Rule(
                name,
                ArtifactsNotWritableError,
                "Artifacts below {where} need a library that is not installed, or a protocol that"
                " does not exist: {cause}. Install the library (s3fs, gcsfs, adlfs) wherever the"
                " platform runs, or correct ARTIFACTS_PATH.",
                condition,
            )
            for name, condition in (
                ("builtins.ImportError", _always),
                ("builtins.ValueError", lambda error: "Unsupported filesystem" in str(error)),
            )
        ),
        *(
            Rule(
                name,
                ArtifactsNotWritableError,
                "The object store refused access to {where}: {cause}. Check its credentials (for"
                " S3, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a role), its rights, and"
                " ARTIFACTS_PATH; then try again.",
                condition,
            )
            for name, condition in _REFUSES_ACCESS
        ),
        *(
            Rule(
                name,
                ArtifactsUnavailableError,
                "The object store of {where} does not answer: {cause}. Check that it runs and that"
                " ARTIFACTS_PATH is right, then try again.",
            )
            for name in _OF_OBJECT_STORES
        ),
    ],
    Dependency.packages: [
        Rule(
            name,
            PackagesNotWritableError,
            "The BentoML store {where} cannot be written: {cause}. Free disk space (credit-ct"
            " prune), correct the permissions or choose another BENTOML_HOME, then try again.",
            condition,
        )
        # MLflow and BentoML hide a full disk behind errors of their own.
        for name, condition in (("builtins.OSError", _always), ("builtins.Exception", is_disk_full))
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
                    where=where, doing=doing, cause=cause_of(said), way_out=way_out(error)
                )
            )
    return None

"""Where MLflow has recorded that files are, compared with where its store is."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from credit_ct_dagster.errors.models import DeletedInMlflowError, MovedStoreError

_FILES = "mlflow_artifacts"


def database_file(uri: str) -> Path | None:
    """The file of a SQLite store; None for any other."""
    if not uri.startswith("sqlite:"):
        return None
    import sqlalchemy as sa

    return Path(sa.make_url(uri).database or "").absolute()


def files_beside(tracking_uri: str) -> Path | None:
    """Where the embedded store has the files of runs; None for any other store."""
    store = database_file(tracking_uri)
    return store.parent / _FILES if store else None


def require_place(uri: str, tracking_uri: str) -> None:
    """Make sure that a place that the embedded store recorded is beside that store.

    MLflow records absolute paths: after the project's folder was moved or copied, it would go on
    reading, writing and deleting at the old place. What is not a path, such as `s3://bucket`, was
    chosen by a person and does not move.

    Args:
        uri: The recorded place.
        tracking_uri: The store.

    Raises:
        MovedStoreError: It is elsewhere.
    """
    files, recorded = files_beside(tracking_uri), _local_path(uri)
    if files is None or recorded is None:
        return
    # A link from the old place to the new one is a way out.
    if recorded.resolve().is_relative_to(files.parent.resolve()):
        return
    was, now = _moved(recorded, files)
    raise MovedStoreError(
        f"MLflow's store is in {files.parent}, but it recorded that files are in {recorded}: the"
        f" folder was moved or copied. Nothing is read or written there. If it was moved, link the"
        f" old path to the new one (ln -s {now} {was}), or move it back. If it was copied, correct"
        " the records of the copy as the runbook describes."
    )


def require_not_deleted(stage: str, what: str, restore: str, location: str) -> None:
    """Make sure that an experiment or a run is not in MLflow's trash.

    Args:
        stage: Its life-cycle stage.
        what: What it is, for a person.
        restore: MLflow's command that restores it.
        location: The address of the store.

    Raises:
        DeletedInMlflowError: It is.
    """
    if stage == "deleted":
        raise DeletedInMlflowError(
            f"MLflow's {what} was deleted: it is in MLflow's trash. Restore it"
            f" (MLFLOW_TRACKING_URI={location} mlflow {restore}), then try again."
        )


def _local_path(uri: str) -> Path | None:
    if uri.startswith("file:"):
        return Path(unquote(urlsplit(uri).path))
    return None if "://" in uri or uri.startswith("mlflow-artifacts:") else Path(uri).absolute()


def _moved(recorded: Path, files: Path) -> tuple[Path, Path]:
    """The folders that differ: the old and the new one, without what both have in common."""
    if _FILES not in recorded.parts:
        return recorded, files
    was = Path(*recorded.parts[: recorded.parts.index(_FILES)])
    now = files.parent
    while was.name == now.name and was.name:
        was, now = was.parent, now.parent
    return was, now

"""The Dagster instance that commands write to and read from."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from filelock import Timeout
from sqlalchemy.exc import SQLAlchemyError
from yaml import YAMLError

from credit_ct_dagster.causes import cause_of
from credit_ct_dagster.errors.base import CreditCtError
from credit_ct_dagster.errors.operation import HistoryUnavailableError, InstanceBusyError
from credit_ct_dagster.locks import file_lock
from credit_ct_dagster.runs.config_errors import shortly
from credit_ct_dagster.runs.dagster_internals import open_instance
from credit_ct_dagster.runs.shipped_files import INSTANCE, own_or_shipped

_EMBEDDED_FOLDER = Path("var/dagster")
_WAIT_SECONDS = 120


def place_of_history() -> str:
    """Where the history of that instance is, for people."""
    home = os.environ.get("DAGSTER_HOME")
    return f"where {home}/dagster.yaml says" if home else f"in {_EMBEDDED_FOLDER.absolute()}"


@contextmanager
def configured_instance() -> Iterator[dg.DagsterInstance]:
    """The instance of DAGSTER_HOME, or else the one that `./dagster.yaml` describes.

    `dagster dev` uses the same one in the project's folder, so its UI shows what commands did.

    Raises:
        InstanceBusyError: Another command has been opening it for two minutes.
        HistoryUnavailableError: It cannot be opened, or its database does not answer later.
    """
    try:
        opened = _open()
    except CreditCtError:
        raise
    except Exception as error:  # whatever Dagster, its storage or a YAML parser raises
        raise _unavailable(error) from error
    with opened as instance:
        try:
            yield instance
        except CreditCtError:
            raise
        except Exception as error:
            # On MySQL, Dagster says in an error of its own only how often it has tried.
            if not any(isinstance(each, SQLAlchemyError) for each in (error, error.__cause__)):
                raise
            raise _unavailable(error) from error


def _open() -> dg.DagsterInstance:
    if os.environ.get("DAGSTER_HOME"):
        return dg.DagsterInstance.get()
    _EMBEDDED_FOLDER.mkdir(parents=True, exist_ok=True)
    # Two commands that create its databases at the same time would corrupt them.
    try:
        with file_lock(_EMBEDDED_FOLDER.with_name("dagster.lock"), _WAIT_SECONDS):
            return open_instance(_EMBEDDED_FOLDER, own_or_shipped(INSTANCE).parent)
    except Timeout:
        raise InstanceBusyError(
            f"Another command has been opening Dagster's history in {_EMBEDDED_FOLDER} for"
            f" {_WAIT_SECONDS} s: end it, then try again."
        ) from None


def _unavailable(error: Exception) -> HistoryUnavailableError:
    match error:
        case dg.DagsterInvalidConfigError():
            cause = shortly(error)
        case YAMLError():
            cause = " ".join(str(error).split())
        case _:
            cause = cause_of(error.__cause__ or error)
    return HistoryUnavailableError(
        f"Dagster's history cannot be read ({place_of_history()}): {cause}. Check that its database"
        " runs and that dagster.yaml is right, then try again."
    )

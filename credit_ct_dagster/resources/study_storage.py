"""Optuna's studies: what a search has tried, for its next attempt and for other machines."""

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cached_property
from hashlib import blake2b
from uuid import uuid4

import dagster as dg
import optuna
import sqlalchemy as sa
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from pydantic import Field
from sqlalchemy.exc import SQLAlchemyError

from credit_ct_dagster.databases import (
    alone,
    location,
    parse_url,
    said_by,
    sqlite_file,
)
from credit_ct_dagster.errors import CreditCtError, UnavailableError
from credit_ct_dagster.modeling.search_space import TuningParameters

_SEARCH_ID = "search_id"


def study_name(model_name: str, base_dt: str, fingerprint: str) -> str:
    """What a study is called.

    Args:
        model_name: Whose search.
        base_dt: On which base date.
        fingerprint: Of the rows and all that decides how a trial ends.
    """
    return f"{model_name}/{base_dt}/{fingerprint}"


def search_id(study: optuna.Study) -> str:
    """Tells this search from any other one, also from one that was begun afresh."""
    return str(study.user_attrs[_SEARCH_ID])


class StudyStorage(dg.ConfigurableResource):
    """The database in which Optuna keeps studies."""

    url: str = Field(
        description="SQLAlchemy URL of a SQLite, MySQL or MariaDB database; workers on other"
        " machines reach it by the same variable"
    )

    @contextmanager
    def open(
        self, name: str, parameters: TuningParameters, log: logging.Logger, *, afresh: bool = False
    ) -> Iterator[optuna.Study]:
        """Open a study, or begin it; one process at a time has it open, others wait.

        Args:
            name: Names the rows and all that decides how a trial ends, so that what the study
                holds is worth keeping.
            parameters: The search.
            log: Told while another process has the study open.
            afresh: Forget what earlier attempts tried.

        Raises:
            UnavailableError: The database does not answer.
        """
        with self._failures_told(), self._alone(name, log):
            if afresh and name in optuna.get_all_study_names(self._storage):
                optuna.delete_study(study_name=name, storage=self._storage)
            study = optuna.create_study(
                study_name=name, storage=self._storage, direction="minimize", load_if_exists=True
            )
            study.sampler = parameters.optuna_sampler(len(study.get_trials(deepcopy=False)))
            if _SEARCH_ID not in study.user_attrs:
                study.set_user_attr(_SEARCH_ID, uuid4().hex)
            yield study

    def join(self, name: str) -> optuna.Study:
        """A study that another process has open and shares trials of.

        Raises:
            CreditCtError: This storage does not hold it.
        """
        with self._failures_told():
            try:
                return optuna.load_study(study_name=name, storage=self._storage)
            except KeyError:
                raise CreditCtError(
                    f"The Optuna storage of this worker, {location(self._url)}, is not that of the"
                    " run: set OPTUNA_STORAGE_URL, ARTIFACTS_PATH and MLFLOW_TRACKING_URI of Dask"
                    " workers as those of the run."
                ) from None

    def names(self, model_name: str) -> dict[str, list[str]]:
        """Per base date, the names of a model's studies.

        Raises:
            UnavailableError: The database does not answer.
        """
        found: dict[str, list[str]] = {}
        with self._failures_told():
            for name in optuna.get_all_study_names(self._storage):
                model, _, rest = name.partition("/")
                if model == model_name:
                    found.setdefault(rest.partition("/")[0], []).append(name)
        return found

    def delete(self, name: str, log: logging.Logger) -> None:
        """Delete a study with its trials, if it is there, once no process has it open.

        Raises:
            UnavailableError: The database does not answer.
        """
        with self._failures_told(), self._alone(name, log), suppress(KeyError):
            optuna.delete_study(study_name=name, storage=self._storage)

    @property
    def location(self) -> str:
        """The URL without its password and options."""
        return location(self._url)

    @cached_property
    def _url(self) -> sa.URL:
        return parse_url(self.url, "OPTUNA_STORAGE_URL")

    @cached_property
    def _storage(self) -> RDBStorage:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        file = sqlite_file(self._url)
        if file:
            file.parent.mkdir(parents=True, exist_ok=True)
        # A fit may take longer than a server keeps an idle connection.
        options = {} if file else {"pool_pre_ping": True}
        return RDBStorage(
            self._url.render_as_string(hide_password=False),
            engine_kwargs=options | {"hide_parameters": True},
        )

    def _alone(self, name: str, log: logging.Logger) -> AbstractContextManager[object]:
        """Hold the lock of a study."""
        lock = f"credit_ct.study.{blake2b(name.encode(), digest_size=8).hexdigest()}"
        message = "Another run searches with the same rows and configuration: waiting"
        return alone(self._url, lock, waiting=lambda: log.info(message))

    @contextmanager
    def _failures_told(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, StorageInternalError) as error:
            cause = error.__cause__ if isinstance(error, StorageInternalError) else error
            raise UnavailableError(
                f"Optuna's storage at {location(self._url)} does not answer: {said_by(cause)}."
                " Check that it runs and that OPTUNA_STORAGE_URL is right, then try again:"
                " finished trials are kept."
            ) from error

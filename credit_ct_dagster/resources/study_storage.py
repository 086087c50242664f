"""Optuna's studies: what a search has tried, for its next attempt and for other machines."""

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING
from uuid import uuid4

import dagster as dg
from pydantic import Field

from credit_ct_dagster.databases import location, parse_url, sqlite_file
from credit_ct_dagster.errors.models import ForeignStudyError
from credit_ct_dagster.locks import exclusive
from credit_ct_dagster.outages import Dependency, translated

# Optuna takes a second to import, and the definitions import this module: methods import it.
if TYPE_CHECKING:
    import optuna
    import sqlalchemy as sa
    from optuna.storages import RDBStorage

    from credit_ct_dagster.modeling.search.search_space import TuningParameters

_SEARCH_ID = "search_id"


def study_name(model_name: str, base_dt: str, fingerprint: str) -> str:
    """The name of a study.

    Args:
        model_name: The model that is searched for.
        base_dt: The base date.
        fingerprint: A hash of the rows and of all that decides how a trial ends.
    """
    return f"{model_name}/{base_dt}/{fingerprint}"


def search_id(study: "optuna.Study") -> str:
    """Identifies a search through all its attempts; one that is started anew gets another id."""
    return str(study.user_attrs[_SEARCH_ID])


class StudyStorage(dg.ConfigurableResource):
    """The database in which Optuna stores studies."""

    url: str = Field(
        description="SQLAlchemy URL of the SQLite, MySQL or MariaDB database that stores studies;"
        " workers on other machines need the same one"
    )

    @contextmanager
    def open(
        self, name: str, parameters: "TuningParameters", log: logging.Logger, *, anew: bool = False
    ) -> "Iterator[optuna.Study]":
        """Open a study, or create it; one process at a time has it open, others wait.

        Args:
            name: Identifies the rows and all that decides how a trial ends, so that the trials of
                earlier attempts are valid for this one.
            parameters: The search.
            log: Reports that another process has the study open.
            anew: Delete the trials of earlier attempts.

        Raises:
            StudyStorageUnavailableError: The database does not answer.
        """
        import optuna

        with self._translated(), self._exclusive(name, log):
            if anew and name in optuna.get_all_study_names(self._storage):
                optuna.delete_study(study_name=name, storage=self._storage)
            study = optuna.create_study(
                study_name=name, storage=self._storage, direction="minimize", load_if_exists=True
            )
            study.sampler = parameters.optuna_sampler(len(study.get_trials(deepcopy=False)))
            if _SEARCH_ID not in study.user_attrs:
                study.set_user_attr(_SEARCH_ID, uuid4().hex)
            yield study

    def join(self, name: str) -> "optuna.Study":
        """A study that another process has open, and whose trials it shares.

        Raises:
            ForeignStudyError: This storage has no such study.
            StudyStorageUnavailableError: The database does not answer.
        """
        import optuna

        with self._translated():
            try:
                return optuna.load_study(study_name=name, storage=self._storage)
            except KeyError:
                raise ForeignStudyError(
                    f"The Optuna storage of this worker, {self.location}, is not that of the run:"
                    " set OPTUNA_STORAGE_URL, ARTIFACTS_PATH and MLFLOW_TRACKING_URI of Dask"
                    " workers as those of the run."
                ) from None

    def names(self, model_name: str) -> dict[str, list[str]]:
        """Per base date, the names of a model's studies.

        Raises:
            StudyStorageUnavailableError: The database does not answer.
        """
        import optuna

        found: dict[str, list[str]] = {}
        with self._translated():
            for name in optuna.get_all_study_names(self._storage):
                model, _, rest = name.partition("/")
                if model == model_name:
                    found.setdefault(rest.partition("/")[0], []).append(name)
        return found

    def delete(self, name: str, log: logging.Logger) -> None:
        """Delete a study with its trials, if it exists, once no process has it open.

        Raises:
            StudyStorageUnavailableError: The database does not answer.
        """
        import optuna

        with self._translated(), self._exclusive(name, log), suppress(KeyError):
            optuna.delete_study(study_name=name, storage=self._storage)

    @property
    def location(self) -> str:
        """The URL without its password and options."""
        return location(self._url)

    @cached_property
    def _url(self) -> "sa.URL":
        return parse_url(self.url, "OPTUNA_STORAGE_URL")

    @cached_property
    def _storage(self) -> "RDBStorage":
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        file = sqlite_file(self._url)
        if file:
            file.parent.mkdir(parents=True, exist_ok=True)
        # A fit may take longer than a server keeps an idle connection open.
        options = {} if file else {"pool_pre_ping": True}
        return optuna.storages.RDBStorage(
            self._url.render_as_string(hide_password=False),
            engine_kwargs=options | {"hide_parameters": True},
        )

    def _exclusive(self, name: str, log: logging.Logger) -> AbstractContextManager[object]:
        """Hold the exclusive lock of a study."""
        lock = f"credit_ct.study.{blake2b(name.encode(), digest_size=8).hexdigest()}"
        message = "Another run searches with the same rows and configuration: waiting for it to end"
        return exclusive(self._url, lock, waiting=lambda: log.info(message))

    def _translated(self) -> AbstractContextManager[None]:
        return translated(Dependency.studies, self.location)

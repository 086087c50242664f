"""Studies: across attempts, processes and databases."""

import logging
from collections.abc import Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from credit_ct_dagster import locks
from credit_ct_dagster.errors.models import ForeignStudyError, StudyStorageUnavailableError
from credit_ct_dagster.modeling.search.search_space import TuningParameters
from credit_ct_dagster.resources.study_storage import StudyStorage, search_id
from credit_ct_dagster_tests.processes import hold_study, started, warm

_LOG = logging.getLogger(__name__)
_PARAMETERS = TuningParameters()


@pytest.fixture
def storage(store_url: str) -> StudyStorage:
    """An empty database of each kind in turn."""
    return StudyStorage(url=store_url)


def test_a_study_is_found_again_until_started_anew(storage: StudyStorage) -> None:
    """With its trials, and the same identity."""
    with storage.open("m/2025-01-31/abc", _PARAMETERS, _LOG) as study:
        first = search_id(study)
        study.tell(study.ask(_PARAMETERS.distributions()), 0.5)
    with StudyStorage(url=storage.url).open("m/2025-01-31/abc", _PARAMETERS, _LOG) as study:
        assert search_id(study) == first
        assert [trial.value for trial in study.trials] == [0.5]
    with storage.open("m/2025-01-30/abc", _PARAMETERS, _LOG) as other:
        assert other.trials == []
    with storage.open("m/2025-01-31/abc", _PARAMETERS, _LOG, anew=True) as study:
        assert study.trials == []
        assert search_id(study) != first


def test_a_worker_joins_a_study_that_exists(storage: StudyStorage) -> None:
    """The error names the variables to set when its own storage has none."""
    with storage.open("shared", _PARAMETERS, _LOG) as study:
        trial = study.ask(_PARAMETERS.distributions())
        joined = StudyStorage(url=storage.url).join("shared")
        assert joined.trials[0].params == trial.params
    with pytest.raises(ForeignStudyError, match="set OPTUNA_STORAGE_URL"):
        storage.join("another")


@pytest.fixture
def holder(store_url: str) -> Iterator[BaseProcess]:
    """Another process that has the study open."""
    opened = warm().Event()
    with started(hold_study, store_url, "one", opened) as process:
        assert opened.wait(60), "the other process did not open the study"
        yield process


class _KillsHolder(logging.Handler):
    """Kills a process at the first message."""

    def __init__(self, holder: BaseProcess) -> None:
        super().__init__()
        self.messages: list[str] = []
        self._holder = holder

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())
        self._holder.kill()


def test_one_process_at_a_time_and_a_killed_one_releases_it(
    store_url: str, holder: BaseProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one waits, and logs why; other studies are not held up."""
    monkeypatch.setattr(locks, "_WAIT_SECONDS", 1)
    storage, log, kills = StudyStorage(url=store_url), logging.Logger("a run"), _KillsHolder(holder)
    log.addHandler(kills)
    with storage.open("two", _PARAMETERS, _LOG):
        pass
    with storage.open("one", _PARAMETERS, log):
        assert kills.messages
        assert all("waiting for it to end" in message for message in kills.messages)
    assert list(Path.cwd().rglob("*credit_ct.study*")) == []


def test_a_database_that_is_down_is_explained_without_its_password() -> None:
    """The sentence names the storage and the variable."""
    storage = StudyStorage(url="mysql+pymysql://u:hush@127.0.0.1:1/optuna")
    with (
        pytest.raises(StudyStorageUnavailableError, match="OPTUNA_STORAGE_URL") as caught,
        storage.open("one", _PARAMETERS, _LOG),
    ):
        pass
    assert "hush" not in str(caught.value)

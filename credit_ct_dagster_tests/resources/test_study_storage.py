"""Where studies are kept: across attempts, processes and databases."""

import logging
import multiprocessing
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from credit_ct_dagster import databases
from credit_ct_dagster.errors import CreditCtError, UnavailableError
from credit_ct_dagster.modeling.search_space import TuningParameters
from credit_ct_dagster.resources.study_storage import StudyStorage, search_id

_LOG = logging.getLogger(__name__)
_PARAMETERS = TuningParameters()


@pytest.fixture
def storage(store_url: str) -> StudyStorage:
    """An empty database of each kind in turn."""
    return StudyStorage(url=store_url)


def test_a_study_is_there_again_until_begun_afresh(storage: StudyStorage) -> None:
    """With its trials, and the same identity."""
    with storage.open("m/2025-01-31/abc", _PARAMETERS, _LOG) as study:
        first = search_id(study)
        study.tell(study.ask(_PARAMETERS.distributions()), 0.5)
    with StudyStorage(url=storage.url).open("m/2025-01-31/abc", _PARAMETERS, _LOG) as study:
        assert search_id(study) == first
        assert [trial.value for trial in study.trials] == [0.5]
    with storage.open("m/2025-01-30/abc", _PARAMETERS, _LOG) as other:
        assert other.trials == []
    with storage.open("m/2025-01-31/abc", _PARAMETERS, _LOG, afresh=True) as study:
        assert study.trials == []
        assert search_id(study) != first


def test_a_worker_joins_a_study_that_exists(storage: StudyStorage) -> None:
    """And says what to set when its own storage does not hold it."""
    with storage.open("shared", _PARAMETERS, _LOG) as study:
        trial = study.ask(_PARAMETERS.distributions())
        joined = StudyStorage(url=storage.url).join("shared")
        assert joined.trials[0].params == trial.params
    with pytest.raises(CreditCtError, match="set OPTUNA_STORAGE_URL"):
        storage.join("another")


def _hold(url: str, opened: "multiprocessing.synchronize.Event") -> None:
    with StudyStorage(url=url).open("one", _PARAMETERS, _LOG):
        opened.set()
        time.sleep(600)


@pytest.fixture
def holder(store_url: str) -> Iterator[multiprocessing.process.BaseProcess]:
    """Another process that has the study open."""
    spawn = multiprocessing.get_context("spawn")
    opened = spawn.Event()
    process = spawn.Process(target=_hold, args=(store_url, opened), daemon=True)
    process.start()
    assert opened.wait(60)
    yield process
    process.kill()
    process.join()


def test_one_process_at_a_time_and_a_killed_one_frees_it(
    store_url: str,
    holder: multiprocessing.process.BaseProcess,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The second waits, and says so; other studies are not held up."""
    monkeypatch.setattr(databases, "_WAIT_SECONDS", 1)
    storage, freed = StudyStorage(url=store_url), []

    class _Log(logging.Logger):
        def info(self, *args: object, **kwargs: object) -> None:
            freed.append(args[0])
            holder.kill()

    with storage.open("two", _PARAMETERS, _LOG):
        pass
    with storage.open("one", _PARAMETERS, _Log("waiting")):
        assert freed
        assert all("waiting" in str(said) for said in freed)
    assert list(Path.cwd().rglob("*credit_ct.study*")) == []


@pytest.mark.parametrize("port", [1])
def test_a_database_that_is_down_is_told_without_its_password(port: int) -> None:
    """The sentence names the storage and the variable."""
    storage = StudyStorage(url=f"mysql+pymysql://u:hush@127.0.0.1:{port}/optuna")
    with pytest.raises(UnavailableError, match="OPTUNA_STORAGE_URL") as told, \
            storage.open("one", _PARAMETERS, _LOG):  # fmt: skip
        pass
    assert "hush" not in str(told.value)

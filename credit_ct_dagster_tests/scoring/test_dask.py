"""Customers scored on Dask workers: a real scheduler and worker processes over TCP."""

import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from multiprocessing.process import BaseProcess
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy as sa
from distributed import Client

from credit_ct_dagster import dask_scheduler
from credit_ct_dagster.errors.inputs import RunConfigError
from credit_ct_dagster.errors.models import DaskUnavailableError
from credit_ct_dagster.errors.stores import FeatureStoreError
from credit_ct_dagster.resources.feature_store.rows_to_score import Customers
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.scoring import dask_workers
from credit_ct_dagster.scoring.scoring import PinnedModel, ScoringRequest, score_customers
from credit_ct_dagster_tests.processes import serve_scheduler, serve_worker, started
from credit_ct_dagster_tests.scoring.customers import DAY, MODEL, ROWS, execute, scores_of
from credit_ct_dagster_tests.servers import free_port

_LOG = logging.getLogger(__name__)
_ON_MARIADB = pytest.mark.parametrize("store_url", ["mariadb"], indirect=True)
_ON_SQLITE = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
_PATIENCE = 90  # seconds, on a machine that does much else

pytestmark = [
    pytest.mark.integration,
    # distributed 2026.8 leaves sockets and loops to the garbage collector when a client closes.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


class _Cluster:
    """A scheduler and its workers, each a process that knows the feature store by itself."""

    def __init__(self, folder: Path, processes: ExitStack) -> None:
        self._folder, self._processes = folder, processes
        port = free_port()
        self.address = f"tcp://127.0.0.1:{port}"
        processes.enter_context(started(serve_scheduler, port, folder / "scheduler.log"))

    def start_worker(self, name: str, url: str) -> BaseProcess:
        return self._processes.enter_context(
            started(serve_worker, self.address, name, self._folder, {"FEATURE_STORE_URL": url})
        )

    def wait_for(self, workers: int) -> None:
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                client = Client(self.address, timeout=5, set_as_default=False)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
        with client:
            client.wait_for_workers(workers, timeout=_PATIENCE)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[_Cluster]:
    """A scheduler without workers."""
    with ExitStack() as processes:
        yield _Cluster(tmp_path, processes)


def _request(scheduler: str | None = None, chunk_rows: int = 30) -> ScoringRequest:
    return ScoringRequest(
        model_name=MODEL,
        base_dt=DAY,
        customers=Customers.of_base_date,
        reasons=True,
        chunk_rows=chunk_rows,
        max_quarantined_share=0.02,
        dagster_run_id="run",
        scheduler=scheduler,
    )


class _Blocked(logging.Handler):
    """Nobody can read the features any more, as soon as the run knows which ranges there are."""

    def __init__(self, store: FeatureStore) -> None:
        super().__init__()
        self._engine = sa.create_engine(store.url, poolclass=sa.NullPool)
        self._holder: sa.Connection | None = None

    def emit(self, record: logging.LogRecord) -> None:
        if "feature rows to score" in record.getMessage():
            self._holder = self._engine.connect()
            self._holder.exec_driver_sql("LOCK TABLES credit_score_features WRITE")

    def wait_for_a_reader(self) -> None:
        """Until somebody is inside of a range."""
        waiting = sa.text(
            "SELECT COUNT(*) FROM information_schema.processlist"
            " WHERE db = DATABASE() AND state LIKE 'Waiting for table%'"
        )
        deadline = time.monotonic() + _PATIENCE
        with self._engine.connect() as connection:
            while not connection.scalar(waiting):
                assert time.monotonic() < deadline, "no worker began a range"
                time.sleep(0.05)

    def unlock_table(self) -> None:
        """Everybody can read them again."""
        assert self._holder is not None
        self._holder.close()


@_ON_MARIADB
def test_workers_score_what_one_process_scores_and_one_may_die_inside_a_range(
    store: FeatureStore, model: PinnedModel, cluster: _Cluster
) -> None:
    """The same rows and the same quarantine; ranges of a killed worker are scored by others."""
    execute(store, f"UPDATE credit_score_features SET age = 900 WHERE id = '{_first_id(store)}'")
    local = score_customers(_request(), model, store.database, _LOG)
    expected = scores_of(store).drop(columns="scored_at")
    doomed = cluster.start_worker("doomed", store.url)
    cluster.wait_for(1)
    blocked, log = _Blocked(store), logging.Logger("observed")
    log.addHandler(blocked)
    with ThreadPoolExecutor(1) as thread:
        scoring = thread.submit(
            score_customers, _request(cluster.address, 10), model, store.database, log
        )
        blocked.wait_for_a_reader()
        doomed.kill()
        doomed.join()
        assert not scoring.done()
        blocked.unlock_table()
        for name in ("second", "third"):
            cluster.start_worker(name, store.url)
        shared = scoring.result(_PATIENCE)
    assert shared.summary.rows == ROWS - 1
    pd.testing.assert_frame_equal(scores_of(store).drop(columns="scored_at"), expected)
    pd.testing.assert_frame_equal(shared.quarantined, local.quarantined)
    unlike = {"seconds", "scored_at"}
    assert shared.summary.model_dump(exclude=unlike) == local.summary.model_dump(exclude=unlike)


def _first_id(store: FeatureStore) -> str:
    with store.database.transaction() as connection:
        query = "SELECT MIN(id) FROM credit_score_features"
        return str(connection.exec_driver_sql(query).scalar())


@_ON_SQLITE
def test_a_scheduler_without_workers_is_an_outage(
    store: FeatureStore, model: PinnedModel, cluster: _Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a while, with what to do; nothing was written."""
    monkeypatch.setattr(dask_scheduler, "_NO_WORKER_SECONDS", 0)
    monkeypatch.setattr(dask_workers, "_LOOK_SECONDS", 0.1)
    with pytest.raises(DaskUnavailableError, match="has had no worker for"):
        score_customers(_request(cluster.address), model, store.database, _LOG)


@_ON_SQLITE
def test_a_worker_without_the_feature_store_is_reported(
    store: FeatureStore, model: PinnedModel, cluster: _Cluster
) -> None:
    """By the worker's own sentence."""
    cluster.start_worker("lost", "sqlite:///elsewhere.db")
    cluster.wait_for(1)
    with pytest.raises(FeatureStoreError, match=r"elsewhere.db has no table credit_score"):
        score_customers(_request(cluster.address), model, store.database, _LOG)


@_ON_SQLITE
def test_an_address_that_is_none_is_refused(store: FeatureStore, model: PinnedModel) -> None:
    """With the variable."""
    with pytest.raises(RunConfigError, match="DASK_SCHEDULER_ADDRESS"):
        score_customers(_request("no address"), model, store.database, _LOG)

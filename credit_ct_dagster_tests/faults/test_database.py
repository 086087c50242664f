"""MariaDB is killed inside the merge, inside the read, and during the search; then it is back."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from credit_ct_dagster.locks import base_date_lock_name
from credit_ct_dagster_tests.end_state import check_same_results
from credit_ct_dagster_tests.faults.attempts import Attempt, Start, report, run_again
from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.platform import BASE_DT, Platform

_DOWN_SECONDS = 10
_WAIT_SECONDS = 45
_WAITS_FOR_A_ROW = """
    SELECT COUNT(*) FROM information_schema.innodb_trx
    WHERE trx_state = 'LOCK WAIT' AND trx_query LIKE '%INSERT INTO credit_score_features_target%'
"""
_WAITS_FOR_A_TABLE = """
    SELECT COUNT(*) FROM information_schema.processlist
    WHERE state = 'Waiting for table metadata lock'
        AND info LIKE '%SELECT%credit_score_features_target%'
"""


@contextmanager
def _connected(url: str) -> Iterator[sa.Connection]:
    """A connection of its own, whose server may die."""
    engine = sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    connection = engine.connect()
    try:
        yield connection
    finally:
        connection.invalidate()
        connection.close()


def _until_it_waits(url: str, question: str, attempt: Attempt) -> None:
    """Until the run is inside a statement, and waits there."""
    with _connected(url) as other:
        deadline = time.monotonic() + _WAIT_SECONDS
        while not other.exec_driver_sql(question.replace("%", "%%")).scalar():
            assert attempt.process.poll() is None, attempt.said
            assert time.monotonic() < deadline, attempt.said
            time.sleep(0.2)


def _holder(platform: Platform) -> int | None:
    """The connection that holds the lock of the base date."""
    with _connected(platform.url) as other:
        return other.scalar(sa.select(sa.func.is_used_lock(base_date_lock_name(BASE_DT))))


def test_killed_inside_the_merge(
    disturbed_on_mariadb: Platform,
    undisturbed_on_mariadb: Platform,
    durable_mariadb: MariaDB,
    start: Start,
) -> None:
    """The old rows are deleted and the new ones half inserted: the old ones stay."""
    platform, server = disturbed_on_mariadb, durable_mariadb
    platform.store.merge(BASE_DT)
    before = platform.store.row_counts()
    with _connected(platform.url) as rival:
        rival.exec_driver_sql("BEGIN")
        rival.exec_driver_sql("SELECT id FROM credit_score_features FOR UPDATE")
        attempt = start(platform)
        _until_it_waits(platform.url, _WAITS_FOR_A_ROW, attempt)
        os.killpg(attempt.process.pid, signal.SIGSTOP)  # so that it does not merge again at once
        server.kill()
    server.start()
    assert platform.store.row_counts() == before
    os.killpg(attempt.process.pid, signal.SIGCONT)
    back = time.perf_counter()
    assert attempt.ended() == 0, attempt.said
    assert "features_target: Base date 2025-03-10: The feature store at" in attempt.said
    check_same_results(platform, undisturbed_on_mariadb)
    report("MariaDB killed inside the merge's `INSERT`", f"the {before[BASE_DT]:,} old rows",
           "the step tried again by itself", time.perf_counter() - back)  # fmt: skip


def test_killed_inside_the_read(
    disturbed_on_mariadb: Platform,
    undisturbed_on_mariadb: Platform,
    durable_mariadb: MariaDB,
    start: Start,
) -> None:
    """The step reads again; nothing of the first attempt was written."""
    platform, server = disturbed_on_mariadb, durable_mariadb
    platform.store.merge(BASE_DT)
    with _connected(platform.url) as rival:
        rival.exec_driver_sql("LOCK TABLES credit_score_features_target WRITE")
        attempt = start(
            platform,
            "dagster", "asset", "materialize", "-m", "credit_ct_dagster.definitions",
            "--select", "preprocessed_splits,robust_scalers", "--partition", BASE_DT,
        )  # fmt: skip
        _until_it_waits(platform.url, _WAITS_FOR_A_TABLE, attempt)
        server.kill()
    assert not (platform.folder / "artifacts").exists()
    time.sleep(_DOWN_SECONDS)
    server.start()
    back = time.perf_counter()
    code = attempt.process.wait(120)
    assert code == 0, attempt.said
    assert "Reading mysql+pymysql://" in attempt.said
    seconds = time.perf_counter() - back
    run_again(start, platform)
    check_same_results(platform, undisturbed_on_mariadb)
    report(f"MariaDB killed inside the read, {_DOWN_SECONDS} s", "no splits yet",
           "the step tried again by itself", seconds)  # fmt: skip


def test_killed_during_the_search(
    disturbed_on_mariadb: Platform,
    undisturbed_on_mariadb: Platform,
    durable_mariadb: MariaDB,
    start: Start,
) -> None:
    """Finished trials are kept, and the base date is locked again while the rest is fitted."""
    platform, server = disturbed_on_mariadb, durable_mariadb
    attempt = start(platform, OPTUNA_STORAGE_URL=platform.url)
    attempt.until_said("1/4 done")
    locked_by = _holder(platform)
    assert locked_by is not None
    server.kill()
    time.sleep(_DOWN_SECONDS)
    server.start()
    back = time.perf_counter()
    attempt.until_said("trials of an earlier search are kept")
    assert _holder(platform) is not None
    assert attempt.ended() == 0, attempt.said
    assert "Optuna's storage at" in attempt.said
    assert _holder(platform) is None
    check_same_results(platform, undisturbed_on_mariadb)
    report(f"MariaDB killed during the search, {_DOWN_SECONDS} s", "the first trial was kept",
           "the step tried again by itself, with its lock", time.perf_counter() - back)  # fmt: skip

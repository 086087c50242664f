"""MariaDB is killed inside the merge, inside the read or during the search, and restarted."""

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
    """A separate connection, whose server may be killed."""
    engine = sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    connection = engine.connect()
    try:
        yield connection
    finally:
        connection.invalidate()
        connection.close()


def _until_it_waits(url: str, waiting: str, attempt: Attempt) -> None:
    """Wait until the run is blocked inside a statement, which a query counts."""
    with _connected(url) as other:
        deadline = time.monotonic() + _WAIT_SECONDS
        while not other.exec_driver_sql(waiting.replace("%", "%%")).scalar():
            assert attempt.process.poll() is None, attempt.output
            assert time.monotonic() < deadline, attempt.output
            time.sleep(0.2)


def _holder(platform: Platform) -> int | None:
    """The id of the connection that holds the lock of the base date."""
    with _connected(platform.url) as other:
        return other.scalar(sa.select(sa.func.is_used_lock(base_date_lock_name(BASE_DT))))


def test_killed_inside_the_merge(
    disturbed_on_mariadb: Platform,
    undisturbed_on_mariadb: Platform,
    durable_mariadb: MariaDB,
    start: Start,
) -> None:
    """The old rows were deleted and only some new ones inserted: it is rolled back and retried."""
    platform, server = disturbed_on_mariadb, durable_mariadb
    platform.store.merge(BASE_DT)
    before = platform.store.row_counts()
    with _connected(platform.url) as blocker:
        blocker.exec_driver_sql("BEGIN")
        blocker.exec_driver_sql("SELECT id FROM credit_score_features FOR UPDATE")
        attempt = start(platform)
        _until_it_waits(platform.url, _WAITS_FOR_A_ROW, attempt)
        os.killpg(attempt.process.pid, signal.SIGSTOP)  # so that it does not retry at once
        server.kill()
    server.start()
    assert platform.store.row_counts() == before
    os.killpg(attempt.process.pid, signal.SIGCONT)
    restarted = time.perf_counter()
    assert attempt.exit_code() == 0, attempt.output
    assert "features_target: Base date 2025-03-10: The feature store at" in attempt.output
    check_same_results(platform, undisturbed_on_mariadb)
    report(
        "MariaDB killed inside the merge's `INSERT`",
        f"its {before[BASE_DT]:,} old rows were present when it was back",
        "the step was retried automatically",
        time.perf_counter() - restarted,
    )


def test_killed_inside_the_read(
    disturbed_on_mariadb: Platform,
    undisturbed_on_mariadb: Platform,
    durable_mariadb: MariaDB,
    start: Start,
) -> None:
    """The step is retried; the first attempt wrote nothing."""
    platform, server = disturbed_on_mariadb, durable_mariadb
    platform.store.merge(BASE_DT)
    with _connected(platform.url) as blocker:
        blocker.exec_driver_sql("LOCK TABLES credit_score_features_target WRITE")
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
    restarted = time.perf_counter()
    code = attempt.process.wait(120)
    assert code == 0, attempt.output
    assert "Reading the feature store at mysql+pymysql://" in attempt.output
    seconds = time.perf_counter() - restarted
    run_again(start, platform)
    check_same_results(platform, undisturbed_on_mariadb)
    report(f"MariaDB killed inside the read, {_DOWN_SECONDS} s", "no file had been written",
           "the step was retried automatically", seconds)  # fmt: skip


def test_killed_during_the_search(
    disturbed_on_mariadb: Platform,
    undisturbed_on_mariadb: Platform,
    durable_mariadb: MariaDB,
    start: Start,
) -> None:
    """Finished trials are retained, and the base date is locked again while others are fitted."""
    platform, server = disturbed_on_mariadb, durable_mariadb
    attempt = start(platform, OPTUNA_STORAGE_URL=platform.url)
    attempt.until_printed("1/4 done")
    assert _holder(platform) is not None
    server.kill()
    time.sleep(_DOWN_SECONDS)
    server.start()
    restarted = time.perf_counter()
    attempt.until_printed("trials of an earlier attempt are retained")
    assert _holder(platform) is not None
    assert attempt.exit_code() == 0, attempt.output
    assert "Optuna's storage at" in attempt.output
    assert _holder(platform) is None
    check_same_results(platform, undisturbed_on_mariadb)
    report(
        f"MariaDB killed during the search, {_DOWN_SECONDS} s",
        "the first trial was retained; the run took its lock again",
        "the step was retried automatically",
        time.perf_counter() - restarted,
    )

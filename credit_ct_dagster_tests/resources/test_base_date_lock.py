"""One run at a time works on a base date, and its rows do not expire meanwhile."""

import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import dagster as dg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from credit_ct_dagster.locks import base_date_lock_name, exclusive
from credit_ct_dagster.resources.base_date_lock import BaseDateLock
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.network import Proxy
from credit_ct_dagster_tests.platform import BASE_DT, failure_of, load_sample_rows

pytestmark = pytest.mark.integration

_HOLDER = """
    import sys
    import sqlalchemy as sa
    from credit_ct_dagster.locks import base_date_lock_name, exclusive
    url, base_dt = sys.argv[1:]
    lock = base_date_lock_name(base_dt)
    with exclusive(sa.make_url(url), lock, lambda: print("waiting", flush=True)):
        print("held", flush=True)
        sys.stdin.readline()
"""


@contextmanager
def _process(url: str, base_dt: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that works on a base date, as soon as it may, until it is killed."""
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(_HOLDER), url, base_dt],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def _printed_by(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _run(url: str, instance: dg.DagsterInstance, base_dt: str) -> dg.ExecuteInProcessResult:
    """A run that needs the lock."""

    @dg.op
    def work(lock: BaseDateLock) -> None: ...

    @dg.job
    def job() -> None:
        work()

    return job.execute_in_process(
        instance=instance,
        resources={"lock": BaseDateLock(url=url)},
        tags={"dagster/partition": base_dt},
        raise_on_error=False,
    )


def test_a_second_run_of_a_base_date_waits(store_url: str, instance: dg.DagsterInstance) -> None:
    """For the first to end, or to be killed; runs of other base dates do not wait."""
    with _process(store_url, BASE_DT) as first:
        assert _printed_by(first) == "held"
        assert _run(store_url, instance, "2025-03-09").success
        with _process(store_url, BASE_DT) as second, ThreadPoolExecutor(1) as thread:
            printed = thread.submit(_printed_by, second)
            with pytest.raises(TimeoutError):
                printed.result(timeout=4)
            first.kill()
            assert printed.result() == "held", "a killed process still holds the lock"
    assert _run(store_url, instance, BASE_DT).success


@pytest.mark.parametrize("options", ["", "?ssl_ca=nowhere.pem"])
def test_a_server_that_does_not_answer_is_reported_in_a_sentence(
    instance: dg.DagsterInstance, options: str
) -> None:
    """Down, or its certificate is missing: no name of a Python class, and no password."""
    url = f"mysql+pymysql://ct:hush@127.0.0.1:1/mlops{options}"
    reason = failure_of(_run(url, instance, BASE_DT))
    assert reason.startswith(
        f"Base date {BASE_DT}: The database at mysql+pymysql://ct:***@127.0.0.1:1/mlops, which"
        " keeps the lock for the base date, does not answer: "
    )
    assert "FEATURE_STORE_URL" in reason
    assert reason.endswith("See CT-LOCK-1: docs/runbook.md#ct-lock-1")
    assert "hush" not in reason


def test_a_run_takes_a_lost_lock_again(mariadb: MariaDB) -> None:
    """Its connection was lost, and at first the server as well; then it holds the lock again."""
    direct = sa.make_url(mariadb.new_database())
    with Proxy.running(mariadb.port) as proxy:
        url = direct.set(port=proxy.port)
        with (
            exclusive(url, base_date_lock_name(BASE_DT), lambda: None) as ensure_held,
            sa.create_engine(direct, poolclass=sa.NullPool).connect() as other,
        ):
            holder = sa.select(sa.func.is_used_lock(base_date_lock_name(BASE_DT)))
            first = other.scalar(holder)
            ensure_held()
            assert other.scalar(holder) == first
            proxy.tear(after=0, seconds=1)
            with pytest.raises(OperationalError):
                ensure_held()
            assert other.scalar(holder) is None
            time.sleep(1)
            ensure_held()
            assert other.scalar(holder) not in {None, first}


def test_a_lost_connection_blocks_nobody(mariadb: MariaDB) -> None:
    """The server has not noticed, and would hold its lock for hours."""
    direct, waits = sa.make_url(mariadb.new_database()), []
    with Proxy.running(mariadb.port) as proxy:
        url = direct.set(port=proxy.port)
        with (
            exclusive(url, base_date_lock_name(BASE_DT), lambda: waits.append(1)) as ensure_held,
            sa.create_engine(direct, poolclass=sa.NullPool).connect() as other,
        ):
            holder = sa.select(sa.func.is_used_lock(base_date_lock_name(BASE_DT)))
            first = other.scalar(holder)
            proxy.forget()
            assert other.scalar(holder) == first
            ensure_held()
            assert other.scalar(holder) not in {None, first}
            assert waits == []


def test_rows_do_not_expire_while_a_run_works_on_them(store_url: str) -> None:
    """Retention passes over a base date in use, and deletes it with the next merge."""
    store = FeatureStore(url=store_url)
    load_sample_rows(store)
    store.merge("2025-02-20")
    with _process(store_url, "2025-02-20") as run:
        assert _printed_by(run) == "held"
        assert store.merge(BASE_DT).expired == {}
        assert set(store.row_counts()) == {"2025-02-20", BASE_DT}
    assert set(store.merge(BASE_DT).expired) == {"2025-02-20"}
    assert set(store.row_counts()) == {BASE_DT}

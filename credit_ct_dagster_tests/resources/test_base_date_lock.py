"""One run at a time works on a base date, and its rows stay while it does."""

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

from credit_ct_dagster.databases import alone, base_date_lock
from credit_ct_dagster.resources.base_date_lock import BaseDateLock
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.network import Proxy
from credit_ct_dagster_tests.platform import BASE_DT, failure_of, load_sample_rows

_HOLDER = """
    import sys
    import sqlalchemy as sa
    from credit_ct_dagster.databases import alone, base_date_lock
    url, base_dt = sys.argv[1:]
    with alone(sa.make_url(url), base_date_lock(base_dt), lambda: print("waiting", flush=True)):
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


def _says(process: subprocess.Popen[str]) -> str:
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
        assert _says(first) == "held"
        assert _run(store_url, instance, "2025-03-09").success
        with _process(store_url, BASE_DT) as second, ThreadPoolExecutor(1) as thread:
            said = thread.submit(_says, second)
            with pytest.raises(TimeoutError):
                said.result(timeout=4)
            first.kill()
            assert said.result() == "held", "a killed process kept the lock"
    assert _run(store_url, instance, BASE_DT).success


@pytest.mark.parametrize("options", ["", "?ssl_ca=nowhere.pem"])
def test_a_server_that_cannot_be_asked_is_told_as_a_sentence(
    instance: dg.DagsterInstance, options: str
) -> None:
    """Down, or its certificate is not there: no name of a Python class, and no password."""
    url = f"mysql+pymysql://ct:hush@127.0.0.1:1/mlops{options}"
    said = failure_of(_run(url, instance, BASE_DT))
    assert said.startswith(
        f"Base date {BASE_DT}: the database at mysql+pymysql://ct:***@127.0.0.1:1/mlops, whose"
        " lock a run needs, does not answer: "
    )
    assert "FEATURE_STORE_URL" in said
    assert "hush" not in said


def test_a_run_takes_a_lost_lock_again(mariadb: MariaDB) -> None:
    """Its connection is gone, and at first so is the server; then the run goes on alone."""
    direct = sa.make_url(mariadb.new_database())
    with Proxy.running(mariadb.port) as proxy:
        url = direct.set(port=proxy.port)
        with (
            alone(url, base_date_lock(BASE_DT), lambda: None) as keep,
            sa.create_engine(direct, poolclass=sa.NullPool).connect() as other,
        ):
            holder = sa.select(sa.func.is_used_lock(base_date_lock(BASE_DT)))
            first = other.scalar(holder)
            keep()
            assert other.scalar(holder) == first
            proxy.tear(after=0, seconds=1)
            with pytest.raises(OperationalError):
                keep()
            assert other.scalar(holder) is None
            time.sleep(1)
            keep()
            assert other.scalar(holder) not in {None, first}


def test_a_lost_connection_keeps_nobody_waiting(mariadb: MariaDB) -> None:
    """The server still believes in it, and would keep its lock for hours."""
    direct, waits = sa.make_url(mariadb.new_database()), []
    with Proxy.running(mariadb.port) as proxy:
        url = direct.set(port=proxy.port)
        with (
            alone(url, base_date_lock(BASE_DT), lambda: waits.append(1)) as keep,
            sa.create_engine(direct, poolclass=sa.NullPool).connect() as other,
        ):
            holder = sa.select(sa.func.is_used_lock(base_date_lock(BASE_DT)))
            first = other.scalar(holder)
            proxy.forget()
            assert other.scalar(holder) == first
            keep()
            assert other.scalar(holder) not in {None, first}
            assert waits == []


def test_rows_stay_while_a_run_works_on_them(store_url: str) -> None:
    """Retention passes over a base date in use, and deletes it with the next merge."""
    store = FeatureStore(url=store_url)
    load_sample_rows(store)
    store.merge("2025-02-20")
    with _process(store_url, "2025-02-20") as run:
        assert _says(run) == "held"
        assert store.merge(BASE_DT).expired == {}
        assert set(store.row_counts()) == {"2025-02-20", BASE_DT}
    assert set(store.merge(BASE_DT).expired) == {"2025-02-20"}
    assert set(store.row_counts()) == {BASE_DT}

"""TLS to MySQL by the parameters of URLs, against a real server with a certificate of its own."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from dagster_mysql.run_storage import MySQLRunStorage

from credit_ct_dagster.errors.stores import FeatureStoreError
from credit_ct_dagster.modeling.search.search_space import TuningParameters
from credit_ct_dagster.resources.feature_store.store import FeatureStore
from credit_ct_dagster.resources.study_storage import StudyStorage
from credit_ct_dagster_tests.certificates import self_signed
from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.platform import BASE_DT, load_sample_rows


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The server's."""
    return self_signed(tmp_path_factory.mktemp("certificate"), "server")


@pytest.fixture(scope="module")
def server(
    mariadb: MariaDB, certificate: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MariaDB]:
    """A server that lets its user `tls` in over TLS only; skipped without `mariadbd`."""
    pem, key = certificate
    folder = tmp_path_factory.mktemp("mariadb-tls")
    with MariaDB.running(folder, f"--ssl-cert={pem}", f"--ssl-key={key}") as running:
        running.execute(
            "CREATE DATABASE mlops",
            "CREATE DATABASE dagster",
            "CREATE USER 'tls'@'%%' REQUIRE SSL",
            "GRANT ALL ON mlops.* TO 'tls'@'%%'",
            "GRANT ALL ON dagster.* TO 'tls'@'%%'",
        )
        yield running


@pytest.fixture
def url(server: MariaDB, certificate: tuple[Path, Path]) -> str:
    """The URL of docs/deployment.md."""
    return f"{server.url('mlops', 'tls')}?ssl_ca={certificate[0]}"


def test_the_feature_store_merges_and_reads(url: str) -> None:
    """Encrypted, and with the very rows that were merged."""
    store = FeatureStore(url=url)
    load_sample_rows(store)
    merged = store.merge(BASE_DT)
    assert len(store.read(BASE_DT)) == merged.rows_inserted > 0


def test_studies_and_their_locks(url: str) -> None:
    """Optuna's storage, and the lock that a search holds, take the same parameters."""
    storage, parameters = StudyStorage(url=url), TuningParameters()
    with storage.open("m", parameters, logging.getLogger(__name__)) as study:
        study.tell(study.ask(parameters.distributions()), 0.5)
    assert [trial.value for trial in storage.join("m").trials] == [0.5]


def test_the_history_of_dagster(
    server: MariaDB, certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    """mysql-connector has parameters of its own; it, too, refuses another certificate."""
    url = server.url("dagster", "tls").replace("pymysql", "mysqlconnector")
    checks = "ssl_verify_cert=true&ssl_verify_identity=true"
    with MySQLRunStorage(f"{url}?ssl_ca={certificate[0]}&{checks}").connect() as connection:
        assert connection.execute(sa.text("SHOW STATUS LIKE 'Ssl_cipher'")).one()[1]
    stranger, _ = self_signed(tmp_path, "stranger")
    with pytest.raises(sa.exc.DBAPIError, match="certificate verify failed"):
        sa.create_engine(f"{url}?ssl_ca={stranger}&{checks}").connect()


def test_another_certificate_is_refused(server: MariaDB, tmp_path: Path) -> None:
    """Somebody between us and the server is found out, and told about."""
    stranger, _ = self_signed(tmp_path, "stranger")
    store = FeatureStore(url=f"{server.url('mlops', 'tls')}?ssl_ca={stranger}")
    with pytest.raises(FeatureStoreError, match="certificate verify failed"):
        store.has_labels()


def test_another_name_is_refused(server: MariaDB, certificate: tuple[Path, Path]) -> None:
    """The certificate is for 127.0.0.1; by another name it proves nothing."""
    elsewhere = server.url("mlops", "tls").replace("127.0.0.1", "localhost")
    store = FeatureStore(url=f"{elsewhere}?ssl_ca={certificate[0]}")
    with pytest.raises(FeatureStoreError, match="certificate verify failed"):
        store.has_labels()


def test_a_password_does_not_travel_in_the_clear(server: MariaDB) -> None:
    """The server lets nobody in who does not encrypt."""
    url = f"{server.url('mlops', 'tls')}?ssl_disabled=true"
    with pytest.raises(FeatureStoreError, match="Access denied"):
        FeatureStore(url=url).has_labels()

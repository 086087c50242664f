"""TLS to MySQL by the parameters of URLs, against a real server with a certificate of its own."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from dagster_mysql.run_storage import MySQLRunStorage

from credit_ct_dagster.errors import FeatureStoreError
from credit_ct_dagster.modeling.search_space import TuningParameters
from credit_ct_dagster.resources.feature_store import FeatureStore
from credit_ct_dagster.resources.study_storage import StudyStorage
from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.platform import BASE_DT, load_sample_rows


def _certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    pem, key_pem = folder / f"{name}.pem", folder / f"{name}.key"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return pem, key_pem


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The server's."""
    return _certificate(tmp_path_factory.mktemp("certificate"), "server")


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
    stranger, _ = _certificate(tmp_path, "stranger")
    with pytest.raises(sa.exc.DBAPIError, match="certificate verify failed"):
        sa.create_engine(f"{url}?ssl_ca={stranger}&{checks}").connect()


def test_another_certificate_is_refused(server: MariaDB, tmp_path: Path) -> None:
    """Somebody between us and the server is found out, and told about."""
    stranger, _ = _certificate(tmp_path, "stranger")
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

"""What the tests of the stack's files share."""

import re

import pytest

from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.platform import REPOSITORY

USERS = ["feature_store", "feature_loader", "dagster", "mlflow", "optuna", "serving"]


@pytest.fixture(scope="session")
def least_privilege(mariadb: MariaDB) -> MariaDB:
    """A server with the databases, users and rights of the stack; users need no password."""
    files = sorted((REPOSITORY / "deploy" / "mariadb").glob("*.sql"))
    rights = "\n".join(file.read_text() for file in files)
    statements = re.sub("^--.*$", "", rights, flags=re.MULTILINE).split(";")
    mariadb.execute(
        *(f"CREATE USER '{user}'@'%%'" for user in USERS),
        *(statement.replace("%", "%%") for statement in statements if statement.strip()),
    )
    return mariadb

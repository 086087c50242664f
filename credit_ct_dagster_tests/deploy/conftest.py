"""What the tests of the stack's files share."""

import re

import pytest

from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.platform import REPOSITORY

USERS = ["feature_store", "feature_loader", "dagster", "mlflow", "optuna", "serving"]


@pytest.fixture(scope="session")
def least_privilege(mariadb: MariaDB) -> MariaDB:
    """A server with the databases, users and rights of the stack; users need no password."""
    rights = (REPOSITORY / "deploy" / "mariadb" / "2-rights.sql").read_text()
    mariadb.execute(*(f"CREATE USER '{user}'@'%%'" for user in USERS), *statements_of(rights))
    return mariadb


def statements_of(rights: str) -> list[str]:
    """The statements of a file with rights, as the driver takes them."""
    statements = re.sub("^--.*$", "", rights, flags=re.MULTILINE).split(";")
    return [each.replace("%", "%%") for each in statements if each.strip()]

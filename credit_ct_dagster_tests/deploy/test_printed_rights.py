"""`credit-ct rights` prints what a server needs for the data that are declared."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from credit_ct_dagster.cli.main import main
from credit_ct_dagster_tests.deploy.conftest import statements_of
from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.own_data import rows
from credit_ct_dagster_tests.platform import REPOSITORY

_DECLARATION = REPOSITORY / "credit_ct_dagster_tests" / "own_data" / "credit_risk.yaml"


def _credit_ct(folder: Path, *arguments: str, url: str = "sqlite://") -> str:
    """What a command prints where other data are declared, which a process reads once."""
    done = subprocess.run(
        [sys.executable, "-m", "credit_ct_dagster.cli.main", *arguments],
        cwd=folder,
        env=os.environ | {"DATA_SCHEMA": str(_DECLARATION), "FEATURE_STORE_URL": url},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_the_file_of_the_stack_is_what_the_command_prints() -> None:
    """For the data that the platform is shipped with: `credit-ct rights` writes it anew."""
    done = CliRunner().invoke(main, ["rights"])
    assert done.exit_code == 0, done.output
    assert (REPOSITORY / "deploy" / "mariadb" / "2-rights.sql").read_text() == done.stdout


def test_mysql_compares_keys_by_a_collation_of_its_own() -> None:
    """That of MariaDB does not exist there."""
    printed = CliRunner().invoke(main, ["rights", "--mysql"]).stdout
    assert set(re.findall(r"COLLATE (\w+)", printed)) == {"utf8mb4_0900_bin"}


def test_other_data_are_loaded_read_and_served_with_the_rights_of_their_declaration(
    least_privilege: MariaDB, tmp_path: Path
) -> None:
    """On a server; the service reads no personal data of them, as none of the credit scores."""
    printed = _credit_ct(tmp_path, "rights")
    assert "credit_score" not in printed
    # A database of its own: that of the stack has the tables of the credit scores.
    own = str(sa.make_url(least_privilege.new_database()).database)
    least_privilege.execute(*statements_of(re.sub(r"\bmlops\b", own, printed)))
    rows.write(tmp_path)
    files = ("--labels", "outcomes.csv", "--features", "applications.csv")
    loader = least_privilege.url(own, "feature_loader")
    assert "loan_applications: 1,700 rows" in _credit_ct(tmp_path, "load", *files, url=loader)
    for user, read in (
        ("feature_store", "risk FROM loan_outcomes"),
        ("serving", "duration_months FROM loan_applications"),
        ("serving", "applicant, risk FROM credit_predictions"),
    ):
        least_privilege.execute(f"SELECT {read}", url=least_privilege.url(own, user))
    for read in ("full_name FROM loan_applications", "risk FROM loan_outcomes"):
        with pytest.raises(sa.exc.DBAPIError, match="command denied"):
            least_privilege.execute(f"SELECT {read}", url=least_privilege.url(own, "serving"))

"""The image's entry point: secrets from files, into the environment of one command."""

import ssl
import subprocess
from pathlib import Path

import yaml

from credit_ct_dagster_tests.platform import REPOSITORY


def _run(folder: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [REPOSITORY / "deploy" / "with-secrets", *command],
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "SECRETS_FOLDER": str(folder), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_secret_takes_the_place_of_its_name(tmp_path: Path) -> None:
    """In a URL quoted, elsewhere as it is; other variables stay."""
    (tmp_path / "mail_password").write_text("a/b@c<d>\n")
    variables = {
        "STORE": "mysql+pymysql://user:<mail_password>@host/db",
        "PASSWORD": "<mail_password>",
        "MARGIN": "2 < 3",
    }
    ran = _run(tmp_path, "printenv", *variables, **variables)
    assert ran.stdout.splitlines() == [
        "mysql+pymysql://user:a%2Fb%40c%3Cd%3E@host/db",
        "a/b@c<d>",
        "2 < 3",
    ]


def test_a_missing_secret_is_told(tmp_path: Path) -> None:
    """Which one, for which variable, and what to do; nothing runs."""
    ran = _run(tmp_path, "echo", "started", STORE="mysql://user:<nowhere>@host/db")
    assert ran.returncode == 1
    assert "STORE asks for the secret nowhere" in ran.stderr
    assert ran.stdout == ""


def test_the_command_answers_for_itself(tmp_path: Path) -> None:
    """Its exit code is handed on; one that does not exist is named."""
    assert _run(tmp_path, "sh", "-c", "exit 7").returncode == 7
    assert "no-such-command cannot be run" in _run(tmp_path, "no-such-command").stderr


def test_passwords_are_made_once_and_kept_from_others(tmp_path: Path) -> None:
    """`make up` again keeps them: the database's volume remembers the first ones."""
    script = tmp_path / "new-secrets"
    script.write_text((REPOSITORY / "deploy" / "new-secrets").read_text())
    subprocess.run(["bash", script], check=True, capture_output=True)
    files = sorted((tmp_path / "secrets").iterdir())
    made = [file.read_text() for file in files]
    compose = yaml.safe_load((REPOSITORY / "deploy" / "compose.yaml").read_text())
    assert {file.name for file in files} == set(compose["secrets"])
    texts = {file.name: file.read_text() for file in files}
    passwords = [text for name, text in texts.items() if name.endswith("_password") and text]
    assert len(set(passwords)) == len(passwords) == 8
    assert all(len(password) == 48 for password in passwords)
    assert texts["smtp_password"] == texts["alert_webhook_url"] == ""
    context = ssl.create_default_context(cafile=tmp_path / "secrets" / "dask_certificate")
    context.load_cert_chain(
        tmp_path / "secrets" / "dask_certificate", tmp_path / "secrets" / "dask_key"
    )
    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0
    subprocess.run(["bash", script], check=True, capture_output=True)
    assert [file.read_text() for file in files] == made

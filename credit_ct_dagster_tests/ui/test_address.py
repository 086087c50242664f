"""The address of `credit-ct ui`."""

import os
import socket
from pathlib import Path

import dagster as dg
import pytest

from credit_ct_dagster_tests.platform import Platform
from credit_ct_dagster_tests.servers import free_port


@pytest.fixture
def workspace(tmp_path: Path) -> str:
    """A file that names no code location."""
    file = tmp_path / "workspace.yaml"
    file.write_text("load_from: []\n")
    return str(file)


def test_a_port_that_is_taken_is_named_before_anything_starts(
    platform: Platform, workspace: str, history: dg.DagsterInstance
) -> None:
    """With the process that holds it; the same of an address that is not of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        done = platform.command("ui", "--port", str(port), "--workspace", workspace)
    assert (done.exit_code, done.stdout) == (1, "")
    [sentence] = done.stderr.splitlines()
    assert sentence.startswith(f"Error: Port {port} of 127.0.0.1 is held by process ")
    assert "End it, or choose another port: credit-ct ui --port. See CT-SERVE-3" in sentence
    done = platform.command("ui", "--host", "203.0.113.1", "--workspace", workspace)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "credit-ct ui cannot listen on port 3000 of 203.0.113.1" in done.stderr


@pytest.mark.parametrize("port", ["0", "65536", "99999", "-1"])
def test_a_port_that_does_not_exist_is_refused(
    platform: Platform, workspace: str, port: str
) -> None:
    """By its range."""
    done = platform.command("ui", "--port", port, "--workspace", workspace)
    assert done.exit_code == 2
    assert "1<=x<=65535" in done.stderr


@pytest.mark.parametrize(
    ("host", "named", "expected"),
    [
        ("127.0.0.1", None, "http://127.0.0.1:{port}"),
        ("0.0.0.0", None, "http://127.0.0.1:{port}"),
        ("127.0.0.1", "https://ui.bank.example", "https://ui.bank.example"),
    ],
)
def test_what_it_starts_links_to_where_it_is(
    platform: Platform, workspace: str, history: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch, host: str, named: str | None, expected: str,
) -> None:  # fmt: skip
    """Alerts and pages, unless WEBSERVER_URL names another address."""
    monkeypatch.setenv("WEBSERVER_URL", named or "")
    if named is None:
        monkeypatch.delenv("WEBSERVER_URL")
    inherited: list[str | None] = []

    def serve(*_: object) -> bool:
        inherited.append(os.environ.get("WEBSERVER_URL"))
        return True

    monkeypatch.setattr("credit_ct_dagster.ui.server.serve", serve)
    port = free_port()
    done = platform.command("ui", "--host", host, "--port", str(port), "--workspace", workspace)
    assert done.exit_code == 0, done.output
    assert inherited == [expected.format(port=port)]

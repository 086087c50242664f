"""The UI as `make dev` and the stack start it, and what it refuses."""

import json
import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote

import dagster as dg
import psutil
import pytest

from credit_ct_dagster_tests.platform import REPOSITORY
from credit_ct_dagster_tests.servers import free_port
from credit_ct_dagster_tests.webserver import START_SECONDS, until

pytestmark = pytest.mark.integration

_LAUNCH = """mutation { launchRun(executionParams: {mode: "default", selector: {
  repositoryLocationName: "small", repositoryName: "__repository__", jobName: "make_one"}}) {
  __typename } }"""
_JSON = {"Content-Type": "application/json"}
_LOGIN = {"Authorization": "Basic " + b64encode(b"credit-ct:hush").decode()}
_OURS = {**_JSON, **_LOGIN}
_WORKSPACE = """
load_from:
  - python_module: {module_name: credit_ct_dagster_tests.ui.small_location, location_name: small}
"""
_WEBSOCKET = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol": "graphql-ws",
}


class _UI:
    """The UI's server."""

    def __init__(self, port: int, home: Path) -> None:
        self.port = port
        self._home = home
        self.process = self._started()

    def ask(
        self, method: str, path: str, headers: dict[str, str], body: str | None = None
    ) -> tuple[int, str, dict[str, str]]:
        """Status, text and headers of an answer."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            text = "" if answer.status == 101 else answer.read().decode()
            return answer.status, text, dict(answer.headers)
        finally:
            connection.close()

    def launch(self, **headers: str) -> int:
        """Launch a run as its pages do, with further headers; returns the status."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask("POST", "/graphql", _OURS | named, json.dumps({"query": _LAUNCH}))[0]

    def runs(self) -> int:
        """How many runs there are."""
        with dg.DagsterInstance.from_config(str(self._home)) as instance:
            return instance.get_runs_count()

    def _started(self) -> subprocess.Popen[bytes]:
        (self._home / "workspace.yaml").write_text(_WORKSPACE)
        (self._home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
        command = ["credit-ct", "ui", "--port", str(self.port)]
        environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(REPOSITORY),
            "HOME": str(self._home),
            "DAGSTER_HOME": str(self._home),
            "WEBSERVER_URL": "https://dagster.example.com",
            "UI_PASSWORD": "hush",
        }
        return subprocess.Popen(command, cwd=self._home, env=environment, start_new_session=True)


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_UI]:
    """`credit-ct ui` with a password, whose address is https://dagster.example.com.

    The last test ends it.
    """
    found = _UI(free_port(), tmp_path_factory.mktemp("ui"))
    try:
        until(lambda: found.ask("GET", "/server_info", {})[0] == 200, START_SECONDS, "the UI", 0.2)
        yield found
    finally:
        found.process.terminate()
        found.process.wait()


def test_its_own_pages_work(ui: _UI) -> None:
    """The page, its queries, and a run that it launches."""
    status, page, headers = ui.ask("GET", "/runs", _LOGIN)
    assert (status, "<html" in page.lower()) == (200, True)
    assert headers["x-frame-options"] == "DENY"
    before = ui.runs()
    assert ui.launch(Origin=f"http://127.0.0.1:{ui.port}", Sec_Fetch_Site="same-origin") == 200
    assert ui.launch(Origin="https://dagster.example.com", Host="dagster.example.com") == 200
    assert ui.launch() == 200, "a script, which names no origin"
    assert ui.runs() == before + 3
    own = {**_LOGIN, **_WEBSOCKET, "Origin": f"http://127.0.0.1:{ui.port}"}
    assert ui.ask("GET", "/graphql", own)[0] == 101


@pytest.mark.parametrize("accept", ["*/*", "application/json"])
def test_a_mutation_by_get_is_refused(ui: _UI, accept: str) -> None:
    """Any page can have an image of that address."""
    before = ui.runs()
    headers = {**_LOGIN, "Accept": accept, "Origin": "http://attacker.example.com"}
    path = f"/graphql?query={quote(_LAUNCH)}"
    assert ui.ask("GET", path, headers)[0] == 405
    assert ui.ask("GET", path, {**_LOGIN, "Accept": "text/html"})[0] == 200, "the query editor"
    assert ui.runs() == before


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://attacker.example.com"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "text/plain; application/json"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/graphql"},
        {"Host": "attacker.example.com"},
        {"Authorization": "Basic d3Jvbmc6d3Jvbmc="},
        {"Authorization": "Basic no base64"},
    ],
    ids=str,
)
def test_a_mutation_of_another_site_is_refused(ui: _UI, headers: dict[str, str]) -> None:
    """Also by a name of the attacker's that leads to this machine."""
    before = ui.runs()
    status, text, _ = ui.ask("POST", "/graphql", _OURS | headers, json.dumps({"query": _LAUNCH}))
    assert status in (400, 401, 403, 415), text
    assert ui.runs() == before


def test_reports_of_assets_are_guarded_too(ui: _UI) -> None:
    """Dagster takes them by a POST without a body."""
    status, _, _ = ui.ask("POST", "/report_asset_materialization/one", _LOGIN)
    assert status == 415


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://attacker.example.com"}, {"Authorization": ""}]
)
def test_a_websocket_of_another_site_is_refused(ui: _UI, headers: dict[str, str]) -> None:
    """Browsers ask nobody before they open one."""
    assert ui.ask("GET", "/graphql", _LOGIN | _WEBSOCKET | headers)[0] == 403


def test_a_login_is_asked_for(ui: _UI) -> None:
    """On every page; health checks need none."""
    status, _, headers = ui.ask("GET", "/", {})
    assert (status, headers["www-authenticate"]) == (401, 'Basic realm="Dagster"')
    assert ui.ask("GET", "/server_info", {})[0] == 200


def test_the_pages_on_the_champion_are_behind_the_login(ui: _UI) -> None:
    """Before any day was watched they say what makes one."""
    assert ui.ask("GET", "/champion-health", {})[0] == 401
    status, text, headers = ui.ask("GET", "/champion-health/2025-01-31", _LOGIN)
    assert (status, headers["x-frame-options"]) == (404, "DENY")
    assert "CT-HEALTH-1" in text


def test_the_daemon_ends_with_the_ui(ui: _UI) -> None:
    """Also when the UI is terminated: a second daemon would keep the next one from working."""
    of_ui = psutil.Process(ui.process.pid)
    until(lambda: len(of_ui.children()) == 2, START_SECONDS, "code server and daemon", 0.2)
    children = of_ui.children(recursive=True)
    assert any("credit_ct_dagster.ui.daemon" in each.cmdline() for each in children)
    ui.process.terminate()
    assert ui.process.wait() == 0
    _, alive = psutil.wait_procs(children, timeout=START_SECONDS)
    assert alive == []

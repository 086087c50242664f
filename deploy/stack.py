"""What the programs in this folder share: commands in the stack, and callers over HTTP."""

import json
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from functools import cache
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

FOLDER = Path(__file__).parent
SECRETS = FOLDER / "secrets"
_TIMEOUT_S = 30
_LAUNCH = """mutation Launch($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
_STATUS = "query Status($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
_ENDED = ("SUCCESS", "FAILURE", "CANCELED")


def say(text: str) -> None:
    """Tell whoever watches."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def fail(text: str) -> NoReturn:
    """End the program with a sentence."""
    sys.exit(f"{Path(sys.argv[0]).name}: {text}")


@cache
def compose() -> tuple[str, ...]:
    """The command that `make` uses for the stack: `docker compose`, or docker-compose 1.29."""
    plugin = ("docker", "compose")
    found = subprocess.run([*plugin, "version"], capture_output=True, check=False)  # noqa: S603
    program = plugin if found.returncode == 0 else ("docker-compose",)
    file = ("--project-name", "credit-ct", "--file", str(FOLDER / "compose.yaml"))
    variables = FOLDER / ".env"
    return *program, *file, *(("--env-file", str(variables)) if variables.exists() else ())


def in_stack(command: Sequence[str], *, shown: bool = False) -> str:
    """What a command of Compose prints.

    Args:
        command: The words after those of `compose`.
        shown: Whether to say it first.
    """
    whole = [*compose(), *command]
    if shown:
        say("  " + " ".join(whole))
    done = subprocess.run(whole, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        fail(f"{' '.join(command)} failed: {done.stderr or done.stdout}")
    return done.stdout.strip()


def sql(*statements: str) -> str:
    """Execute statements as root of the stack's own server, after saying them."""
    for each in statements:
        say(f"  {each}")
    client = 'mariadb --batch --skip-column-names --user=root -p"$(cat /run/secrets/root_password)"'
    command = f'{client} --execute="$0"'
    return in_stack(["exec", "-T", "mariadb", "sh", "-c", command, " ".join(statements)])


def first_of(file: Path) -> str:
    """The first of the secrets, separated by commas, in a file; empty without any."""
    return file.read_text().split(",")[0].strip() if file.exists() else ""


def api_key(key: str) -> dict[str, str]:
    """The header that the HTTP service asks for."""
    return {"X-API-Key": key} if key else {}


class Client:
    """A caller, with one connection that stays open."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        address = urlsplit(url)
        self._headers = {"Content-Type": "application/json"} | headers
        self._connection = HTTPConnection(address.hostname or "", address.port, timeout=_TIMEOUT_S)

    def ask(
        self, method: str, path: str, content: object = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """The status and the answer of a request, which is JSON."""
        status, body = self.read(method, path, content, headers)
        return status, json.loads(body)

    def read(
        self, method: str, path: str, content: object = None, headers: dict[str, str] | None = None
    ) -> tuple[int, str]:
        """The status and the text of a request's answer."""
        try:
            body = None if content is None else json.dumps(content)
            self._connection.request(method, path, body, self._headers | (headers or {}))
            response = self._connection.getresponse()
            return response.status, response.read().decode()
        except BaseException:
            self._connection.close()
            raise


class UI(Client):
    """Dagster's UI of the stack."""

    def __init__(self, url: str, password: str, seconds: int) -> None:
        """Ask nothing yet.

        Args:
            url: Its address.
            password: Of the user `credit-ct`; empty if it asks for no login.
            seconds: How long to wait for a run.
        """
        login = b64encode(f"credit-ct:{password}".encode()).decode()
        headers = {"Authorization": f"Basic {login}"} if password else {}
        # Between two requests, it closes a connection that stays open.
        super().__init__(url, headers | {"Connection": "close"})
        self._seconds = seconds

    def run(self, job: str, day: str) -> None:
        """Start a job for a prediction day, and wait until it has succeeded."""
        selector = {
            "repositoryLocationName": "credit_ct_dagster",
            "repositoryName": "__repository__",
            "jobName": job,
        }
        metadata = {"tags": [{"key": "dagster/partition", "value": day}]}
        params = {"selector": selector, "runConfigData": {}, "executionMetadata": metadata}
        launched = self._query(_LAUNCH, {"params": params})["launchRun"]
        if "run" not in launched:
            fail(f"{job} was not started: {launched}")
        identifier, started = launched["run"]["runId"], time.monotonic()
        status = "QUEUED"
        while status not in _ENDED and time.monotonic() - started < self._seconds:
            time.sleep(1)
            status = self._query(_STATUS, {"id": identifier})["runOrError"]["status"]
        took = f"{time.monotonic() - started:.0f} s"
        say(f"{job} of {day}: {status} after {took}, run {identifier}")
        if status != "SUCCESS":
            fail(f"{job} of {day} did not succeed: look at its run in the UI.")

    def _query(self, query: str, variables: Mapping[str, Any]) -> Any:
        content = {"query": query, "variables": variables}
        status, text = self.read("POST", "/graphql", content)
        found = json.loads(text) if status == 200 else {"errors": text}
        if "errors" in found:
            fail(f"the UI answered {status}: {found['errors']}")
        return found["data"]

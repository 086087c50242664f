"""Starts a package as a server, and asks it the golden rows, before anybody depends on it.

As TFX's InfraValidator: what a model answers in the process that trained it says little of what it
answers where it serves. The server is a process of its own on a free port of this machine, with an
environment that holds no secrets, and is always stopped. It answers twice: as the service does,
with the code that is installed here, and as MLflow does anywhere else, with the package's own code.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from credit_ct_dagster.contracts.golden import GoldenRows
from credit_ct_dagster.contracts.scorer import CLASS_COLUMN
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.serving.golden import Answered, difference

INVOCATIONS = "/invocations"
"""Takes rows, and answers with those of the frame that the package gives; MLflow's own path."""

_SERVER = "credit_ct_dagster.serving.server.package_server"
_INSTALLED_IN = str(Path(__file__).parents[3])
# What an interpreter and its libraries need to run at all, and what the rows are; none is a secret.
_PASSED_ON = ("DATA_SCHEMA", "PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TMPDIR", "TZ")
_MOST_BYTES = 10_000_000
_MOST_CHARACTERS = 300


@contextmanager
def started_server(timeout_s: float) -> Iterator["PackageServer"]:
    """Start a server that waits for a package, and stop it at the end.

    It imports its libraries meanwhile, which takes most of the time that a validation takes.

    Args:
        timeout_s: Once it was given a package, it must have started and answered everything within
            so many seconds.
    """
    with (
        tempfile.TemporaryDirectory(prefix="credit-ct-package-") as workspace,
        PackageServer.started(Path(workspace), timeout_s) as server,
    ):
        yield server


class _UnusableAnswerError(Exception):
    """An answer that is none; its text is the clause."""


class PackageServer:
    """A process that waits for a package, and serves it."""

    def __init__(
        self, process: subprocess.Popen[bytes], port: int, log: Path, timeout_s: float
    ) -> None:
        self._process = process
        self._log = log
        self._timeout_s = timeout_s
        self._expired = False
        self._connection = HTTPConnection("127.0.0.1", port, timeout=timeout_s)
        self._watchdog = threading.Timer(timeout_s, self._expire)

    @classmethod
    @contextmanager
    def started(cls, workspace: Path, timeout_s: float) -> Iterator["PackageServer"]:
        """Start it, and stop it at the end; see `started_server`.

        The socket is opened here and handed over: requests wait in its queue until the process has
        started, no port is looked for that another process could take, and the queue is gone as
        soon as the process is.
        """
        log = workspace / "stderr"
        with socket.create_server(("127.0.0.1", 0)) as listening, log.open("wb") as output:
            port = listening.getsockname()[1]
            process = subprocess.Popen(  # noqa: S603 - this interpreter, and a module of ours
                [sys.executable, "-m", _SERVER, str(listening.fileno())],
                pass_fds=[listening.fileno()],
                cwd=workspace,
                env=_environment(workspace),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=output,
                start_new_session=True,
            )
        server = cls(process, port, log, timeout_s)
        try:
            yield server
        finally:
            server._stop()

    def difference(self, folder: Path, golden: GoldenRows) -> str | None:
        """Serve a package, the only one of this process, and compare its answers.

        Args:
            folder: Of the package's MLflow model.
            golden: The rows and the pipeline's answers.

        Returns:
            A clause that says what is wrong; None if the package serves.
        """
        self._watchdog.start()
        try:
            self._serve(folder)
            return self._difference(golden)
        except (OSError, HTTPException) as error:
            return self._why_silent(error)
        except _UnusableAnswerError as error:
            return str(error)

    def _serve(self, folder: Path) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(str(folder.absolute())).encode() + b"\n")
        self._process.stdin.flush()

    def _difference(self, golden: GoldenRows) -> str | None:
        """Ask for all rows in one request, then for each by itself, then the package's own code."""
        rows = [dict(row.features) for row in golden.rows]
        many = _results(self._asked("/predict_many", rows))
        found = difference(golden, [_answered(each) for each in many])
        if found:
            return found
        found = difference(golden, [_answered(self._asked("/predict", row)) for row in rows])
        if found:
            return found
        status, invoked = self._answer(INVOCATIONS, rows)
        if status != HTTPStatus.OK:
            return f"loaded by MLflow, it fails with {_error(invoked)}"
        found = difference(golden, _records(golden, invoked))
        return f"loaded by MLflow, {found}" if found else None

    def _why_silent(self, error: Exception) -> str:
        """Why there is no answer."""
        # On a busy machine, the connection may notice before the watchdog does.
        if self._expired or isinstance(error, TimeoutError):
            return f"it did not start and answer within {self._timeout_s:g} s"
        with suppress(subprocess.TimeoutExpired):
            code = self._process.wait(timeout=2)
            lines = self._log.read_text("utf8", errors="replace").strip().splitlines() or [""]
            return f"its server ended with exit code {code} ({lines[-1][:_MOST_CHARACTERS]})"
        return f"its server broke the connection ({type(error).__name__})"

    def _asked(self, path: str, content: Any) -> Any:
        status, answer = self._answer(path, content)
        if status != HTTPStatus.OK:
            raise _UnusableAnswerError(f"it answers {path} with HTTP {status}")
        return answer

    def _answer(self, path: str, content: Any) -> tuple[int, Any]:
        body = json.dumps(content, allow_nan=False)
        self._connection.request("POST", path, body, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        text = response.read(_MOST_BYTES)
        try:
            return response.status, json.loads(text)
        except ValueError:
            if response.status != HTTPStatus.OK:
                return response.status, None
            raise _UnusableAnswerError(f"it answers {path} with something else than JSON") from None

    def _expire(self) -> None:
        self._expired = True
        self._kill()

    def _stop(self) -> None:
        self._watchdog.cancel()
        self._connection.close()
        self._kill()
        self._process.wait()
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # the process ended before it read what was written
            self._process.stdin.close()

    def _kill(self) -> None:
        # It holds nothing that a signal to finish would save.
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)


def _environment(workspace: Path) -> dict[str, str]:
    """The environment of the process: no secrets, and no place but its own to write to."""
    return {
        **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        "PYTHONPATH": _INSTALLED_IN,
        "HOME": str(workspace),
        "BENTOML_HOME": str(workspace / "bentoml"),
        "BENTOML_DO_NOT_TRACK": "True",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # MLflow compiles what it loads; a package stays as it was written.
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def _results(answer: Any) -> list[Any]:
    """The predictions of an answer to many rows; None in the place of one that was refused."""
    try:
        return [each["prediction"] for each in answer["results"]]
    except (TypeError, LookupError):
        raise _UnusableAnswerError("it answers /predict_many with something else") from None


def _answered(answer: Any) -> Answered:
    """The class and the probabilities of an answer of the service."""
    try:
        return str(answer[schema.TARGET]), {
            str(name): float(share) for name, share in answer["probabilities"].items()
        }
    except (TypeError, LookupError, AttributeError, ValueError):
        raise _UnusableAnswerError("it refuses a golden row, or answers something else") from None


def _records(golden: GoldenRows, answer: Any) -> list[Answered]:
    """The classes and the probabilities in the rows of a frame."""
    columns = {f"probability_{name.lower()}": name for name in golden.rows[0].probabilities}
    found = []
    for row in answer:
        if not isinstance(row, dict) or list(row) != [CLASS_COLUMN, *columns]:
            raise _UnusableAnswerError("loaded by MLflow, it answers with other columns")
        probabilities = {name: row[column] for column, name in columns.items()}
        found.append(_answered({schema.TARGET: row[CLASS_COLUMN], "probabilities": probabilities}))
    return found


def _error(answer: Any) -> str:
    """The error of a package's own code, in one line."""
    text = answer.get("error", "") if isinstance(answer, dict) else ""
    return " ".join(str(text).split())[:_MOST_CHARACTERS]

"""Serves one package, for `validation`: python -m credit_ct_dagster.serving.server.package_server.

The service is the one that customers call, with a model that stays the same and without a log of
predictions. It listens on a socket that its parent process opened. A path of its own, which no
customer can call, answers as the package does where this platform is not installed: loaded by
MLflow, with the code that travels inside.
"""

import asyncio
import importlib
import json
import os
import socket
import sys
import threading
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn import Config, Server

from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.scorer import ScorerRecord
from credit_ct_dagster.garbage import collect_seldom
from credit_ct_dagster.scorer.scorer import Scorer
from credit_ct_dagster.serving.contract import RowContract
from credit_ct_dagster.serving.follower import FollowerState, ServedModel
from credit_ct_dagster.serving.http.middleware import GateOptions
from credit_ct_dagster.serving.http.parts import Parts
from credit_ct_dagster.serving.http.service import service_app
from credit_ct_dagster.serving.packaging import SCORER
from credit_ct_dagster.serving.server.validation import INVOCATIONS

_UNKNOWN = ModelIdentity(
    base_dt="unknown",
    mlflow_run_id="unknown",
    dagster_run_id="unknown",
    data_fingerprint="unknown",
    bentoml_tag="unknown",
    registered_version="unknown",
)
"""Who validates a package knows its names; answers need some."""


class _OneModel:
    """The model of a package; it is never swapped."""

    def __init__(self, folder: Path) -> None:
        record = ScorerRecord.from_json(
            (folder / ScorerRecord.FILE).read_bytes(), ScorerRecord.FILE
        )
        self.current = ServedModel(
            _UNKNOWN,
            Scorer.open(folder),
            RowContract.of(record),
            record,
            datetime.now(UTC),
        )

    def state(self) -> FollowerState:
        """It is served."""
        return FollowerState(serving=_UNKNOWN, since=self.current.since, wanted=_UNKNOWN)


class _WithInvocations:
    """The service, and the package as others load it."""

    def __init__(self, service: ASGIApp, folder: Path) -> None:
        self._service, self._folder = service, folder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == INVOCATIONS:
            asked = await Request(scope, receive).body()
            answer = await asyncio.to_thread(_invoked, self._folder, asked)
            await answer(scope, receive, send)
        else:
            await self._service(scope, receive, send)


def _invoked(folder: Path, asked: bytes) -> Response:
    """Load the package anew, and answer; or with the error that its code raised."""
    try:
        content, status = _answers(folder, json.loads(asked)), HTTPStatus.OK
    # It is the package's code, which may raise anything. The rows that it may quote are made up.
    except Exception as error:  # noqa: BLE001
        content = json.dumps({"error": f"{type(error).__name__}: {error}"})
        status = HTTPStatus.INTERNAL_SERVER_ERROR
    return Response(content, status, media_type="application/json")


def _answers(folder: Path, rows: list[dict[str, Any]]) -> str:
    import mlflow.pyfunc
    import pandas as pd

    found = mlflow.pyfunc.load_model(str(folder)).predict(pd.DataFrame(rows, dtype=object))
    return json.dumps(found.to_dict("records"), allow_nan=False)


def main() -> None:
    """Serve, on the socket of the first argument, the package whose folder standard input names.

    Everything is imported before that is known. The process ends with its standard input: a killed
    parent leaves no server behind.
    """
    collect_seldom()
    listening = socket.socket(fileno=int(sys.argv[1]))
    importlib.import_module("mlflow.pyfunc")  # `_answers` needs it: a third of all imports
    folder = _named_folder()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    service = service_app(Parts(_OneModel(folder / SCORER)), GateOptions(access_log=False))
    app = _WithInvocations(service, folder)
    Server(Config(app, log_level="error", access_log=False)).run(sockets=[listening])


# A buffered stream would be locked when the interpreter ends: both functions read without one.


def _named_folder() -> Path:
    """The folder of the package, from a line of standard input, in JSON."""
    line = b""
    while not line.endswith(b"\n"):
        some = os.read(0, 4096)
        if not some:
            sys.exit(0)
        line += some
    return Path(json.loads(line))


def _end_with_parent() -> None:
    while os.read(0, 1):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()

"""Serves one package, for `validation`: python -m credit_ct_dagster.serving.server.package_server.

The service is the one that customers call, with a model that stays the same and without a log of
predictions. It listens on a socket that its parent process opened.
"""

import os
import socket
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

from uvicorn import Config, Server

from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.scorer import ScorerRecord
from credit_ct_dagster.modeling.row_rules import Bounds
from credit_ct_dagster.scorer.scorer import Scorer
from credit_ct_dagster.serving.contract import RowContract
from credit_ct_dagster.serving.follower import FollowerState, ServedModel
from credit_ct_dagster.serving.http.middleware import GateOptions
from credit_ct_dagster.serving.http.parts import Parts
from credit_ct_dagster.serving.http.service import service_app

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
        limits = {
            name: Bounds(low=each.low, high=each.high) for name, each in record.limits.items()
        }
        self.current = ServedModel(
            _UNKNOWN,
            Scorer.open(folder),
            RowContract(limits, record.known_words),
            record,
            datetime.now(UTC),
        )

    def state(self) -> FollowerState:
        """It is served."""
        return FollowerState(serving=_UNKNOWN, since=self.current.since, wanted=_UNKNOWN)


def main() -> None:
    """Serve, on the socket of the first argument, the scorer in the folder of the second one.

    The process ends with its standard input: a killed parent leaves no server behind.
    """
    threading.Thread(target=_end_with_parent, daemon=True).start()
    listening = socket.socket(fileno=int(sys.argv[1]))
    app = service_app(Parts(_OneModel(Path(sys.argv[2]))), GateOptions(access_log=False))
    Server(Config(app, log_level="error", access_log=False)).run(sockets=[listening])


def _end_with_parent() -> None:
    while os.read(0, 1):  # a buffered stream would be locked when the interpreter ends
        pass
    os._exit(0)


if __name__ == "__main__":
    main()

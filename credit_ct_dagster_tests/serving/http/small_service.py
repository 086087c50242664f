"""A service on a small model, with a log in memory, and a client of it."""

import json
import logging
import socket
import time
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from http.client import HTTPConnection
from threading import Thread
from typing import Any

import pandas as pd
import uvicorn

from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.scorer import Limits, ScorerRecord
from credit_ct_dagster.errors.base import CreditCtError
from credit_ct_dagster.loading.sample_data import generate
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.answers.scorer_data import scorer_record
from credit_ct_dagster.modeling.rows.preparation import fit_scalers, prepare, record_of
from credit_ct_dagster.modeling.rows.row_rules import BOUNDS
from credit_ct_dagster.modeling.search.training import fit
from credit_ct_dagster.scorer.scorer import Scorer
from credit_ct_dagster.serving.contract import RowContract
from credit_ct_dagster.serving.follower import FollowerState, ServedModel
from credit_ct_dagster.serving.http.answers import ErrorAnswer
from credit_ct_dagster.serving.http.middleware import GateOptions
from credit_ct_dagster.serving.http.parts import Parts
from credit_ct_dagster.serving.http.service import service_app
from credit_ct_dagster.serving.log.prediction import Prediction
from credit_ct_dagster_tests.modeling.conftest import training_data


def sample_rows(customers: int, seed: int = 0) -> pd.DataFrame:
    """Raw labelled rows."""
    labels, features = generate(customers, date(2025, 8, 31), seed=seed)
    return labels.merge(features, on=schema.KEY)


def as_json(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Raw rows as a caller sends them."""
    features = rows[schema.FEATURES].astype(object)
    return features.where(features.notna(), None).to_dict("records")


def small_model(iterations: int = 15, depth: int = 3) -> tuple[Scorer, ScorerRecord]:
    """A model without calibration, fitted to sample rows."""
    rows = sample_rows(800)
    scalers = fit_scalers(rows)
    prepared = prepare(rows, scalers)
    params = {"iterations": iterations, "depth": depth, "learning_rate": 0.3,
              "loss_function": "MultiClassOneVsAll"}  # fmt: skip
    fitted = fit(training_data(prepared, prepared), params, iterations, thread_count=1)
    record = scorer_record(
        model=fitted,
        scales=record_of(scalers).columns,
        calibrated=None,
        train=rows,
        limits={name: Limits(low=each.low, high=each.high) for name, each in BOUNDS.items()},
        protected=["age", "credit_mix"],
    )
    return Scorer(fitted, record.model_dump(mode="json")), record


def served(scorer: Scorer, record: ScorerRecord, base_dt: str = "2025-08-31") -> ServedModel:
    """A model as the follower holds it."""
    identity = ModelIdentity(
        base_dt=base_dt,
        mlflow_run_id="run",
        dagster_run_id="dagster",
        data_fingerprint="fingerprint",
        bentoml_tag=f"credit_score_classification:{base_dt}",
        registered_version="7",
        package_sha256="ab" * 32,
    )
    return ServedModel(identity, scorer, RowContract.of(record), record, datetime.now(UTC))


class FixedModel:
    """Has one model, or none."""

    def __init__(self, model: ServedModel | None) -> None:
        self.current = model
        self.problem: str | None = None

    def state(self) -> FollowerState:
        """It follows nothing."""
        identity = self.current.identity if self.current else None
        return FollowerState(serving=identity, wanted=identity, problem=self.problem)


class MemoryLog:
    """Keeps predictions in memory, as lines of the spool."""

    def __init__(self) -> None:
        self.lines: dict[str, bytes] = {}
        self.fails_with: CreditCtError | Exception | None = None

    def record(self, prediction: Prediction) -> "Future[Any]":
        """Keep it."""
        done: Future[Any] = Future()
        if self.fails_with:
            done.set_exception(self.fails_with)
            return done
        self.lines[prediction.request_id] = prediction.to_line()
        done.set_result(None)
        return done

    def find(self, request_id: str) -> Prediction | None:
        """As it was kept."""
        line = self.lines.get(request_id)
        return Prediction.from_line(line) if line else None

    def find_many(self, request_ids: Collection[str]) -> Mapping[str, Prediction]:
        """Those that were kept."""
        found = {request_id: self.find(request_id) for request_id in request_ids}
        return {name: each for name, each in found.items() if each is not None}


class KnownCustomers:
    """Knows the customers that it was given."""

    def __init__(self, rows: Mapping[str, tuple[str, Mapping[str, Any]]]) -> None:
        self.rows = rows

    def newest_features(self, customer_id: str) -> tuple[str, Mapping[str, Any]] | None:
        """Their date, and the features."""
        return self.rows.get(customer_id)


@dataclass(frozen=True)
class Reply:
    """What the service answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body's value."""
        return json.loads(self.body)


class Client:
    """Sends requests over one connection that is kept alive."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._connection = HTTPConnection("127.0.0.1", port, timeout=30)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | str | Iterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send a request as it is."""
        data = body.encode() if isinstance(body, str) else body
        try:
            self._connection.request(method, path, data, dict(headers or {}))
            answered = self._connection.getresponse()
            content = answered.read()
        except Exception:
            self.close()
            raise
        names = {name.lower(): value for name, value in answered.getheaders()}
        return Reply(answered.status, names, content)

    def get(self, path: str, **headers: str) -> Reply:
        """Read a page; underscores of headers stand for hyphens."""
        return self.ask("GET", path, headers=_headers(headers))

    def post(self, path: str, value: Any, **headers: str) -> Reply:
        """Send a value as JSON; underscores of headers stand for hyphens."""
        given = {"Content-Type": "application/json"} | _headers(headers)
        return self.ask("POST", path, json.dumps(value), given)

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


def _headers(names: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in names.items()}


@contextmanager
def running(parts: Parts, options: GateOptions | None = None) -> Iterator[Client]:
    """A client of a service that runs in a thread, on a free port."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        app = service_app(parts, options)
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            ws="none",
            server_header=False,
            timeout_keep_alive=600,  # a loaded machine may pause between two requests
        )
        server = uvicorn.Server(config)
        # pytest gives a handler to loggers that have none, by which uvicorn takes this one as on.
        logging.getLogger("uvicorn.access").setLevel(logging.CRITICAL)
        thread = Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        client = Client(listening.getsockname()[1])
        try:
            yield client
        finally:
            client.close()
            server.should_exit = True
            thread.join(10)


def refused(reply: Reply, status: int, code: str) -> list[dict[str, str]]:
    """The problems of an error in the one shape that errors have."""
    assert reply.status == status, reply.body
    assert reply.headers["content-type"] == "application/json"
    error = ErrorAnswer.model_validate(reply.json()).error
    assert list(reply.json()) == ["error"]
    assert error.code == code
    assert error.message.endswith(".")
    return [problem.model_dump() for problem in error.problems]

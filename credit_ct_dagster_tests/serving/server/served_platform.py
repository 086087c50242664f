"""A platform with two models that may be promoted, and `credit-ct serve` on it."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from credit_ct_dagster.contracts.decision import Decision, Ground
from credit_ct_dagster.contracts.golden import GoldenRow, GoldenRows
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.package import PackageRecord
from credit_ct_dagster.serving.contract import example
from credit_ct_dagster_tests.platform import Platform
from credit_ct_dagster_tests.servers import free_port
from credit_ct_dagster_tests.serving.http.small_service import small_model

DAYS = ("2025-03-01", "2025-03-02")
"""The base dates of the two models."""
_RECORD = PackageRecord(seen_share=0.85, calibration="none", log_loss_per_calibration={})
_SECONDS = 120
"""Whatever is waited for has failed after so long; nothing is measured by it."""


@dataclass
class TwoModels:
    """Two packaged models of a platform, one of which is the champion."""

    platform: Platform
    models: dict[str, ModelIdentity] = field(default_factory=dict)

    @classmethod
    def on(cls, platform: Platform) -> "TwoModels":
        """Package both, and promote the first."""
        made = cls(platform)
        for base_dt, iterations in zip(DAYS, (15, 25), strict=True):
            made._package(base_dt, iterations)
        made.promote(DAYS[0])
        return made

    def promote(self, base_dt: str) -> str:
        """Make a model the champion, on record; returns its tag."""
        model = self.models[base_dt]
        decision = Decision(promoted=True, ground=Ground.person, sentence="Promoted by a test.")
        with self.platform.promotions.deciding() as deciding:
            deciding.record(model, decision, by="test", reason="test")
        return model.bentoml_tag

    def _package(self, base_dt: str, iterations: int) -> None:
        platform, tracking = self.platform, self.platform.tracking
        scorer, data = small_model(iterations)
        answer = scorer.score(example(), reasons=False)
        golden = GoldenRows(
            rows=[
                GoldenRow(
                    kind="typical",
                    features=example(),
                    credit_score=answer.credit_score,
                    probabilities=answer.probabilities,
                )
            ]
        )
        run_id = tracking.client.create_run(tracking.experiment_id()).info.run_id
        identity = ModelIdentity(
            base_dt=base_dt,
            mlflow_run_id=run_id,
            dagster_run_id=f"dagster-{base_dt}",
            data_fingerprint="f" * 32,
        )
        platform.packages.save(scorer.model, data, identity, _RECORD, {}, golden)
        with platform.promotions.deciding() as deciding:
            self.models[base_dt] = deciding.register(base_dt, run_id)


@dataclass
class RunningServer:
    """`credit-ct serve` as a process."""

    platform: Platform
    workers: int = 2
    environment: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    @classmethod
    @contextmanager
    def of(cls, platform: Platform, **options: Any) -> Iterator["RunningServer"]:
        """A server that is started, and killed at the end with all its workers."""
        server = cls(platform, **options)
        server.start()
        try:
            server.until_ready()
            yield server
        finally:
            server.kill_all()

    def start(self) -> None:
        """Start it in a process group of its own."""
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.platform.folder,
                env=self.all_variables,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def command(self) -> list[str]:
        """How it is started."""
        return ["credit-ct", "serve", "--port", str(self.port), "--workers", str(self.workers)]

    def again(self) -> "subprocess.CompletedProcess[str]":
        """Try to start another one on the same port."""
        return subprocess.run(
            self.command, cwd=self.platform.folder, env=self.all_variables, capture_output=True,
            text=True, timeout=_SECONDS, check=False,
        )  # fmt: skip

    @property
    def all_variables(self) -> dict[str, str]:
        """Of its processes, and of commands on the same platform."""
        return {
            **self.platform.environment,
            "BENTOML_HOME": os.environ["BENTOML_HOME"],
            **self.environment,
        }

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log_file(self) -> Path:
        """What it has printed."""
        return self.platform.folder / "serve.log"

    def is_running(self) -> bool:
        """Whether its supervisor runs."""
        return self.process is not None and self.process.poll() is None

    def kill_all(self) -> None:
        """End everything of it with SIGKILL."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def get(self, path: str) -> bytes:
        """What one of its workers answers."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=_SECONDS)
        try:
            connection.request("GET", path)
            return connection.getresponse().read()
        finally:
            connection.close()

    def state(self) -> dict[str, Any]:
        """What /readyz of one of its workers says."""
        state: dict[str, Any] = json.loads(self.get("/readyz"))
        return state

    def until(self, condition: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        """Wait until its state meets a condition; returns it."""
        deadline = time.monotonic() + _SECONDS
        while True:
            assert self.is_running(), self.log_file.read_text()
            with suppress(OSError, HTTPException):
                state = self.state()
                if condition(state):
                    return state
            assert time.monotonic() < deadline, self.log_file.read_text()
            time.sleep(0.05)

    def until_ready(self) -> dict[str, Any]:
        """Wait until all its workers have a model."""
        return self.until(
            lambda state: (
                len(state["workers"]) == self.workers
                and all(worker["serving"] for worker in state["workers"])
            )
        )

    def until_all_serve(self, tag: str) -> dict[str, Any]:
        """Wait until all its workers have a model of a tag."""
        return self.until(lambda state: set(_tags(state)) == {tag})

    def pids(self) -> set[int]:
        """The processes of its workers."""
        return {worker["pid"] for worker in self.state()["workers"]}

    def predict(self) -> dict[str, Any]:
        """The answer to a customer."""
        return self.post("/predict", example())

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a request."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=_SECONDS)
        try:
            headers = {"Content-Type": "application/json"}
            connection.request("POST", path, json.dumps(body), headers)
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read())
            assert response.status == 200, answer
            return answer
        finally:
            connection.close()


def _tags(state: Mapping[str, Any]) -> list[str | None]:
    return [(worker["serving"] or {}).get("tag") for worker in state["workers"]]

"""Services to measure: the platform's, the plain one, and the load on them."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import psutil

from benchmarks import plain_service
from benchmarks.database import database_of
from benchmarks.measure import Turn
from benchmarks.plan import Plan
from benchmarks.sandbox import ProcessFailedError, Sandbox, sandbox
from benchmarks.windows import BASE_DT, JANUARY_BASE_DT, january, sample
from credit_ct_dagster.contracts.scorer import ScorerRecord
from credit_ct_dagster.contracts.splits import ScalersRecord
from credit_ct_dagster.modeling import schema
from credit_ct_dagster.modeling.rows.preparation import scalers_of
from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.servers import free_port

COMMAND = Path(sys.executable).with_name("credit-ct")
DURABLE = "--innodb-flush-log-at-trx-commit=1"
"""As MariaDB has it by default: a commit is on disk."""
_ONE_CANDIDATE = {"depth": [8], "rsm": [0.9], "l2_leaf_reg": [5.0]}
_NO_FLOORS = {"min_recall": 0.0, "min_slice_accuracy": 0.0}
_LEAST_ROWS = 3_000
"""Sample rows to train on: of 1,000, a model is not reliably better than one feature."""
_START_SECONDS = 120


@dataclass(frozen=True)
class Platform:
    """A platform with a champion, its feature store in MariaDB.

    Attributes:
        here: Its folder and its environment.
        base_dt: The base date of the champion.
        rows: Raw feature rows, for requests.
    """

    here: Sandbox
    base_dt: str
    rows: pd.DataFrame

    @classmethod
    @contextmanager
    def trained(cls, plan: Plan, running: MariaDB) -> Iterator["Platform"]:
        """Train one candidate: on January's rows if they are given, else on sample rows."""
        base_dt, tables = (
            (JANUARY_BASE_DT, january(plan.january))
            if plan.january
            else (BASE_DT, sample(max(plan.window_rows, _LEAST_ROWS), seed=0))
        )
        url = database_of(running, tables).url
        with sandbox(FEATURE_STORE_URL=url, PACKAGE_VALIDATION="process") as here:
            ops = {
                "tuned_runs": {"config": plan.parameters | _ONE_CANDIDATE},
                "champion_model": {"config": _NO_FLOORS},
            }
            config = here.folder / "run.yaml"  # JSON is YAML
            config.write_text(json.dumps({"ops": ops}))
            here.run(str(COMMAND), "run", "--partition", base_dt, "--config", str(config))
            platform = cls(here, base_dt, tables[1])
            platform._write_requests()
            platform._write_plain_files()
            yield platform

    @property
    def flat(self) -> Path:
        """Bodies for the platform, one per line."""
        return self.here.folder / "flat.jsonl"

    @property
    def nested(self) -> Path:
        """The same customers for the plain service."""
        return self.here.folder / "nested.jsonl"

    def _write_requests(self) -> None:
        columns = [schema.CUSTOMER, *schema.FEATURES]
        rows = json.loads(self.rows[columns].head(2_000).to_json(orient="records"))
        self.flat.write_text("\n".join(map(json.dumps, rows)) + "\n")
        nested = ({"customer": row} for row in rows)
        self.nested.write_text("\n".join(map(json.dumps, nested)) + "\n")

    def _write_plain_files(self) -> None:
        """The champion's scalers and model, as the plain service reads them."""
        [record] = (self.here.folder / "var" / "bentoml").rglob(ScorerRecord.FILE)
        data = ScorerRecord.from_json(record.read_bytes(), str(record))
        scalers = scalers_of(ScalersRecord(columns=data.scales))
        joblib.dump(scalers, self.here.folder / plain_service.SCALERS)
        model = record.with_name(plain_service.MODEL).read_bytes()
        (self.here.folder / plain_service.MODEL).write_bytes(model)


@dataclass(frozen=True)
class Service:
    """A service that runs.

    Attributes:
        url: Where it predicts.
        pid: Of its first process.
        bodies: Requests in the form that it takes.
        here: The sandbox.
    """

    url: str
    pid: int
    bodies: Path
    here: Sandbox

    def load(self, clients: int, seconds: float, per_second: float | None = None) -> Turn:
        """Load it; the turn's seconds are those per answer.

        The processor time per request depends less on other work of the machine than the others.
        """
        before = _cpu_seconds(self.pid)
        arrivals = [] if per_second is None else ["--per-second", f"{per_second:.3f}"]
        turn = self.here.measure(
            "benchmarks.load", self.url, "--bodies", str(self.bodies), "--clients", str(clients),
            "--seconds", str(seconds), *arrivals,
        )  # fmt: skip
        used = _cpu_seconds(self.pid) - before
        turn.facts["cpu_ms"] = 1e3 * used / max(1, turn.facts["all_requests"])
        return turn


def _cpu_seconds(pid: int) -> float:
    """Processor time of a process and its descendants."""
    process = psutil.Process(pid)
    times = [each.cpu_times() for each in [process, *process.children(recursive=True)]]
    return float(sum(each.user + each.system for each in times))


@contextmanager
def plain(platform: Platform, *, log: bool) -> Iterator[Service]:
    """The plain service, with a commit per request or without a log."""
    variables = {plain_service.FOLDER: str(platform.here.folder)}
    if log:
        variables[plain_service.DATABASE] = platform.here.environment["FEATURE_STORE_URL"]
    port = free_port()
    command = [
        sys.executable, "-m", "bentoml", "serve", "benchmarks.plain_service:PlainService",
        "--host", "127.0.0.1", "--port", str(port),
    ]  # fmt: skip
    with _running(platform.here, command, port, variables) as pid:
        yield Service(f"http://127.0.0.1:{port}/predict", pid, platform.nested, platform.here)


@contextmanager
def bare(platform: Platform) -> Iterator[Service]:
    """The platform's service with one worker, without reasons and log."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.bare_service", "--port", str(port)]
    with _running(platform.here, command, port) as pid:
        yield Service(f"http://127.0.0.1:{port}/predict", pid, platform.flat, platform.here)


@contextmanager
def complete(platform: Platform, workers: int) -> Iterator[Service]:
    """The platform's service as people start it: with reasons and log."""
    port = free_port()
    command = [str(COMMAND), "serve", "--port", str(port), "--workers", str(workers)]
    with _running(platform.here, command, port) as pid:
        yield Service(f"http://127.0.0.1:{port}/predict", pid, platform.flat, platform.here)


@contextmanager
def _running(
    here: Sandbox, command: list[str], port: int, variables: Mapping[str, str] | None = None
) -> Iterator[int]:
    """A server in a process group of its own; it has ended when this ends."""
    with (here.folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=here.folder, env=here.environment | dict(variables or {}),
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        _await(process, f"http://127.0.0.1:{port}/readyz", here.folder / "server.log")
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _await(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:  # refused, or not ready
            pass
        if process.poll() is not None or time.monotonic() > deadline:
            raise ProcessFailedError(f"{url} does not answer:\n{log.read_text()[-3_000:]}")
        time.sleep(0.2)


def in_milliseconds(turns: list[Turn], percentile: str) -> list[float]:
    """A percentile of each turn."""
    return [float(turn.facts["ms"][percentile]) for turn in turns]


def per_second(turns: list[Turn]) -> list[float]:
    """The throughput of each turn."""
    return [float(turn.facts["per_second"]) for turn in turns]


def failures(turns: list[Turn]) -> dict[str, int]:
    """What failed, over several turns."""
    found: dict[str, int] = {}
    for turn in turns:
        for name, count in turn.facts["failures"].items():
            found[name] = found.get(name, 0) + count
    return found


def rows_of(name: str, clients: int, turns: list[Turn]) -> dict[str, Any]:
    """Medians of several turns, as a row of a table."""
    return {
        "service": name,
        "clients": clients,
        "requests/s": float(np.median(per_second(turns))),
        **{
            f"{each}, ms": float(np.median(in_milliseconds(turns, each)))
            for each in turns[0].facts["ms"]
        },
        "CPU, ms": float(np.median([turn.facts["cpu_ms"] for turn in turns])),
        "requests": sum(turn.facts["requests"] for turn in turns),
        "failures": sum(failures(turns).values()),
        "load average": " ".join(f"{turn.facts['load_average']:.1f}" for turn in turns),
    }

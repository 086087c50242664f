"""`credit-ct serve` with two workers, as a process: real HTTP, real signals."""

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest
import sqlalchemy as sa

from credit_ct_dagster.errors.serving import ServiceDegradedError
from credit_ct_dagster.operations.service import Service
from credit_ct_dagster.serving.contract import example
from credit_ct_dagster_tests.platform import Platform, Templates
from credit_ct_dagster_tests.serving.server.served_platform import DAYS, RunningServer, TwoModels
from credit_ct_dagster_tests.webserver import until

pytestmark = pytest.mark.integration

_SECONDS = 60


@pytest.fixture(scope="module")
def two_models(tmp_path_factory: pytest.TempPathFactory, templates: Templates) -> TwoModels:
    """Two models, one of which is the champion."""
    folder = tmp_path_factory.mktemp("served")
    return TwoModels.on(Platform.prepared(folder, templates))


@pytest.fixture(scope="module")
def _server(two_models: TwoModels) -> Iterator[RunningServer]:
    with RunningServer.of(two_models.platform) as server:
        yield server


@pytest.fixture
def server(_server: RunningServer) -> RunningServer:
    """The server of this module; whoever ends it leaves the next test a new one."""
    if not _server.is_running():
        _server.workers = 1  # each takes seconds
        _server.start()
    _server.until_ready()
    return _server


def _nobody_listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_worker_has_all_that_it_needs(server: RunningServer, two_models: TwoModels) -> None:
    """The champion, the customers of the feature store, the log, and the metrics of all workers."""
    engine = sa.create_engine(two_models.platform.url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        customer = connection.scalar(sa.text("SELECT MAX(customer_id) FROM credit_score_features"))
    answer = server.post("/predict_customer", {"customer_id": customer})
    assert (answer["customer_id"], answer["model"]["base_dt"]) == (customer, DAYS[0])
    with engine.connect() as connection:
        logged = connection.scalars(sa.text("SELECT request_id FROM credit_predictions")).all()
    assert answer["request_id"] in logged
    # Counted after the answer was sent.
    counted = 'credit_ct_requests_total{route="/predict_customer",status="200"} 1.0'
    until(lambda: counted in server.get("/metrics").decode(), _SECONDS, "the request", 0.05)
    model = json.loads(server.get("/model"))
    assert model["details"]["libraries"]["catboost"]


def test_promotions_reach_every_worker(server: RunningServer, two_models: TwoModels) -> None:
    """Without a restart, and back again; answers name the model that gave them."""
    for base_dt in (DAYS[1], DAYS[0]):
        tag = two_models.promote(base_dt)
        state = server.until_all_serve(tag)
        assert (state["status"], state["problem"]) == ("ready", None)
        assert server.predict()["model"]["base_dt"] == base_dt


def test_a_champion_whose_package_is_gone_leaves_the_old_model(
    server: RunningServer, two_models: TwoModels
) -> None:
    """`/readyz`, `status` and `doctor` say why, and it is served as soon as it is there."""
    [package] = two_models.platform.packages.packaged(DAYS[1])
    away = package.folder.with_name(".away")
    before = two_models.promote(DAYS[0])
    server.until_all_serve(before)
    package.folder.rename(away)
    try:
        tag = two_models.promote(DAYS[1])
        state = server.until(lambda state: all(each["problem"] for each in state["workers"]))
        assert (state["status"], state["code"]) == ("degraded", "CT-PACKAGE-1")
        assert server.predict()["model"]["tag"] == before
        service = Service(server.url)
        assert f"serving {before} of base date {DAYS[0]}, 2 workers" in service.summary()
        with pytest.raises(ServiceDegradedError, match=f"Behind the champion: Package {tag}"):
            service.require_healthy()
    finally:
        away.rename(package.folder)
    server.until_all_serve(tag)
    own = Service(server.url, packages=two_models.platform.packages)
    assert "serving" in own.require_healthy()


def test_a_killed_worker_is_replaced(server: RunningServer) -> None:
    """The others answer meanwhile, and no longer list it."""
    killed = min(server.pids())
    os.kill(killed, signal.SIGKILL)
    server.until(lambda state: killed not in [each["pid"] for each in state["workers"]])
    server.predict()
    server.until_ready()
    assert killed not in server.pids()


def test_a_worker_without_a_model_takes_no_request_from_one_that_has_it(
    server: RunningServer, two_models: TwoModels
) -> None:
    """Where the package is gone when a worker is replaced, the others go on alone until then."""
    server.until_all_serve(two_models.promote(DAYS[0]))
    [package] = two_models.platform.packages.packaged(DAYS[0])
    away = package.folder.with_name(".away")
    package.folder.rename(away)
    try:
        os.kill(min(server.pids()), signal.SIGKILL)
        server.until(lambda state: not all(each["serving"] for each in state["workers"]))
        for _ in range(30):
            assert server.predict()["model"]["base_dt"] == DAYS[0]
    finally:
        away.rename(package.folder)
    server.until_ready()


def test_a_second_server_names_the_first(server: RunningServer) -> None:
    """By the process to end, and without a traceback."""
    second = server.again()
    assert second.returncode == 1
    assert server.process is not None
    held = f"Port {server.port} of 127.0.0.1 is held by process {server.process.pid}"
    assert f"{held} (credit-ct serve)" in second.stderr
    assert "Then set SERVICE_URL, by which doctor and status find the service." in second.stderr
    assert "Traceback" not in second.stderr


def test_a_killed_supervisor_leaves_nobody(server: RunningServer) -> None:
    """No worker keeps the port, or answers with an old model."""
    workers = server.pids()
    assert server.process is not None
    server.process.kill()
    server.process.wait()
    deadline = time.monotonic() + _SECONDS
    while not _nobody_listens(server.port) or any(map(_runs, workers)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert "Traceback" not in server.log_file.read_text()


def test_sigterm_finishes_requests_under_way(server: RunningServer) -> None:
    """Nothing more is accepted, what was begun is answered, and the exit code is 0."""
    body = json.dumps(example()).encode()
    connection = HTTPConnection("127.0.0.1", server.port, timeout=_SECONDS)
    connection.putrequest("POST", "/predict")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body[:10])
    server.predict()  # the beginning of the other one has arrived by now
    assert server.process is not None
    server.process.terminate()
    deadline = time.monotonic() + _SECONDS
    while not _nobody_listens(server.port) and time.monotonic() < deadline:
        time.sleep(0.05)
    connection.send(body[10:])
    response = connection.getresponse()
    assert response.status == 200, response.read()
    connection.close()
    assert server.process.wait(_SECONDS) == 0


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True

"""What stands in front of the routes: keys, limits, headers, and one shape of error."""

import asyncio
import json
import logging
import socket
import threading
from base64 import b64encode
from collections.abc import Iterator

import pytest
from starlette.types import Message, Receive, Scope, Send

from credit_ct_dagster.serving.example import example
from credit_ct_dagster.serving.follower import ServedModel
from credit_ct_dagster.serving.http.answers import ErrorAnswer
from credit_ct_dagster.serving.http.metrics import Metrics
from credit_ct_dagster.serving.http.middleware import Gate, GateOptions
from credit_ct_dagster.serving.http.parts import Parts
from credit_ct_dagster.serving.log.prediction import Prediction
from credit_ct_dagster_tests.serving.http.small_service import (
    Client,
    FixedModel,
    MemoryLog,
    Reply,
    running,
)

KEYS = ("k" * 16 + "-first", "k" * 16 + "-second")
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def guarded(model: ServedModel) -> Iterator[Client]:
    """A client of a service with two keys and small limits."""
    options = GateOptions(keys=KEYS, max_body_bytes=4_000, timeout_s=0.6)
    with running(Parts(FixedModel(model), MemoryLog()), options) as client:
        yield client


def code_of(reply: Reply) -> str:
    """The code of an error in the one shape that errors have."""
    return ErrorAnswer.model_validate(reply.json()).error.code


def test_a_page_with_a_name_of_its_own_for_this_machine_is_refused(
    model: ServedModel, guarded: Client
) -> None:
    """DNS rebinding: without keys, the service answers only as localhost or by an address."""
    with running(Parts(FixedModel(model)), GateOptions()) as client:
        for host in ("evil.example", f"evil.example:{client.port}", "localhost.evil.example", "[x"):
            refused = client.post("/predict", example(), Host=host)
            assert (refused.status, code_of(refused)) == (421, "unknown_host")
        for host in ("localhost", f"LOCALHOST:{client.port}", "127.0.0.1", "[::1]:8000", ""):
            assert client.post("/predict", example(), Host=host).status == 200
    assert guarded.get("/model", Host="scores.example", X_API_Key=KEYS[0]).status == 200


@pytest.mark.parametrize("path", ["/", "/docs.json", "/model", "/metrics", "/nowhere", "/predict",
                                  "/static_content/swagger-ui.css", "/schema.json"])  # fmt: skip
def test_everything_but_health_needs_a_key(guarded: Client, path: str) -> None:
    """Without a key a caller does not even learn which paths there are."""
    for headers in ({}, {"X_API_Key": "k" * 16}, {"Authorization": f"Bearer {KEYS[0]}x"},
                    {"Authorization": "Basic !"}, {"X_API_Key": ""}):  # fmt: skip
        reply = guarded.get(path, **headers)
        assert (reply.status, code_of(reply)) == (401, "unauthorized")
        assert "Basic" in reply.headers["www-authenticate"]


@pytest.mark.parametrize("key", KEYS)
def test_any_of_the_keys_opens_the_service(guarded: Client, key: str) -> None:
    """Two keys are valid while one replaces the other; a browser sends it as a password."""
    basic = b64encode(f"anyone:{key}".encode()).decode()
    for headers in ({"X_API_Key": key}, {"Authorization": f"Bearer {key}"},
                    {"Authorization": f"Basic {basic}"}):  # fmt: skip
        assert guarded.post("/predict", example(), **headers).status == 200
        assert guarded.get("/", **headers).status == 200


def test_health_is_open_and_its_details_are_not(guarded: Client) -> None:
    """Probes need no key; what they see without one names no model."""
    assert guarded.get("/livez").json() == {"status": "alive"}
    assert guarded.get("/readyz").json() == {"status": "ready"}
    details = guarded.get("/readyz", X_API_Key=KEYS[0]).json()
    assert details["model"]["base_dt"] == "2025-08-31"


def test_a_body_that_is_too_large_is_refused(guarded: Client) -> None:
    """Whether its length is announced or not, and the connection is not kept by what is left."""
    headers = JSON | {"X-API-Key": KEYS[0]}
    announced = guarded.ask("POST", "/predict", b" " * 4_001, headers)
    assert (announced.status, code_of(announced)) == (413, "too_large")
    chunked = guarded.ask("POST", "/predict", iter([b" " * 1_000] * 10), headers)
    assert (chunked.status, code_of(chunked)) == (413, "too_large")
    endless = guarded.ask("POST", "/predict", headers=headers | {"Content-Length": "9" * 15})
    assert (endless.status, code_of(endless)) == (413, "too_large")
    in_chunks = iter([b" " * 1_000, json.dumps(example()).encode()])
    assert guarded.ask("POST", "/predict", in_chunks, headers).status == 200


def test_a_request_that_does_not_arrive_ends(guarded: Client) -> None:
    """A caller who sends half of a body gets 408, which is no failure of the service."""
    with socket.create_connection(("127.0.0.1", guarded.port), timeout=10) as connection:
        head = f"POST /predict HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEYS[0]}\r\n"
        connection.sendall(
            f"{head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{".encode()
        )
        assert b"408 Request Timeout" in connection.recv(1_000)


def test_an_answer_that_takes_too_long_is_given_up(model: ServedModel) -> None:
    """A log that hangs makes 504, in the shape of every error."""
    release = threading.Event()

    class Hanging(MemoryLog):
        def find(self, request_id: str) -> Prediction | None:
            release.wait(10)
            return None

    options = GateOptions(timeout_s=0.3)
    with running(Parts(FixedModel(model), Hanging()), options) as client:
        reply = client.post("/predict", example(), Idempotency_Key="slow")
        assert (reply.status, code_of(reply)) == (504, "timeout")
        release.set()
        assert client.post("/predict", example()).status == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/predict", 405, "method_not_allowed"),
        ("PUT", "/predict", 405, "method_not_allowed"),
        ("OPTIONS", "/predict", 405, "method_not_allowed"),
        ("TRACE", "/predict", 405, "method_not_allowed"),
        ("POST", "/model", 405, "method_not_allowed"),
        ("POST", "/", 405, "method_not_allowed"),
        ("POST", "/predict/", 404, "not_found"),
        ("GET", "/schema.json", 404, "not_found"),
        ("GET", "/healthz", 404, "not_found"),
        ("GET", "/static_content/../../service.py", 404, "not_found"),
        ("GET", "/static_content/%2e%2e/app.py", 404, "not_found"),
        ("GET", "/static_content/", 404, "not_found"),
    ],
)
def test_other_methods_and_paths_are_refused_alike(
    guarded: Client, method: str, path: str, status: int, code: str
) -> None:
    """No library answers in a shape of its own."""
    reply = guarded.ask(method, path, headers={"X-API-Key": KEYS[0]})
    assert (reply.status, code_of(reply)) == (status, code)
    assert ("allow" in reply.headers) == (status == 405)


def test_every_answer_has_the_headers_of_security(guarded: Client) -> None:
    """They hold for answers, errors and pages; nothing says which server it is."""
    key = {"X_API_Key": KEYS[0]}
    for reply in (guarded.get("/", **key), guarded.get("/nowhere", **key), guarded.get("/livez"),
                  guarded.get("/"), guarded.post("/predict", example(), **key)):  # fmt: skip
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["x-frame-options"] == "DENY"
        assert reply.headers["cache-control"] == "no-store"
        assert "default-src 'self'" in reply.headers["content-security-policy"]
        assert len(reply.headers["x-request-id"]) == 32
        assert "server" not in reply.headers


def test_the_access_log_has_no_value_of_a_request(
    guarded: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """It names route, status, time and request; not the query, the path or the key."""
    with caplog.at_level(logging.DEBUG):
        row = example() | {"occupation": "Canary"}
        reply = guarded.post("/predict?Canary=1", row, X_API_Key=KEYS[0])
        assert reply.status == 200
        guarded.ask("PROPFIND", "/Canary", headers={"X-API-Key": KEYS[1]})
        guarded.get("/livez")
    lines = [each.message for each in caplog.records if each.name.endswith("middleware")]
    assert len(lines) == 2
    assert lines[0].startswith("POST /predict 200 ")
    assert lines[0].endswith(f"request {reply.headers['x-request-id']}")
    assert lines[1].startswith("OTHER other 404 ")
    assert "Canary" not in caplog.text
    assert all(key not in caplog.text for key in KEYS)


def test_options_do_not_show_their_keys() -> None:
    """A key does not reach a log with the options."""
    assert KEYS[0] not in repr(GateOptions(keys=KEYS))


def test_failures_of_any_application_have_no_traceback() -> None:
    """What is raised behind the gate is answered in the shape of every error, and counted."""

    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        raise ValueError("Canary")

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    metrics = Metrics()
    gate = Gate(failing, {"/model": frozenset({"GET"})}, metrics, GateOptions())
    scope = {"type": "http", "path": "/model", "method": "GET", "headers": []}
    asyncio.run(gate(scope, receive, send))
    assert sent[0]["status"] == 500
    assert b"Canary" not in sent[1]["body"]
    assert b'credit_ct_requests_total{route="/model",status="500"} 1.0' in metrics.text()


def test_a_websocket_is_closed() -> None:
    """The service has none."""
    sent: list[Message] = []

    async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    gate = Gate(nothing, {}, Metrics(), GateOptions())
    asyncio.run(gate({"type": "websocket"}, receive, send))
    assert [message["type"] for message in sent] == ["websocket.close"]

"""What `credit-ct status` and `credit-ct doctor` say of the service."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import gaierror
from threading import Thread
from typing import Any

import pytest

from credit_ct_dagster.errors.serving import ServiceDegradedError, ServiceSilentError
from credit_ct_dagster.operations.service import Service
from credit_ct_dagster.resources.bentoml_store import BentoMLStore
from credit_ct_dagster_tests.servers import free_port

_FIRST = {"tag": "m:1", "base_dt": "2025-01-01", "version": "1"}
_SECOND = {"tag": "m:2", "base_dt": "2025-01-02", "version": "2"}


def _worker(serving: dict[str, str] | None, **more: Any) -> dict[str, Any]:
    return {"pid": 7, "serving": serving, "problem": None, "log": {"status": "ready"}, **more}


def _ready(*workers: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "status": "ready", "model": _FIRST, "champion": _FIRST, "problem": None,
        "log": {"status": "ready"}, "workers": list(workers), **more,
    }  # fmt: skip


@contextmanager
def _answering(answer: Any, key: str = "") -> Iterator[Service]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/readyz"
            assert self.headers.get("X-API-Key", "") == key
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield Service(f"http://127.0.0.1:{server.server_port}", key or None)
        finally:
            server.shutdown()
            thread.join()


def test_a_service_that_is_not_used_fails_nothing() -> None:
    """Unless somebody configured where it is."""
    url = f"http://127.0.0.1:{free_port()}"
    assert Service(url).summary() == f"not running at {url} (credit-ct serve)"
    assert Service(url).require_healthy() == f"none runs at {url}"
    with pytest.raises(ServiceSilentError, match="Nothing listens at"):
        Service(url, is_expected=True).require_healthy()


def test_a_healthy_service_is_one_sentence() -> None:
    """With the model, its base date and the workers; asked with a key."""
    expected = "serving m:1 of base date 2025-01-01, 2 workers"
    with _answering(_ready(_worker(_FIRST), _worker(_FIRST)), key="k" * 16) as service:
        assert service.summary() == expected
        assert service.require_healthy() == expected
    assert "k" * 16 not in repr(service)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            _ready(_worker(_FIRST, problem="Package m:2 is gone."), status="degraded"),
            "Behind the champion: Package m:2 is gone.",
        ),
        (
            _ready(_worker(_FIRST), _worker(_SECOND), model=_SECOND, champion=_SECOND),
            "Worker 7 serves m:1, and the champion is m:2",
        ),
        (
            _ready(_worker(_FIRST, log={"status": "degraded", "problem": "MariaDB is away."})),
            "The log of predictions is degraded: MariaDB is away.",
        ),
        (_ready(status="not ready", model=None, champion=None), "it has no model"),
        ({"status": "not ready"}, "with one of its SERVING_API_KEYS it tells its model"),
    ],
)
def test_what_is_wrong_is_said(answer: dict[str, Any], said: str) -> None:
    """By any worker; `doctor` fails with it, and `status` shows it."""
    with _answering(answer) as service:
        assert said in service.summary()
        with pytest.raises(ServiceDegradedError, match=said):
            service.require_healthy()


def test_other_programs_get_what_the_service_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its address; that it does not run is a status, too."""
    with _answering(_ready(_worker(_FIRST)), key="k") as service:
        found = service.as_dict()
    assert (found["url"], found["status"], found["model"]) == (service.url, "ready", _FIRST)
    stopped = Service(f"http://127.0.0.1:{free_port()}")
    assert stopped.as_dict() == {"url": stopped.url, "status": "not running"}

    def unknown(*_: object, **__: object) -> None:
        raise gaierror(-2, "Name or service not known")

    monkeypatch.setattr("http.client.socket.create_connection", unknown)
    assert Service("http://serving:8000").as_dict()["status"] == "not running"
    monkeypatch.undo()
    with _answering(["another server"]) as service:
        found = service.as_dict()
    assert (found["status"], found["code"]) == ("silent", ServiceSilentError.code)


_SINCE = "2025-03-01T00:00:00.000+00:00"
_NOW = datetime(2025, 3, 5, tzinfo=UTC)


def test_the_state_is_a_record() -> None:
    """The model, since when, and every process with its own; problems as sentences."""
    behind = _worker(_SECOND, since=_SINCE, problem="Package m:1 is gone.")
    with _answering(_ready(_worker(_FIRST, since=_SINCE), behind, since=_SINCE)) as service:
        state = service.state(_NOW)
    assert (state.url, state.asked_at, state.is_expected) == (service.url, _NOW, False)
    assert (state.status, state.is_known, state.tag, state.champion) == (
        "ready",
        True,
        "m:1",
        "m:1",
    )
    assert [each.tag for each in state.instances] == ["m:1", "m:2"]
    assert {each.since for each in state.instances} == {datetime.fromisoformat(_SINCE)}
    assert state.problems == ("Behind the champion: Package m:1 is gone.",)


@pytest.mark.parametrize(
    "answer",
    [
        ["another server"],
        {"status": 7},
        {"status": "ready", "workers": "many"},
        {"status": "ready", "model": "m:1"},
        {"status": "ready", "since": "yesterday"},
    ],
)
def test_the_state_of_another_server_is_silent(answer: Any) -> None:
    """Whatever it answers, nothing is raised: the day's record is made all the same."""
    with _answering(answer) as service:
        state = service.state(_NOW)
    assert state.status == "silent"
    assert [ServiceSilentError.code in each for each in state.problems] == [True]


@pytest.mark.parametrize("url", ["http://host:port", "http://[::1", "no address"])
def test_the_state_at_no_address_is_silent_or_not_running(url: str) -> None:
    """A password in it is not repeated."""
    assert Service(url).state(_NOW).status in ("silent", "not running")
    state = Service("http://ada:hush@[::1").state(_NOW)
    assert "hush" not in state.model_dump_json()


def test_the_state_without_a_key_has_no_model() -> None:
    """Only whether it is ready."""
    with _answering({"status": "ready"}) as service:
        state = service.state(_NOW)
    assert (state.status, state.is_known, state.tag, state.problems) == ("ready", False, None, ())


def test_another_server_is_not_taken_for_the_service() -> None:
    """Its answer is something else."""
    with _answering(["hello"]) as service:
        with pytest.raises(ServiceSilentError, match="does not answer as the service does"):
            service.require_healthy()
        with pytest.raises(ServiceSilentError):
            service.summary()


@pytest.mark.parametrize(
    ("model_name", "why"),
    [
        ("churn", "it serves m:1, and the model of this installation is churn"),
        ("m", "it serves m:1, which is none of the packages of this installation"),
    ],
)
def test_the_service_of_another_installation_is_not_taken_for_the_own(
    tmp_path: Path, model_name: str, why: str
) -> None:
    """By the name of its model, or by its package: `doctor` fails, and `status` says why."""
    packages = BentoMLStore(home=str(tmp_path), model_name=model_name)
    with _answering(_ready(_worker(_FIRST))) as answering:
        service = replace(answering, packages=packages)
        for asked in (service.require_healthy, service.summary):
            with pytest.raises(ServiceSilentError, match=f"{why}. Is SERVICE_URL right") as raised:
                asked()
            assert "is that of another installation" in str(raised.value)
        assert service.as_dict()["status"] == "silent"
        assert why in service.state(_NOW).problems[0]

"""Who may call the service, and where it listens."""

import logging
import logging.config
import re
import socket
from pathlib import Path
from threading import Event

import pytest

from credit_ct_dagster.cli import service_app
from credit_ct_dagster.errors.inputs import SettingsError
from credit_ct_dagster.errors.serving import UnprotectedServiceError, UnusableAddressError
from credit_ct_dagster.serving.http.api_keys import read_api_keys
from credit_ct_dagster.serving.server import supervisor
from credit_ct_dagster.settings import Settings
from credit_ct_dagster_tests.servers import free_port

_FIRST, _SECOND = "k" * 16, "0123456789abcdef0123"


def test_keys_come_from_both_places(tmp_path: Path) -> None:
    """Several at once, so that one can be replaced without an interruption."""
    file = tmp_path / "keys"
    file.write_text(f"# of the shop\n{_SECOND}\n\n")
    assert read_api_keys(f" {_FIRST} ,", file) == [_FIRST, _SECOND]
    assert read_api_keys("", None) == []


@pytest.mark.parametrize("keys", ["short", "with a blank in it", "schlüsselschlüssel"])
def test_an_unusable_key_is_refused_and_not_repeated(keys: str) -> None:
    """It would be guessed, or could not be sent."""
    with pytest.raises(SettingsError, match="API key 2 of 2") as refused:
        read_api_keys(f"{_FIRST},{keys}", None)
    assert keys not in str(refused.value)


def test_a_file_without_keys_is_refused(tmp_path: Path) -> None:
    """Otherwise the service would be open to everybody."""
    file = tmp_path / "keys"
    with pytest.raises(SettingsError, match="cannot be read"):
        read_api_keys("", file)
    file.write_text("# none yet\n")
    with pytest.raises(SettingsError, match="holds no key"):
        read_api_keys("", file)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_needs_no_key(host: str) -> None:
    """Nobody else can call."""
    supervisor.require_protection(host, [])


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "example.com", ""])
def test_other_addresses_need_a_key(host: str) -> None:
    """Everybody could call."""
    with pytest.raises(UnprotectedServiceError, match="SERVING_API_KEYS"):
        supervisor.require_protection(host, [])
    supervisor.require_protection(host, [_FIRST])


def test_a_worker_without_keys_does_not_open_a_protected_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys that were taken away before SIGHUP leave the service without that worker."""
    monkeypatch.setattr(
        "credit_ct_dagster.entry_point.set_up_process", lambda _: Settings(serving_api_keys=None)
    )
    with pytest.raises(UnprotectedServiceError, match="SERVING_API_KEYS"):
        service_app._app(tmp_path, "0.0.0.0")


def test_an_address_that_cannot_be_used_is_explained() -> None:
    """Who holds the port, or what the system said."""
    with supervisor.listening("127.0.0.1", free_port()) as held:
        port = held.getsockname()[1]
        with pytest.raises(UnusableAddressError, match=f"Port {port} of 127.0.0.1 is held by"):
            supervisor.listening("127.0.0.1", port)
    with pytest.raises(UnusableAddressError, match="cannot listen on port"):
        supervisor.listening("203.0.113.1", port)


def test_ipv6_is_served() -> None:
    """An address with colons."""
    if not socket.has_ipv6:
        pytest.skip("no IPv6")
    try:
        with supervisor.listening("::1", free_port()) as listener:
            assert listener.family == socket.AF_INET6
    except UnusableAddressError:
        pytest.skip("this machine has no ::1")


@pytest.mark.parametrize("as_json", [True, False])
def test_the_processes_can_be_told_how_to_log(as_json: bool) -> None:
    """The configuration is one that `logging` takes; times are in UTC, and say so."""
    configured = supervisor.log_config(as_json)
    names = {name: logging.getLogger(name) for name in configured["loggers"]}
    before = {name: (each.handlers[:], each.level, each.propagate) for name, each in names.items()}
    try:
        logging.config.dictConfig(configured)
        [handler] = names["uvicorn"].handlers
        line = handler.format(logging.makeLogRecord({"msg": "ready"}))
        assert re.search(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z\b", line), line
    finally:
        for name, (handlers, level, propagate) in before.items():
            names[name].handlers, names[name].propagate = handlers, propagate
            names[name].setLevel(level)


def test_a_worker_ends_its_server_only_if_none_ever_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake in the configuration ends it; a disk that is full for a while does not."""
    monkeypatch.setattr(supervisor.time, "sleep", lambda _: None)
    assert supervisor.fail_to_start(tmp_path) == supervisor.CANNOT_START
    supervisor.note_start(tmp_path)
    assert supervisor.fail_to_start(tmp_path) == 1


def test_the_first_worker_that_starts_is_made_known(tmp_path: Path) -> None:
    """Whoever waits at the terminal sees that the service answers from now on."""
    known = Event()
    supervisor.when_started(tmp_path, known.set)
    assert not known.is_set()
    supervisor.note_start(tmp_path)
    assert known.wait(60)

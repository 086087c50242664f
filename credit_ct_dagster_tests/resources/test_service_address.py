"""Where the HTTP service is asked how it is, and with which key."""

from pathlib import Path

import dagster as dg

from credit_ct_dagster.resources.service_address import ServiceAddress
from credit_ct_dagster.settings import Settings
from credit_ct_dagster.wiring import Wiring

_KEY, _OTHER = "a" * 32, "b" * 32


def test_keys_are_named_and_not_shown_in_the_ui() -> None:
    """They are looked up when a run starts; a service that nobody configured need not run."""
    settings = Settings(_env_file=None, serving_api_keys=f"{_KEY},{_OTHER}", service_url="http://s")
    assert settings.exported()["SERVING_API_KEYS"] == f"{_KEY},{_OTHER}"
    named = Wiring(settings, secret=dg.EnvVar).service_address
    assert getattr(named.api_keys, "env_var_name", None) == "SERVING_API_KEYS"
    assert Wiring(settings).service_address.key == _KEY
    assert named.is_expected
    assert not Wiring(Settings(_env_file=None)).service_address.is_expected


def test_a_key_may_be_in_a_file(tmp_path: Path) -> None:
    """Without one that can be used, the service only says whether it is ready."""
    file = tmp_path / "keys"
    file.write_text(f"# of the callers\n{_OTHER}\n")
    assert ServiceAddress(api_keys_file=str(file)).key == _OTHER
    assert ServiceAddress(api_keys_file=str(tmp_path / "missing")).key is None
    assert ServiceAddress(api_keys="short").key is None
    assert ServiceAddress().key is None

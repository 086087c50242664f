"""What the stack's files promise about themselves."""

import re
from typing import Any

import pytest
import yaml

from credit_ct_dagster_tests.platform import REPOSITORY

_DEPLOY = REPOSITORY / "deploy"
_COMPOSE = (_DEPLOY / "compose.yaml").read_text()
_SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(_COMPOSE)["services"]
_END = {"migrate", "load"}
_OTHERS = {"mariadb", "adminer"}


def test_every_variable_is_documented_with_its_default() -> None:
    """`.env.example` lists what compose.yaml reads, and nothing that it does not."""
    read = dict(re.findall(r"\$\{(\w+):-([^}]*)\}", _COMPOSE))
    documented = dict(
        re.findall(r"^# ([A-Z_]+)=(.*)$", (_DEPLOY / ".env.example").read_text(), re.MULTILINE)
    )
    assert documented.pop("COMPOSE_PROFILES") == ""  # Compose itself reads it
    assert documented == read


def test_no_secret_is_in_the_files() -> None:
    """Every secret is a file of the folder that git ignores, made by `new-secrets`."""
    secrets = yaml.safe_load(_COMPOSE)["secrets"]
    made = re.search(r"for name in (.*); do", (_DEPLOY / "new-secrets").read_text())
    assert made is not None
    assert {f"{name}_password" for name in made[1].split()} == set(secrets)
    ignored = (REPOSITORY / ".gitignore").read_text().splitlines()
    assert "deploy/secrets/" in ignored
    for name, service in _SERVICES.items():
        used = set(re.findall(r"<(\w+)>", str(service.get("environment", {}))))
        assert used <= set(service.get("secrets", [])), name


@pytest.mark.parametrize("name", _SERVICES)
def test_nothing_is_open_to_the_network(name: str) -> None:
    """Ports are those of this machine only."""
    assert all(port.startswith("127.0.0.1:") for port in _SERVICES[name].get("ports", []))


@pytest.mark.parametrize("name", sorted(set(_SERVICES) - _END - {"adminer"}))
def test_what_serves_is_watched_and_comes_back(name: str) -> None:
    """By a health check and a restart policy."""
    assert _SERVICES[name]["healthcheck"]["test"]
    assert _SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", sorted(set(_SERVICES) - _OTHERS))
def test_what_is_ours_has_no_rights(name: str) -> None:
    """A file system that cannot be written, no capabilities, none to be had."""
    service = _SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]

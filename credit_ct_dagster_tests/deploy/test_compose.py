"""What the stack's files promise about themselves."""

import re
from typing import Any

import pytest
import yaml

from credit_ct_dagster_tests.platform import REPOSITORY

_DEPLOY = REPOSITORY / "deploy"
_FILES = [(_DEPLOY / name).read_text() for name in ("compose.yaml", "compose.tools.yaml")]
_COMPOSE = "\n".join(_FILES)
_SERVICES: dict[str, dict[str, Any]] = {
    name: service for file in _FILES for name, service in yaml.safe_load(file)["services"].items()
}
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
    secrets = yaml.safe_load(_FILES[0])["secrets"]
    assert all(each["file"].endswith(f"/{name}") for name, each in secrets.items())
    ignored = (REPOSITORY / ".gitignore").read_text().splitlines()
    assert "deploy/secrets/" in ignored
    for name, service in _SERVICES.items():
        used = set(re.findall(r"<(\w+)>", str(service.get("environment", {}))))
        paths = set(re.findall(r"/run/secrets/(\w+)", str(service)))
        assert used | paths <= set(service.get("secrets", [])), name


_SECRETS = {
    "mariadb": {
        "root_password", "feature_store_password", "feature_loader_password", "dagster_password",
        "mlflow_password", "optuna_password", "serving_password",
    },
    "mlflow": {"mlflow_password"},
    "migrate": {"dagster_password"},
    "code": {
        "dagster_password", "feature_store_password", "optuna_password", "smtp_password",
        "alert_webhook_url", "serving_metrics_key", "dask_certificate", "dask_key",
    },
    "serving": {
        "serving_password", "serving_api_keys", "serving_metrics_key", "alert_webhook_url",
    },
    "webserver": {"dagster_password", "ui_password"},
    "daemon": {"dagster_password"},
    "load": {"feature_loader_password"},
    "dask-scheduler": {"dask_certificate", "dask_key"},
    "dask-worker": {
        "feature_store_password", "optuna_password", "dask_certificate", "dask_key",
    },
    "prometheus": {"serving_metrics_key"},
    "adminer": set(),
}  # fmt: skip


@pytest.mark.parametrize("name", _SERVICES)
def test_a_service_has_the_secrets_that_it_needs_and_no_others(name: str) -> None:
    """The UI cannot read the feature store, and Dask's workers not Dagster's history."""
    assert set(_SERVICES[name].get("secrets", [])) == _SECRETS[name]


@pytest.mark.parametrize("variable", ["RUN_CONFIG", "DATA_SCHEMA"])
def test_a_file_of_the_operator_is_where_services_look_for_it(variable: str) -> None:
    """In every one that reads it, as a file: Docker makes no folder in its place."""
    sources = set()
    for name, service in _SERVICES.items():
        environment = service.get("environment", {})
        if path := environment.get(variable):
            [file] = [
                each
                for each in service["volumes"]
                if isinstance(each, dict) and each["target"] == path
            ]
            assert (file["type"], file["read_only"]) == ("bind", True), name
            sources.add(file["source"])
    assert sources == {f"${{{variable}:-/dev/null}}"}


def test_status_and_doctor_see_the_service() -> None:
    """In the container of the code location, at its own address, with a key that it accepts."""
    code, serving = (_SERVICES[name] for name in ("code", "serving"))
    port = serving["command"][serving["command"].index("--port") + 1]
    assert code["environment"]["SERVICE_URL"] == f"http://serving:{port}"
    assert code["environment"]["SERVING_API_KEYS"] in serving["environment"]["SERVING_API_KEYS"]


def test_alerts_of_the_service_link_to_the_ui_of_the_stack() -> None:
    """As those of runs do: where people open it, which nobody but they can know."""
    urls = {_SERVICES[name]["environment"]["WEBSERVER_URL"] for name in ("code", "serving")}
    assert urls == {"${WEBSERVER_URL:-http://127.0.0.1:3000}"}


def test_dask_workers_read_the_feature_store_of_the_run() -> None:
    """The customers that they score are those of its base date."""
    run, worker = (_SERVICES[name]["environment"] for name in ("code", "dask-worker"))
    assert worker["FEATURE_STORE_URL"] == run["FEATURE_STORE_URL"]


@pytest.mark.parametrize("name", ["code", "dask-scheduler", "dask-worker"])
def test_dask_is_encrypted_and_asks_for_a_certificate(name: str) -> None:
    """Whoever may connect to it has code executed."""
    environment = _SERVICES[name]["environment"]
    assert environment["DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION"] == "true"
    for role in ("SCHEDULER", "WORKER", "CLIENT"):
        prefix = f"DASK_DISTRIBUTED__COMM__TLS__{role}"
        assert environment[f"{prefix}__CERT"] == "/run/secrets/dask_certificate"
        assert environment[f"{prefix}__KEY"] == "/run/secrets/dask_key"


def test_the_ui_is_behind_its_guard() -> None:
    """Dagster's own webserver would answer to any web page."""
    assert _SERVICES["webserver"]["command"][:3] == ["credit-ct", "ui", "--no-daemon"]
    assert not [name for name, each in _SERVICES.items() if "dagster-webserver" in str(each)]


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

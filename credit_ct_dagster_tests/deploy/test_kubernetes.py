"""What the files for Kubernetes promise about themselves, without the chart at hand."""

from importlib.metadata import version
from pathlib import PurePosixPath
from typing import Any

import pytest
import yaml

from credit_ct_dagster_tests.platform import REPOSITORY

_DEPLOY = REPOSITORY / "deploy"
_FOLDER = _DEPLOY / "kubernetes"
_OBJECTS: dict[tuple[str, str], dict[str, Any]] = {
    (item["kind"], item["metadata"]["name"]): item
    for name in ("instance.yaml", "platform.yaml", "dask.yaml", "serving.yaml")
    for item in yaml.safe_load_all((_FOLDER / name).read_text())
}
_INSTANCE = yaml.safe_load(_OBJECTS["ConfigMap", "credit-ct-instance"]["data"]["dagster.yaml"])
_LAUNCHER = _INSTANCE["run_launcher"]["config"]
_VALUES = yaml.safe_load((_FOLDER / "values.yaml").read_text())
_CODE = _VALUES["dagster-user-deployments"]["deployments"][0]
_CHART_PODS = {
    "webserver": _VALUES["dagsterWebserver"],
    "daemon": _VALUES["dagsterDaemon"],
    "code location": _CODE,
}
_OUR_PODS = {
    name: item["spec"]["template"]["spec"]
    for (kind, name), item in _OBJECTS.items()
    if kind in ("Deployment", "StatefulSet")
}
_SERVICES = yaml.safe_load((_DEPLOY / "compose.yaml").read_text())["services"]
_DIFFERENT = {"run_launcher", "concurrency"}


def test_the_instance_is_that_of_the_compose_stack() -> None:
    """But for where runs are, and how many."""
    compose = yaml.safe_load((_DEPLOY / "dagster.yaml").read_text())
    assert set(_INSTANCE) == set(compose)
    assert {name for name in compose if _INSTANCE[name] != compose[name]} == _DIFFERENT


def test_the_code_location_is_started_as_by_compose() -> None:
    """The same module at the same port."""
    command = _SERVICES["code"]["command"]
    assert str(_CODE["port"]) == command[command.index("--port") + 1]
    assert _CODE["dagsterApiGrpcArgs"] == command[command.index("--module-name") :]
    [location] = yaml.safe_load(
        _OBJECTS["ConfigMap", "credit-ct-workspace"]["data"]["workspace.yaml"]
    )["load_from"]
    assert location["grpc_server"]["host"] == _CODE["name"]
    assert location["grpc_server"]["port"] == _CODE["port"]


def test_status_and_doctor_see_the_service() -> None:
    """At the address of its Kubernetes service."""
    [port] = _OBJECTS["Service", "credit-ct-serving"]["spec"]["ports"]
    settings = _OBJECTS["ConfigMap", "credit-ct"]["data"]
    assert settings["SERVICE_URL"] == f"http://credit-ct-serving:{port['port']}"


def test_alerts_link_to_the_ui() -> None:
    """Those of runs and those of the service, which read the same settings."""
    assert "WEBSERVER_URL" in _OBJECTS["ConfigMap", "credit-ct"]["data"]
    (container,) = _OUR_PODS["credit-ct-serving"]["containers"]
    assert {"configMapRef": {"name": "credit-ct"}} in container["envFrom"]
    assert {"name": "credit-ct"} in _CODE["envConfigMaps"]


@pytest.mark.parametrize("name", ["mlflow", "dask-scheduler", "dask-worker", "webserver"])
def test_what_the_chart_does_not_know_is_started_as_by_compose(name: str) -> None:
    """The same command, at the other address, and the same question for its health."""
    (container,) = _OUR_PODS[f"credit-ct-{name}"]["containers"]
    assert [part.replace("//credit-ct-", "//") for part in container["args"]] == _SERVICES[name][
        "command"
    ]
    assert (
        container["readinessProbe"]["exec"]["command"]
        == (_SERVICES[name]["healthcheck"]["test"][1:])
    )


def test_the_service_is_started_as_by_compose() -> None:
    """The same command; a pod keeps what the database has not taken on a volume of its own."""
    pod = _OUR_PODS["credit-ct-serving"]
    (container,) = pod["containers"]
    command = [
        part.replace("${SERVING_WORKERS:-2}", "2") for part in _SERVICES["serving"]["command"]
    ]
    assert container["args"] == command
    [state] = _OBJECTS["StatefulSet", "credit-ct-serving"]["spec"]["volumeClaimTemplates"]
    mounted = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    [folder] = [each["value"] for each in container["env"] if each["name"] == "SERVING_STATE_PATH"]
    assert mounted[folder] == state["metadata"]["name"]
    assert folder == _SERVICES["serving"]["environment"]["SERVING_STATE_PATH"]


def test_no_pod_has_rights() -> None:
    """A user without any, a file system that cannot be written, no capabilities; runs as well."""
    run = _LAUNCHER["run_k8s_config"]
    user, fence = run["pod_spec_config"]["security_context"], run["container_config"]
    assert user["runAsNonRoot"] is True
    assert fence["security_context"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    for name, pod in _CHART_PODS.items():
        assert pod["podSecurityContext"] == user, name
        assert pod["securityContext"] == fence["security_context"], name
    for name, pod in _OUR_PODS.items():
        assert pod["securityContext"] == user, name
        for container in pod["containers"]:
            assert container["securityContext"] == fence["security_context"], name


def test_every_pod_is_of_one_image() -> None:
    """Which has Dagster's launcher at the version of the other Dagster libraries."""
    images = {"{repository}:{tag}".format_map(pod["image"]) for pod in _CHART_PODS.values()} | {
        container["image"] for pod in _OUR_PODS.values() for container in pod["containers"]
    }
    assert len(images) == 1
    dockerfile = (_FOLDER / "Dockerfile").read_text()
    assert f"dagster-k8s=={version('dagster-mysql')} " in dockerfile


@pytest.mark.parametrize("name", _CHART_PODS)
def test_dagsters_pods_find_their_instance(name: str) -> None:
    """`DAGSTER_HOME` of the settings leads to our dagster.yaml, not to that of the chart."""
    pod = _CHART_PODS[name]
    settings = _OBJECTS["ConfigMap", pod["envConfigMaps"][0]["name"]]["data"]
    home = settings["DAGSTER_HOME"]
    assert home == _LAUNCHER["dagster_home"] != _VALUES["global"]["dagsterHome"]
    mounted = {mount["mountPath"]: mount["name"] for mount in pod["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    instance = volumes[mounted[str(PurePosixPath(home, "dagster.yaml"))]]
    assert instance["configMap"]["name"] == _LAUNCHER["instance_config_map"]
    assert ("ConfigMap", _LAUNCHER["instance_config_map"]) in _OBJECTS
    claim = volumes[mounted["/data"]]["persistentVolumeClaim"]["claimName"]
    assert ("PersistentVolumeClaim", claim) in _OBJECTS


def test_only_the_guarded_ui_is_served() -> None:
    """That of the chart would answer to any web page."""
    assert _VALUES["dagsterWebserver"]["replicaCount"] == 0


def _secrets(pod: dict[str, Any]) -> set[str]:
    """The Secrets that are variables of a pod of ours, as a whole or by a single key."""
    (container,) = pod["containers"]
    named = (each.get("secretRef", {}).get("name") for each in container.get("envFrom", []))
    single = (each.get("valueFrom", {}).get("secretKeyRef") for each in container.get("env", []))
    return {name for name in named if name} | {
        "{name}/{key}".format_map(each) for each in single if each
    }


def test_a_pod_has_the_secrets_that_it_needs_and_no_others() -> None:
    """The UI cannot read the feature store, and Dask's workers not Dagster's history."""
    assert {name: _secrets(pod) for name, pod in _OUR_PODS.items()} == {
        "credit-ct-mlflow": {"credit-ct-mlflow"},
        "credit-ct-webserver": {"credit-ct-history", "credit-ct-ui"},
        "credit-ct-serving": {"credit-ct-serving"},
        "credit-ct-dask-scheduler": set(),
        "credit-ct-dask-worker": {"credit-ct-search", "credit-ct/FEATURE_STORE_URL"},
    }
    assert {
        name: {each["name"] for each in pod["envSecrets"]} for name, pod in _CHART_PODS.items()
    } == {
        "webserver": {"credit-ct-history"},
        "daemon": {"credit-ct-history"},
        "code location": {"credit-ct-history", "credit-ct-search", "credit-ct"},
    }


def test_dask_is_encrypted_as_by_compose() -> None:
    """The same variables, with the files of a Secret."""
    ours = _OBJECTS["ConfigMap", "credit-ct-dask"]["data"]
    compose = {
        name: value
        for name, value in _SERVICES["dask-scheduler"]["environment"].items()
        if name.startswith("DASK_DISTRIBUTED")
    }
    files = {
        "/run/secrets/dask_certificate": "/run/dask/tls.crt",
        "/run/secrets/dask_key": "/run/dask/tls.key",
    }
    assert ours == {name: files.get(value, value) for name, value in compose.items()}


def test_no_secret_is_in_the_files() -> None:
    """Only the names of Secrets are."""
    assert not [key for key in _OBJECTS if key[0] == "Secret"]
    assert "://" not in str(_VALUES)
    settings = _OBJECTS["ConfigMap", "credit-ct"]["data"]
    assert not [name for name, value in settings.items() if "@" in value or "PASSWORD" in name]

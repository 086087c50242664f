"""A Dask scheduler as the stack starts it: whoever may connect to it has code executed."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import pytest
import yaml

from credit_ct_dagster import dask_scheduler
from credit_ct_dagster.errors.models import DaskUnavailableError
from credit_ct_dagster.search.dask_workers import DaskWorkers
from credit_ct_dagster_tests.certificates import self_signed
from credit_ct_dagster_tests.platform import REPOSITORY
from credit_ct_dagster_tests.servers import free_port

_STACK = yaml.safe_load((REPOSITORY / "deploy" / "compose.yaml").read_text())
_SECRETS = {"dask_certificate": 0, "dask_key": 1}

pytestmark = [
    # distributed 2026.8 leaves sockets and loops to the garbage collector when a client closes.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def _variables(certificate: tuple[Path, Path]) -> dict[str, str]:
    """The variables of the stack, with the files of a certificate."""
    found = {
        name: str(value)
        for name, value in _STACK["services"]["dask-scheduler"]["environment"].items()
    }
    for secret, file in _SECRETS.items():
        for name, value in found.items():
            found[name] = value.replace(f"/run/secrets/{secret}", str(certificate[file]))
    return found


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The stack's."""
    return self_signed(tmp_path_factory.mktemp("dask"), "dask")


@pytest.fixture(scope="module")
def scheduler(certificate: tuple[Path, Path]) -> Iterator[str]:
    """`host:port` of a scheduler that was started by the stack's command and variables."""
    port = str(free_port())
    program, *arguments = _STACK["services"]["dask-scheduler"]["command"]
    ports = {"8786": port, ":8787": ":0"}
    command = [Path(sys.executable).with_name(program), *(ports.get(one, one) for one in arguments)]
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
    process = subprocess.Popen(command, env=environment | _variables(certificate))
    yield f"127.0.0.1:{port}"
    process.terminate()
    process.wait()


def _connect(address: str, variables: dict[str, str]) -> None:
    nothing: Any = None
    configured = dask.config.merge(dask.config.config, dask.config.collect_env(variables))
    with dask.config.set(configured), DaskWorkers(address, nothing, nothing):
        pass


def test_a_run_with_the_certificate_connects(
    scheduler: str, certificate: tuple[Path, Path]
) -> None:
    """By its environment: nothing else of a run knows of it."""
    _connect(f"tls://{scheduler}", _variables(certificate))


@pytest.mark.parametrize("scheme", ["tcp", "tls"])
def test_who_has_no_certificate_is_refused(
    scheduler: str,
    certificate: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    scheme: str,
) -> None:
    """Neither in the clear nor with a certificate of one's own, though trusting the stack's."""
    _connect(f"tls://{scheduler}", _variables(certificate))
    monkeypatch.setattr(dask_scheduler, "_CONNECT_SECONDS", 1)
    variables: dict[str, str] = {}
    if scheme == "tls":
        variables = _variables(self_signed(tmp_path, "stranger"))
        variables["DASK_DISTRIBUTED__COMM__TLS__CA_FILE"] = str(certificate[0])
    with pytest.raises(DaskUnavailableError):
        _connect(f"{scheme}://{scheduler}", variables)

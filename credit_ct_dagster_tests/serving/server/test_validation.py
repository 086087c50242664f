"""A package is started as a server of its own, and asked golden rows over HTTP."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from credit_ct_dagster.contracts.golden import GoldenRows
from credit_ct_dagster.resources.bentoml_packages import PackagedModel
from credit_ct_dagster.scorer.scorer import DATA_FILE
from credit_ct_dagster.serving.golden import difference_of
from credit_ct_dagster.serving.packaging import SCORER
from credit_ct_dagster.serving.server import validation
from credit_ct_dagster.serving.server.validation import started_server
from credit_ct_dagster_tests.platform import REPOSITORY
from credit_ct_dagster_tests.serving.server import crashing_server
from credit_ct_dagster_tests.trained import Trained

pytestmark = pytest.mark.integration

_SECONDS = 120


@pytest.fixture(scope="module")
def packaged(trained: Trained) -> PackagedModel:
    """The package of a trained base date."""
    champion = trained.platform.promotions.champion()
    assert champion is not None
    return trained.platform.promotions.load(champion)


@pytest.fixture
def folder(trained: Trained, packaged: PackagedModel, tmp_path: Path) -> Path:
    """A copy of the folder of its MLflow model."""
    with trained.platform.packages.mlflow_model(packaged.identity.bentoml_tag) as model:
        return Path(shutil.copytree(model, tmp_path / "model"))


def served_difference(folder: Path, golden: GoldenRows, timeout_s: float) -> str | None:
    """What a server of its own says of a package."""
    with started_server(timeout_s) as server:
        return server.difference(folder, golden)


def _golden(packaged: PackagedModel) -> GoldenRows:
    assert packaged.golden is not None
    return packaged.golden


def test_golden_answers_are_the_scorers_to_the_last_bit(packaged: PackagedModel) -> None:
    """The pipeline computed them with scikit-learn, and the scorer from a package's data."""
    for row in _golden(packaged).rows:
        answer = packaged.scorer.score(row.features, reasons=False)
        assert (answer.credit_score, answer.probabilities) == (row.credit_score, row.probabilities)


def test_a_package_serves_and_its_server_is_stopped(
    packaged: PackagedModel, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every golden row is answered as the pipeline does, and nothing in the package changes."""
    started = []
    popen = subprocess.Popen

    def recorded(*arguments: object, **options: object) -> subprocess.Popen[bytes]:
        started.append(popen(*arguments, **options))  # type: ignore[call-overload]
        return started[-1]

    monkeypatch.setattr(validation.subprocess, "Popen", recorded)
    assert served_difference(folder, _golden(packaged), _SECONDS) is None
    [process] = started
    assert process.returncode is not None
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    assert not list(folder.rglob("__pycache__"))


def test_a_wrong_scale_is_found(packaged: PackagedModel, folder: Path) -> None:
    """In the server as in this process: the first row that differs is named, and no value."""
    file = folder / SCORER / DATA_FILE
    data = json.loads(file.read_text())
    data["scales"]["outstanding_debt"]["scale"] *= 3
    file.write_text(json.dumps(data))
    problem = served_difference(folder, _golden(packaged), _SECONDS)
    assert problem is not None
    assert " golden rows get another answer than the pipeline's; the first has index " in problem
    assert problem == difference_of(type(packaged.scorer).open(folder / SCORER), _golden(packaged))


@pytest.mark.parametrize(
    ("file", "line", "problem"),
    [
        ("mlflow_model.py", "def", "loaded by MLflow, it fails with "),
        (
            f"{SCORER}/code/class_rule.py",
            "ClassRule.numbers = lambda _rule, scores, _shares: 0 * scores[:, 0].astype(int)",
            "loaded by MLflow, ",
        ),
    ],
)
def test_the_packages_own_code_is_asked(
    packaged: PackagedModel, folder: Path, file: str, line: str, problem: str
) -> None:
    """It answers where this platform is not installed, whose own code is right meanwhile."""
    script = folder / file
    script.write_text(f"{script.read_text()}\n{line}\n")
    found = served_difference(folder, _golden(packaged), _SECONDS)
    assert found is not None
    assert found.startswith(problem)


def test_a_package_that_cannot_start_is_named_with_its_error(
    packaged: PackagedModel, folder: Path
) -> None:
    """The last line of the server is the reason."""
    (folder / SCORER / DATA_FILE).write_text("{")
    problem = served_difference(folder, _golden(packaged), _SECONDS)
    assert problem is not None
    assert problem.startswith("its server ended with exit code 1 (")
    assert f"{DATA_FILE} is not a valid ScorerRecord record" in problem


def test_the_time_is_bounded(packaged: PackagedModel, folder: Path) -> None:
    """A server that does not answer is killed."""
    problem = served_difference(folder, _golden(packaged), 0.05)
    assert problem == "it did not start and answer within 0.05 s"


def test_the_server_knows_no_secret(
    packaged: PackagedModel, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package is foreign code to some degree: it gets nothing of the platform's environment."""
    monkeypatch.setattr(validation, "_SERVER", crashing_server.__name__)
    monkeypatch.setenv("FEATURE_STORE_URL", "mysql+pymysql://user:secret@host/mlops")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    problem = served_difference(folder, _golden(packaged), _SECONDS)
    assert problem is not None
    opening, _, names = problem.removesuffix(")").partition(" (")
    assert opening == "its server ended with exit code 3"
    assert set(names.split()) <= {
        *validation._PASSED_ON, "PYTHONPATH", "HOME", "BENTOML_HOME", "BENTOML_DO_NOT_TRACK",
        "MLFLOW_DISABLE_TELEMETRY", "PYTHONDONTWRITEBYTECODE", "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS", "LC_CTYPE",
    }  # fmt: skip


@pytest.mark.parametrize("serving", [False, True])
def test_a_server_ends_with_its_parent(folder: Path, tmp_path: Path, serving: bool) -> None:
    """A killed run leaves none behind, whether it waits for a package or serves one."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = subprocess.Popen(
            [sys.executable, "-m", validation._SERVER, str(listening.fileno())],
            pass_fds=[listening.fileno()],
            cwd=tmp_path,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(REPOSITORY),
                "BENTOML_HOME": str(tmp_path / "bentoml"),
            },
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
    try:
        assert server.stdin is not None
        if serving:
            server.stdin.write(json.dumps(str(folder)).encode() + b"\n")
        server.stdin.close()
        assert server.wait(timeout=60) == 0
    finally:
        server.kill()
        server.wait()

"""An environment of its own for every test, and real servers."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from credit_ct_dagster.settings import Settings

# Nothing of this machine's own environment or `.env` reaches a test, whatever settings there are.
# BentoML reads its variable when it is imported, hence before everything else.
_SESSION = Path(tempfile.mkdtemp(prefix="credit-ct-tests-"))
_STARTED_IN = Path.cwd()
os.chdir(_SESSION)
for _name in [*Settings.model_fields, "dagster_home", "dagster_storage_url"]:
    os.environ.pop(_name.upper(), None)
os.environ["BENTOML_HOME"] = str(_SESSION / "bentoml")
# The workers of pytest share the cores already.
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))

import gc  # noqa: E402
import shutil  # noqa: E402
import ssl  # noqa: E402

import dagster as dg  # noqa: E402
import hypothesis  # noqa: E402
import pytest  # noqa: E402
import yaml  # noqa: E402
from alembic.config import Config  # noqa: E402
from alembic.script import ScriptDirectory  # noqa: E402

from credit_ct_dagster.resources.feature_store.store import FeatureStore  # noqa: E402
from credit_ct_dagster_tests.dagster_internals import (  # noqa: E402
    engines_remembered,
    no_instance_remembered,
)
from credit_ct_dagster_tests.mariadb import MariaDB  # noqa: E402
from credit_ct_dagster_tests.platform import (  # noqa: E402
    REPOSITORY,
    Platform,
    Templates,
    load_sample_rows,
)
from credit_ct_dagster_tests.scheduling import LONGEST, ByFile  # noqa: E402
from credit_ct_dagster_tests.trained import Trained  # noqa: E402

os.chdir(_STARTED_IN)


# A loaded machine is slow, and no example is too slow for its result.
_examples = 50 if os.environ.get("CI") == "true" else 20
hypothesis.settings.register_profile("no deadline", deadline=None, max_examples=_examples)
hypothesis.settings.load_profile("no deadline")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the files that take longest, so that all workers end together."""

    def place(item: pytest.Item) -> int:
        return LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST)

    items.sort(key=place)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile | None:
    """Distribute files, where they are distributed."""
    return ByFile(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_finish() -> None:
    """Look for garbage less often, and not among what was imported: a twentieth of all time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(scope="session", autouse=True)
def _session_folder() -> Iterator[None]:
    """What a test writes to relative paths goes to a folder that is removed."""
    os.chdir(_SESSION)
    yield
    os.chdir(_STARTED_IN)
    shutil.rmtree(_SESSION, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def _no_instance_of_another_test() -> Iterator[None]:
    """Fixtures of sessions and modules open instances inside of those of tests."""
    with no_instance_remembered():
        yield


@pytest.fixture(autouse=True)
def _no_history_of_another_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fixture of the session that holds an instance open names it in DAGSTER_HOME."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)


@pytest.fixture(scope="session", autouse=True)
def _engines_are_made_once() -> Iterator[None]:
    """Those of the databases of instances."""
    with engines_remembered():
        yield


@pytest.fixture(scope="session", autouse=True)
def _authorities_are_not_read() -> Iterator[None]:
    """PyMySQL reads all that this machine trusts for each connection, which takes 15 ms.

    No server of a test has a certificate of theirs, but of a file that the test names.
    """
    read, given = ssl.SSLContext.load_default_certs, os.environ.get("SSL_CERT_FILE")

    def read_named(context: ssl.SSLContext, *purpose: ssl.Purpose) -> None:
        if os.environ.get("SSL_CERT_FILE") != given:
            read(context, *purpose)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssl.SSLContext, "load_default_certs", read_named)
        yield


@pytest.fixture(scope="session", autouse=True)
def _migrations_are_read_once() -> Iterator[None]:
    """Dagster loads all its migrations twice to store the events of a run: a tenth of its time."""
    found: dict[str | None, ScriptDirectory] = {}
    read = ScriptDirectory.from_config

    def from_config(config: Config) -> ScriptDirectory:
        place = config.get_main_option("script_location")
        if place not in found:
            found[place] = read(config)
        return found[place]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ScriptDirectory, "from_config", from_config)
        yield


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDB]:
    """A MariaDB server on a free port; skipped without `mariadbd`, which fails under CI=true."""
    if MariaDB.program() is None:
        reason = "mariadbd is not installed (apt-get install mariadb-server)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with MariaDB.running(tmp_path_factory.mktemp("mariadb")) as server:
        yield server


@pytest.fixture(params=["sqlite", "mariadb"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty feature store, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/feature_store.db"
    return request.getfixturevalue("mariadb").new_database()


@pytest.fixture(scope="session")
def empty_history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a Dagster instance whose databases exist: to copy is six times as fast."""
    folder = tmp_path_factory.mktemp("history") / "dagster"
    folder.mkdir()
    with dg.instance_for_test(temp_dir=str(folder)) as instance:
        instance.get_runs()
        instance.all_asset_keys()
    return folder


@pytest.fixture
def instance(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    empty_history: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dg.DagsterInstance]:
    """A Dagster instance of its own; with the parameter `mariadb`, stored as in the stack."""
    overrides = {}
    folder = tmp_path_factory.mktemp("instance") / "dagster"
    shutil.copytree(empty_history, folder)
    if getattr(request, "param", "sqlite") == "mariadb":
        url = request.getfixturevalue("mariadb").new_database()
        monkeypatch.setenv("DAGSTER_STORAGE_URL", url.replace("pymysql", "mysqlconnector"))
        stack = yaml.safe_load((REPOSITORY / "deploy" / "dagster.yaml").read_text())
        overrides = {"storage": stack["storage"]}
    with dg.instance_for_test(overrides, temp_dir=str(folder)) as instance:
        yield instance


@pytest.fixture
def history(
    empty_history: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dg.DagsterInstance]:
    """The Dagster instance that commands use."""
    home = shutil.copytree(empty_history, tmp_path / "home")
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with dg.DagsterInstance.get() as instance:
        yield instance


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    """Stores to copy."""
    from mlflow import MlflowClient

    folder = tmp_path_factory.mktemp("templates")
    made = Templates(folder / "mlflow.db", folder / "feature_store.db")
    MlflowClient(f"sqlite:///{made.mlflow}").search_experiments()
    load_sample_rows(FeatureStore(url=f"sqlite:///{made.feature_store}"))
    return made


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, templates: Templates) -> Iterator[Trained]:
    """One base date, trained once for all tests that change nothing."""
    with Trained.on(tmp_path_factory.mktemp("trained"), templates, scores=True) as trained:
        yield trained


@pytest.fixture
def trained_copy(trained: Trained, tmp_path: Path) -> Iterator[Trained]:
    """The same, for a test that changes it."""
    with trained.copied(tmp_path) as copy:
        yield copy


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts follow each other at once in this process."""
    monkeypatch.setattr(dg.RetryPolicy, "calculate_delay", lambda *_: 0)


@pytest.fixture
def platform(tmp_path: Path, templates: Templates) -> Platform:
    """The whole platform in a folder, on SQLite, with sample rows."""
    return Platform.prepared(tmp_path, templates)

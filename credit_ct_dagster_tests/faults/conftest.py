"""Platforms to disturb, and undisturbed ones to compare them with."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml

from credit_ct_dagster_tests.faults.attempts import CONFIG, SEARCH, Attempt, Start
from credit_ct_dagster_tests.mariadb import MariaDB
from credit_ct_dagster_tests.platform import Platform, Templates

_TIMEOUT_SECONDS = 1800  # of a test: some start dozens of runs


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Allow these tests more time than the others."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(_TIMEOUT_SECONDS))


def _undisturbed(folder: Path, templates: Templates, url: str | None = None) -> Platform:
    platform = Platform.prepared(folder, templates, url)
    with dg.instance_for_test() as instance:
        assert platform.materialize(instance, search=SEARCH).success
    return platform


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, templates: Templates) -> Platform:
    """The same rows and the same search without a fault."""
    return _undisturbed(tmp_path_factory.mktemp("undisturbed"), templates)


@pytest.fixture
def disturbed(platform: Platform) -> Platform:
    """A platform with the configuration of the search."""
    (platform.folder / "small.yaml").write_text(yaml.safe_dump(CONFIG))
    return platform


@pytest.fixture(scope="session")
def durable_mariadb(
    tmp_path_factory: pytest.TempPathFactory, mariadb: MariaDB
) -> Iterator[MariaDB]:
    """A server to kill, which has on disk every transaction that it has committed."""
    folder = tmp_path_factory.mktemp("durable_mariadb")
    with MariaDB.running(folder, "--innodb-flush-log-at-trx-commit=1") as server:
        yield server


@pytest.fixture(scope="session")
def undisturbed_on_mariadb(
    tmp_path_factory: pytest.TempPathFactory, templates: Templates, mariadb: MariaDB
) -> Platform:
    """As `undisturbed`: MariaDB stores numbers with fewer digits than SQLite."""
    folder = tmp_path_factory.mktemp("undisturbed_on_mariadb")
    return _undisturbed(folder, templates, mariadb.new_database())


@pytest.fixture
def disturbed_on_mariadb(
    tmp_path: Path, templates: Templates, durable_mariadb: MariaDB
) -> Platform:
    """As `disturbed`, with the feature store on the server to kill."""
    platform = Platform.prepared(tmp_path / "platform", templates, durable_mariadb.new_database())
    (platform.folder / "small.yaml").write_text(yaml.safe_dump(CONFIG))
    return platform


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts runs as processes; those that are still running after the test are killed."""
    attempts: list[Attempt] = []

    def started(platform: Platform, *command: str, **environment: str) -> Attempt:
        attempts.append(Attempt(platform, command, environment))
        return attempts[-1]

    yield started
    for attempt in attempts:
        attempt.kill()

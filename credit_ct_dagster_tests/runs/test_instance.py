"""The Dagster instance of commands, when its history cannot be read."""

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from credit_ct_dagster.errors.operation import HistoryUnavailableError
from credit_ct_dagster.errors.stores import FeatureStoreUnavailableError
from credit_ct_dagster.runs.instance import configured_instance

_MYSQL = "storage: {{mysql: {{mysql_url: {url}}}}}"
_CLOSED = _MYSQL.format(url="'mysql+mysqlconnector://u:hush@127.0.0.1:1/dagster'")


def _said(home: Path, monkeypatch: pytest.MonkeyPatch, described: str | None = None) -> str:
    if described is not None:
        (home / "dagster.yaml").write_text(described)
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with pytest.raises(HistoryUnavailableError) as caught, configured_instance() as instance:
        instance.get_runs_count()
    sentence = caught.value.sentence
    assert f"(where {home}/dagster.yaml says)" in sentence
    assert len(sentence) < 700
    assert "hush" not in sentence
    return sentence


@pytest.mark.parametrize(
    ("described", "cause"),
    [
        (_CLOSED, "Can't connect to MySQL server on '127.0.0.1:1'"),
        (_MYSQL.format(url="{env: NOWHERE_SET}"), "NOWHERE_SET"),
        ("storaje: {}", "'storaje' is not expected (did you mean storage?)"),
        ("storage: [", "line 1, column 11"),
    ],
)
def test_an_instance_that_cannot_be_opened_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, described: str, cause: str
) -> None:
    """Its server is down, a variable is missing, or its description cannot be used: which one."""
    assert cause in _said(tmp_path, monkeypatch, described)


def test_a_home_that_does_not_exist_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its folder."""
    assert "is not a directory or does not exist" in _said(tmp_path / "none", monkeypatch)


def test_a_database_that_fails_later_is_the_same_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was opened, and does not answer when it is asked."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}")
    with configured_instance() as instance:
        instance.get_runs_count()
    with sqlite3.connect(tmp_path / "history" / "runs.db") as database:
        database.execute("DROP TABLE runs")
    assert "no such table: runs" in _said(tmp_path, monkeypatch)


def test_what_is_not_of_its_database_stays_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake of a command, and an error of ours that a database of the platform caused."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}")
    away = FeatureStoreUnavailableError("The feature store is away.")
    away.__cause__ = OperationalError("SELECT 1", {}, Exception())
    for error in (OSError("no port"), away):
        with pytest.raises(type(error)) as caught, configured_instance():
            raise error
        assert caught.value is error

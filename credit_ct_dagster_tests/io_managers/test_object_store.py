"""Artifacts in S3, with a real client and moto's server."""

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import dagster as dg
import pytest
import s3fs

from credit_ct_dagster.contracts.files import MODEL_FOLDER, PREPROCESSING_FOLDER
from credit_ct_dagster.errors.base import CreditCtError
from credit_ct_dagster.errors.models import OvertakenDecisionError
from credit_ct_dagster.errors.stores import (
    ArtifactsNotWritableError,
    ArtifactsUnavailableError,
    MissingArtifactError,
)
from credit_ct_dagster.io_managers.artifacts import FOLDER, ArtifactsIOManager
from credit_ct_dagster.io_managers.decisions import DecisionRecords
from credit_ct_dagster_tests.io_managers.test_decisions import append, record
from credit_ct_dagster_tests.object_store import S3
from credit_ct_dagster_tests.platform import BASE_DT, Platform, failure_of

_DAY = "2025-01-31"
_FILES = {"summary.json": {"rows": 1}, "card.html": "<p>é</p>"}


@pytest.fixture(scope="module")
def server() -> Iterator[S3]:
    """A server for all tests of this file."""
    with S3.running() as server:
        yield server


@pytest.fixture
def s3(server: S3, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    """Emptied."""
    server.emptied(monkeypatch)
    yield server
    server.forget_clients()


def _artifacts(url: str = "s3://bucket/prefix") -> ArtifactsIOManager:
    return ArtifactsIOManager(base_path=url, model_name="m")


def test_artifacts_are_written_listed_read_and_deleted(s3: S3) -> None:
    """As on a disk; what is not there yet is an empty list and a sentence."""
    artifacts = _artifacts()
    assert list(artifacts.open_all(MODEL_FOLDER)) == []
    with pytest.raises(MissingArtifactError, match=r"summary\.json does not exist: materialize"):
        artifacts.open(MODEL_FOLDER, _DAY)["summary.json"]
    artifacts.write(MODEL_FOLDER, _DAY, _FILES)
    [(base_dt, folder)] = artifacts.open_all(MODEL_FOLDER)
    assert base_dt == _DAY
    assert sorted(folder) == ["card.html", "summary.json"]
    assert "summary.json" in folder
    assert folder["summary.json"] == {"rows": 1}
    assert sum(artifacts.sizes(MODEL_FOLDER)[_DAY].values()) > 8
    artifacts.delete(MODEL_FOLDER, _DAY)
    assert artifacts.sizes(MODEL_FOLDER) == {}
    assert artifacts.probe() is None
    assert list(s3fs.S3FileSystem().find("bucket")) == []


def test_a_bucket_is_never_made(s3: S3) -> None:
    """A typing error in ARTIFACTS_PATH is a sentence, in every way of reaching it."""
    artifacts = _artifacts("s3://typo/x")
    attempts: list[Any] = [
        artifacts.probe,
        lambda: artifacts.write(PREPROCESSING_FOLDER, _DAY, _FILES),
        lambda: artifacts.open(MODEL_FOLDER, _DAY)["summary.json"],
        lambda: list(artifacts.open_all(MODEL_FOLDER)),
        lambda: artifacts.sizes(MODEL_FOLDER),
        DecisionRecords(artifacts).read,
        lambda: DecisionRecords(artifacts).append(record(1)),
    ]
    for attempt in attempts:
        with pytest.raises(ArtifactsNotWritableError, match=r"bucket of s3://typo/x.* not exist"):
            attempt()
    assert s3.buckets() == ["bucket"]


def test_what_another_machine_wrote_is_seen(s3: S3) -> None:
    """The client remembers what it listed; decisions and base dates are listed afresh."""
    artifacts = _artifacts()
    records = DecisionRecords(artifacts)
    append(records)
    assert [day for day, _ in artifacts.open_all(MODEL_FOLDER)] == []
    elsewhere = s3fs.S3FileSystem(skip_instance_cache=True)
    second = record(2, "elsewhere", records.read().newest_sha256)
    elsewhere.pipe_file("bucket/prefix/promotions/m/000002.json", second.to_json())
    elsewhere.pipe_file(f"bucket/prefix/models/m/{_DAY}/summary.json", b"{}")
    assert [day for day, _ in artifacts.open_all(MODEL_FOLDER)] == [_DAY]
    assert append(records, "here").number == 3
    assert [each.by for each in records.read().records] == ["gate", "elsewhere", "here"]


def test_a_decision_is_stored_only_under_a_free_name(
    s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store itself refuses, also after a listing without the newest; its own retry is none."""
    artifacts = _artifacts()
    records = DecisionRecords(artifacts)
    made = append(records)
    with monkeypatch.context() as patch:
        patch.setattr("credit_ct_dagster.io_managers.places.names_in", lambda folder: [])
        with pytest.raises(OvertakenDecisionError):
            records.append(record(1, "another"))
        # The first answer was lost on its way, and the client has sent the same once more.
        records.append(made)
    assert [each.by for each in records.read().records] == ["gate"]
    assert records.verify() == "1 in an unbroken chain"


def _fails(artifacts: ArtifactsIOManager) -> list[CreditCtError]:
    """What reading, listing, writing and the doctor's probe raise."""
    errors = []
    for attempt in (
        lambda: artifacts.open(MODEL_FOLDER, _DAY)["summary.json"],
        lambda: list(artifacts.open_all(MODEL_FOLDER)),
        lambda: artifacts.write(MODEL_FOLDER, _DAY, _FILES),
        artifacts.probe,
    ):
        with pytest.raises(CreditCtError) as caught:
            attempt()
        errors.append(caught.value)
    return errors


def test_a_store_that_is_down_is_an_outage(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sentence, and of the kind that steps are retried for."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setattr("s3fs.S3FileSystem.retries", 1)
    s3.forget_clients()
    for error in _fails(_artifacts()):
        assert isinstance(error, ArtifactsUnavailableError)
        assert str(error).startswith("The object store of s3://bucket/prefix")
        assert "does not answer: Could not connect to the endpoint URL" in str(error)


def test_missing_credentials_are_a_sentence(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback, and no further attempt."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    s3.forget_clients()
    for error in _fails(_artifacts()):
        assert isinstance(error, ArtifactsNotWritableError)
        assert "refused access" in str(error)
        assert "Unable to locate credentials" in str(error)


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("s3://bucket/x", "Install s3fs to access S3"),
        ("s4://bucket/x", "Unsupported filesystem: 's4'"),
    ],
)
def test_a_library_that_is_missing_is_a_sentence(
    s3: S3, monkeypatch: pytest.MonkeyPatch, url: str, cause: str
) -> None:
    """The one that fsspec needs for the protocol, or a protocol that does not exist."""
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)
    for error in _fails(_artifacts(url)):
        assert isinstance(error, ArtifactsNotWritableError)
        assert cause in str(error)


def _materialized(artifacts: ArtifactsIOManager) -> dg.ExecuteInProcessResult:
    @dg.asset(partitions_def=dg.StaticPartitionsDefinition([_DAY]), metadata={FOLDER: MODEL_FOLDER})
    def written() -> dict[str, Any]:
        return _FILES

    return dg.materialize(
        [written],
        partition_key=_DAY,
        resources={"io_manager": artifacts},
        raise_on_error=False,
    )


@pytest.mark.usefixtures("no_waiting")
def test_a_step_that_cannot_write_is_tried_again(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the store is down; what it refuses is not tried again."""
    attempts: list[str] = []
    pipe_file = s3fs.S3FileSystem.pipe_file

    def down_twice(self: Any, path: str, *rest: Any, **options: Any) -> Any:
        attempts.append(path)
        if len(attempts) <= 2:
            raise OSError(5, "Please reduce your request rate")
        return pipe_file(self, path, *rest, **options)

    monkeypatch.setattr(s3fs.S3FileSystem, "pipe_file", down_twice)
    assert _materialized(_artifacts()).success
    assert len(attempts) == 4
    refused = _materialized(_artifacts("s3://typo/x"))
    assert f"Base date {_DAY}: The bucket of s3://typo/x does not exist" in failure_of(refused)
    assert len(attempts) == 5


@pytest.mark.parametrize("command", [("status",), ("report",), ("prune",)])
def test_commands_report_a_store_that_is_down(
    s3: S3, platform: Platform, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    """One line with the code, no traceback; and that of the doctor is one of its lines."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setattr("s3fs.S3FileSystem.retries", 1)
    s3.forget_clients()
    done = _in_s3(platform).command(*command)
    assert done.exit_code == 1
    assert "The object store of s3://bucket/credit-ct" in done.output
    assert done.output.endswith("See CT-FILES-7: docs/runbook.md#ct-files-7\n")
    assert "Traceback" not in done.output


def _in_s3(platform: Platform) -> Platform:
    moved = replace(platform)
    settings = platform.settings.model_copy(update={"artifacts_path": "s3://bucket/credit-ct"})
    vars(moved)["settings"] = settings  # cached
    return moved


@pytest.mark.integration
def test_a_base_date_is_trained_with_artifacts_in_s3(
    s3: S3, platform: Platform, instance: dg.DagsterInstance
) -> None:
    """The whole job: every file is there, the records agree, and the status reads them."""
    in_s3 = _in_s3(platform)
    result = in_s3.materialize(instance)
    assert result.success, failure_of(result)
    assert in_s3.decision_record().decision.promoted
    assert in_s3.promotions.decisions.verify() == "1 in an unbroken chain"
    assert in_s3.promotions.agreement().startswith("version 1 of base date")
    [status] = json.loads(in_s3.command("status", "--json").output)
    assert (status["base_dt"], status["state"]) == (BASE_DT, "packaged")
    assert status["decision"] == "promoted: first"
    assert not (platform.folder / "artifacts").exists()

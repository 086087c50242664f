"""Records of decisions: none is lost, replaced, changed or deleted unnoticed."""

import multiprocessing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from credit_ct_dagster.contracts.decision import Decision, DecisionRecord, Ground
from credit_ct_dagster.contracts.files import DECISION_FILE, MODEL_FOLDER
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.errors.models import ChangedDecisionsError, OvertakenDecisionError
from credit_ct_dagster.errors.stores import UnreadableRecordError
from credit_ct_dagster.io_managers.artifacts import ArtifactsIOManager
from credit_ct_dagster.io_managers.decisions import DecisionRecords


def record(number: int, by: str = "gate", preceding: str | None = None) -> DecisionRecord:
    """Any decision."""
    model = ModelIdentity(
        base_dt=f"2025-03-{number:02d}",
        mlflow_run_id="m",
        dagster_run_id="d",
        data_fingerprint="f",
        registered_version=str(number),
    )
    return DecisionRecord(
        number=number,
        time=datetime(2025, 3, number, tzinfo=UTC),
        by=by,
        reason=None,
        dagster_run_id=None,
        model=model,
        before=None,
        decision=Decision(promoted=True, ground=Ground.first, sentence="Promoted."),
        champion=str(number),
        previous=None,
        preceding_sha256=preceding,
    )


def append(records: DecisionRecords, by: str = "gate") -> DecisionRecord:
    """Record a decision after those that are there."""
    known = records.read()
    made = record(known.next_number, by, known.newest_sha256)
    records.append(made)
    return made


@pytest.fixture
def artifacts(tmp_path: Path) -> ArtifactsIOManager:
    """Artifacts in a folder."""
    return ArtifactsIOManager(base_path=str(tmp_path), model_name="m")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the records are."""
    return tmp_path / "promotions" / "m"


def test_a_decision_never_takes_the_place_of_another(
    artifacts: ArtifactsIOManager, folder: Path
) -> None:
    """Two that were based on the same records: the second is refused, and may decide again."""
    records = DecisionRecords(artifacts)
    append(records)
    known = records.read()
    records.append(record(2, "the first", known.newest_sha256))
    with pytest.raises(OvertakenDecisionError, match="Decision 2 on base date 2025-03-02 was not"):
        records.append(record(2, "the second", known.newest_sha256))
    assert [each.by for each in records.read().records] == ["gate", "the first"]
    assert sorted(path.name for path in folder.iterdir()) == ["000001.json", "000002.json"]


def _append_often(path: str, by: str, barrier: Any, written: Any) -> None:
    records = DecisionRecords(ArtifactsIOManager(base_path=path, model_name="m"))
    barrier.wait(30)
    for _ in range(10):
        try:
            written.put(f"{by} {append(records, by).number}")
        except OvertakenDecisionError:
            continue


def test_two_processes_without_a_lock_lose_no_decision(tmp_path: Path) -> None:
    """Every decision that one of them recorded is there, with the number it was given."""
    context = multiprocessing.get_context("fork")
    barrier, written = context.Barrier(2), context.Queue()
    writers = [
        context.Process(target=_append_often, args=(str(tmp_path), by, barrier, written))
        for by in ("one", "two")
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    expected = sorted(written.get(timeout=5) for _ in range(len(_names(tmp_path))))
    assert written.empty()
    records = DecisionRecords(ArtifactsIOManager(base_path=str(tmp_path), model_name="m"))
    found = [f"{each.by} {each.number}" for each in records.read().records]
    assert sorted(found) == expected
    assert records.verify() == f"{len(found)} in an unbroken chain"


def _names(path: Path) -> list[str]:
    return [each.name for each in (path / "promotions" / "m").iterdir()]


def test_a_number_is_never_given_twice(artifacts: ArtifactsIOManager, folder: Path) -> None:
    """Somebody deleted the first record: the next one still comes after the newest."""
    records = DecisionRecords(artifacts)
    for _ in range(3):
        append(records)
    (folder / "000001.json").unlink()
    assert append(records).number == 4
    with pytest.raises(ChangedDecisionsError, match="decision 1 is missing"):
        records.verify()


def test_a_changed_decision_is_noticed(artifacts: ArtifactsIOManager, folder: Path) -> None:
    """By the hash in the one after it; and a file under another number as well."""
    records = DecisionRecords(artifacts)
    for _ in range(3):
        append(records)
    assert records.verify() == "3 in an unbroken chain"
    second = folder / "000002.json"
    original = second.read_text()
    second.write_text(original.replace("Promoted.", "Not so."))
    with pytest.raises(
        ChangedDecisionsError, match="decision 2 was changed after decision 3 was recorded"
    ):
        records.verify()
    second.write_text((folder / "000001.json").read_text())
    with pytest.raises(ChangedDecisionsError, match="file of decision 2 holds decision 1"):
        records.verify()


def test_records_of_earlier_releases_begin_the_chain(
    artifacts: ArtifactsIOManager, folder: Path
) -> None:
    """They have no hash of the one before; the next one has theirs."""
    folder.mkdir(parents=True)
    for number in (1, 2):
        old = record(number).model_dump_json(exclude={"preceding_sha256", "version"})
        (folder / f"{number:06d}.json").write_text(old)
    records = DecisionRecords(artifacts)
    append(records)
    assert records.verify() == "3 in an unbroken chain"
    (folder / "000002.json").write_text(old + "\n")
    with pytest.raises(ChangedDecisionsError, match="decision 2 was changed"):
        records.verify()


def test_a_torn_decision_stops_deciding_and_names_its_copy(
    artifacts: ArtifactsIOManager, folder: Path
) -> None:
    """It is never passed over; its copy beside the model, if there is one, makes it whole."""
    records = DecisionRecords(artifacts)
    append(records)
    made = append(records)
    torn = folder / "000002.json"
    torn.write_bytes(b"")
    with pytest.raises(UnreadableRecordError, match=r"000002.json \(0 bytes\) is damaged"):
        append(records)
    artifacts.write(MODEL_FOLDER, "2025-03-01", {DECISION_FILE: record(1)})
    artifacts.write(MODEL_FOLDER, "2025-03-02", {DECISION_FILE: made})
    with pytest.raises(UnreadableRecordError) as caught:
        records.read()
    copy = folder.parents[1] / "models" / "m" / "2025-03-02" / DECISION_FILE
    assert f"Its copy is {copy}: copy that file to {torn}." in str(caught.value)
    torn.write_bytes(copy.read_bytes())
    assert records.verify() == "2 in an unbroken chain"


def test_a_torn_decision_that_is_lost_is_set_aside(
    artifacts: ArtifactsIOManager, folder: Path
) -> None:
    """As the sentence says: its number stays in use, and decisions go on."""
    records = DecisionRecords(artifacts)
    for _ in range(3):
        append(records)
    torn = folder / "000003.json"
    torn.write_bytes(b"{")
    with pytest.raises(UnreadableRecordError, match=r"rename it to .*/000003.json.unreadable"):
        records.read()
    torn.rename(folder / "000003.json.unreadable")
    assert append(records).number == 4
    assert records.verify() == "3 in an unbroken chain, 1 set aside"
    assert [each.number for each in records.read().records] == [1, 2, 4]
